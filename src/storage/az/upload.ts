import { randomBytes } from 'node:crypto'
import type { PartsTarget } from '../remote/parts-writer.ts'
import type { ObjectInfo, PutOptions } from '../types.ts'

/** Blobs in blocks. Source: "Put Block" and "Put Block List", Azure Storage REST API reference, version 2019-12-12 and later. */
const BLOCK_LIMITS = {
  minPart: 1,
  maxPart: 4000 * 2 ** 20,
  maxParts: 50_000,
  maxObject: 50_000 * 4000 * 2 ** 20,
} as const

/** The requests that an upload is made of. */
export interface BlockRequests {
  putBlob(key: string, pieces: readonly Uint8Array[], options: PutOptions): Promise<ObjectInfo>
  putBlock(key: string, id: string, pieces: readonly Uint8Array[], signal: AbortSignal): Promise<void>
  putBlockList(key: string, ids: readonly string[], options: PutOptions): Promise<ObjectInfo>
}

/**
 * One upload. Blocks that were sent and are in no list are invisible, cost nothing to leave and are dropped by the service
 * after a week, or by the next upload of the blob; there is no request that would drop them at once.
 */
export function blockTarget(requests: BlockRequests, key: string, options: PutOptions): PartsTarget<string> {
  // Every id of a blob has the same length, and two uploads of one blob at once have different ones.
  const upload = randomBytes(9).toString('base64')
  return {
    limits: BLOCK_LIMITS,
    putWhole: (pieces, signal) => requests.putBlob(key, pieces, { ...options, signal }),
    begin: async () => {},
    part: async (number, pieces, signal) => {
      const id = Buffer.from(`${upload}${String(number).padStart(6, '0')}`).toString('base64')
      await requests.putBlock(key, id, pieces, signal)
      return id
    },
    complete: (ids) => requests.putBlockList(key, ids, options),
    abort: async () => {},
  }
}
