import { HeadraceError } from '../../errors.ts'
import type { ByteRange, ObjectBody } from '../types.ts'
import type { Side } from './place.ts'

/** Parts that are read before they are asked for: what is in memory at once. */
const PARTS_AHEAD = 4

export interface ReadOptions {
  readonly range?: ByteRange
  /** Bytes; 8 MiB. */
  readonly partSize?: number
  readonly signal?: AbortSignal
}

/**
 * An object's bytes in order, as parts that are read side by side: all of the version that the first was of. E_NOT_FOUND;
 * E_STATE where it is replaced meanwhile; E_USAGE for a range that starts past its end.
 */
export async function* readObject(
  { store, name }: Side,
  key: string,
  { range, partSize = 8 * 2 ** 20, signal }: ReadOptions = {},
): AsyncGenerator<Uint8Array> {
  const start = range?.offset ?? 0
  const get = async (offset: number, length: number, ifMatch?: string): Promise<ObjectBody> => {
    const condition = ifMatch === undefined ? {} : { ifMatch }
    const body = await store.get(key, { range: { offset, length }, ...condition, ...(signal && { signal }) })
    if (body !== undefined) return body
    throw new HeadraceError('E_NOT_FOUND', `${name(key)} is not there`, { url: name(key), key })
  }
  const first = await get(start, Math.min(partSize, range?.length ?? partSize))
  const { size, etag } = first.info
  const end = Math.min(size, start + (range?.length ?? size))
  const parts = [Promise.resolve(first)]
  let next = start + first.data.length
  try {
    for (let part = parts.shift(); part !== undefined; part = parts.shift()) {
      for (; next < end && parts.length < PARTS_AHEAD; next += partSize) {
        const reading = get(next, Math.min(partSize, end - next), etag)
        // It is waited for later; until then its failure is not an unhandled one.
        reading.catch(() => undefined)
        parts.push(reading)
      }
      yield (await part).data
    }
  } finally {
    await Promise.allSettled(parts)
  }
}
