import { realpath } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

/** Where a path really leads, as far as it exists. */
export async function realPath(path: string): Promise<string> {
  try {
    return await realpath(path)
  } catch {
    const above = dirname(path)
    return above === path ? path : join(await realPath(above), basename(path))
  }
}
