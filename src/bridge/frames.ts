import { HeadraceError } from '../errors.ts'

/** Frames of a connection that loads: payload bytes u32, kind u8, 0 u8, 0 u16, little-endian; then the payload. */

export const FRAME = {
  layout: 1,
  batch: 2,
  end: 3,
  starved: 4,
  error: 5,
  reply: 6,
  release: 16,
  start: 17,
  call: 18,
} as const

export const HEADER_BYTES = 8
/** Of what a client sends: a call, at most. Bytes. */
const MAX_PAYLOAD = 2 ** 20

/** A frame with `bytes` of payload, still to be written. */
export function newFrame(kind: number, bytes: number): Buffer {
  const frame = Buffer.allocUnsafe(HEADER_BYTES + bytes)
  frame.writeUInt32LE(bytes, 0)
  frame.writeUInt32LE(kind, 4)
  return frame
}

/** `number`: in front of the JSON, where the kind has one. */
export function jsonFrame(kind: number, document: unknown, number?: number): Buffer {
  const text = JSON.stringify(document)
  const at = number === undefined ? 0 : 4
  const frame = newFrame(kind, at + Buffer.byteLength(text))
  if (number !== undefined) frame.writeUInt32LE(number, HEADER_BYTES)
  frame.write(text, HEADER_BYTES + at)
  return frame
}

export type TakeFrame = (kind: number, payload: Buffer) => void

/** Puts frames together from however the socket cuts them. */
export class FrameReader {
  readonly #take: TakeFrame
  #kept: Buffer | undefined

  constructor(take: TakeFrame) {
    this.#take = take
  }

  /** A payload is valid until `take` returns. E_CORRUPT for what is no frame, E_LIMIT for one that is too large. */
  push(chunk: Buffer): void {
    const bytes = this.#kept === undefined ? chunk : Buffer.concat([this.#kept, chunk])
    let at = 0
    while (bytes.length - at >= HEADER_BYTES) {
      const length = bytes.readUInt32LE(at)
      const kind = bytes.readUInt32LE(at + 4)
      if (kind > 255) throw new HeadraceError('E_CORRUPT', 'what came is no frame of the bridge')
      if (length > MAX_PAYLOAD)
        throw new HeadraceError('E_LIMIT', `a frame may have ${MAX_PAYLOAD} bytes, but has ${length}`)
      const end = at + HEADER_BYTES + length
      if (end > bytes.length) break
      this.#take(kind, bytes.subarray(at + HEADER_BYTES, end))
      at = end
    }
    // A copy: the chunk is a part of a larger piece of memory.
    this.#kept = at === bytes.length ? undefined : Buffer.from(bytes.subarray(at))
  }
}
