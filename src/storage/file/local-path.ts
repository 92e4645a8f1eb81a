import { show } from '../../checks.ts'
import { HeadraceError } from '../../errors.ts'
import { localDirectory } from '../open.ts'

/** The path that an argument names: a plain path, or a file: URL. E_USAGE for anything else, and for other schemes. */
export function localPath(name: string, value: unknown): string {
  const path = typeof value === 'string' ? localDirectory(value) : undefined
  if (path !== undefined && path !== '') return path
  throw new HeadraceError('E_USAGE', `${name} must be a path or a file:// URL, but got ${show(value)}`)
}
