import type { ObjectInfo, WriterOptions } from '../types.ts'
import type { OpenPlace } from './place.ts'

/** Writes what comes as an object of unknown size. Nothing is visible before all of it is there. */
export async function writeObject(
  { store, key }: OpenPlace,
  chunks: AsyncIterable<Uint8Array>,
  options: WriterOptions & { readonly onBytes?: (count: number) => void } = {},
): Promise<ObjectInfo> {
  const { onBytes, ...rest } = options
  const writer = store.writer(key, rest)
  try {
    for await (const chunk of chunks) {
      await writer.write(chunk)
      onBytes?.(chunk.length)
    }
    return await writer.close()
  } catch (error) {
    await writer.abort()
    throw error
  }
}
