import { show } from '../../checks.ts'
import { HeadraceError } from '../../errors.ts'
import { native } from '../../native.ts'
import type { PartLimits } from '../remote/part-sizes.ts'
import type { PartsTarget } from '../remote/parts-writer.ts'
import type { ObjectInfo, PutOptions } from '../types.ts'

/**
 * Resumable uploads: one part after the other through a session that the service opens. Source: "Resumable uploads",
 * Cloud Storage.
 */

/** Every chunk but the last has a multiple of this. */
const CHUNK_STEP = 256 * 2 ** 10

/** One part at a time; the part sizes that are multiples of 256 KiB come out right by `gsPartSize`. */
const RESUMABLE_LIMITS: PartLimits = {
  minPart: CHUNK_STEP,
  maxPart: 2 * 2 ** 30,
  maxParts: Number.MAX_SAFE_INTEGER,
  maxObject: 5 * 2 ** 40,
}

/** The size of parts nearest to what was asked for that the service takes. */
export function gsPartSize(partSize: number): number {
  return Math.max(CHUNK_STEP, Math.floor(partSize / CHUNK_STEP) * CHUNK_STEP)
}

/** The requests that an upload is made of. */
export interface ResumableRequests {
  putWhole(key: string, pieces: readonly Uint8Array[], options: PutOptions): Promise<ObjectInfo>
  /** The path and query of the session that takes the bytes. */
  openUpload(key: string, options: PutOptions): Promise<string>
  /**
   * Sends bytes from `offset` on; `total`: the object ends with them. undefined where more is awaited: `kept` bytes in
   * all are there.
   */
  sendChunk(
    key: string,
    session: string,
    chunk: { readonly pieces: readonly Uint8Array[]; readonly offset: number; readonly total: number | undefined },
    options: PutOptions,
  ): Promise<{ readonly info: ObjectInfo } | { readonly kept: number }>
  cancelUpload(key: string, session: string): Promise<void>
  removeGeneration(key: string, generation: string): Promise<void>
}

function bytesOf(pieces: readonly Uint8Array[]): number {
  return pieces.reduce((sum, piece) => sum + piece.length, 0)
}

/** What is left of pieces behind their first `skipped` bytes. */
function behind(pieces: readonly Uint8Array[], skipped: number): Uint8Array[] {
  const rest: Uint8Array[] = []
  let skip = skipped
  for (const piece of pieces) {
    if (skip < piece.length) rest.push(piece.subarray(skip))
    skip = Math.max(0, skip - piece.length)
  }
  return rest
}

/** One upload; `checked`: the CRC-32C of all that was sent is compared with the service's. */
export function resumableTarget(
  requests: ResumableRequests,
  key: string,
  options: PutOptions,
  checked: boolean,
): PartsTarget<number> {
  let session: string | undefined
  let offset = 0
  let crc = 0
  /** The last part where it is short: it ends the object, which only `complete` may do. */
  let tail: Uint8Array[] = []

  const send = async (pieces: readonly Uint8Array[], total: number | undefined, signal?: AbortSignal) => {
    if (session === undefined) throw new HeadraceError('E_STATE', `the upload of ${show(key)} has not begun`, { key })
    const end = offset + bytesOf(pieces)
    for (let rest = pieces; ; ) {
      const sending = signal === undefined ? options : { ...options, signal }
      const answer = await requests.sendChunk(key, session, { pieces: rest, offset, total }, sending)
      if ('info' in answer) return answer.info
      if (answer.kept < offset || answer.kept > end)
        throw new HeadraceError('E_CORRUPT', `${key}: the service has ${answer.kept} bytes, not ${offset} to ${end}`, {
          key,
        })
      if (answer.kept === offset && end > offset)
        throw new HeadraceError('E_SERVER', `${key}: the service keeps nothing of what is sent`, { key })
      rest = behind(rest, answer.kept - offset)
      offset = answer.kept
      if (offset === end && total === undefined) return undefined
    }
  }
  return {
    limits: RESUMABLE_LIMITS,
    putWhole: (pieces, signal) => requests.putWhole(key, pieces, { ...options, signal }),
    begin: async () => {
      session = await requests.openUpload(key, options)
    },
    part: async (number, pieces, signal) => {
      if (checked) for (const piece of pieces) crc = native.crc32c(piece, crc)
      if (bytesOf(pieces) % CHUNK_STEP === 0) await send(pieces, undefined, signal)
      // What a part is sent from serves the next one as soon as this is done.
      else tail = pieces.map((piece) => Uint8Array.from(piece))
      return number
    },
    complete: async () => {
      const info = await send(tail, offset + bytesOf(tail))
      if (info === undefined) throw new HeadraceError('E_SERVER', `${key}: the upload does not end`, { key })
      const found = info.checksum?.value
      const expected = (crc >>> 0).toString(16).padStart(8, '0')
      if (!checked || found === undefined || found === expected) return info
      await requests.removeGeneration(key, info.etag)
      throw new HeadraceError(
        'E_CHECKSUM',
        `${key}: its crc32c is ${found}, but that of what was sent is ${expected}`,
        { key },
      )
    },
    abort: async () => {
      if (session !== undefined) await requests.cancelUpload(key, session)
    },
  }
}
