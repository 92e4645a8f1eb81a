/** What goes over a link: a header of 12 bytes (payload bytes u32, kind u8, collective u8, 0 u16, sequence u32; little-endian), and the payload. */

export const HEADER_BYTES = 12

/** Of a payload: what one rank gives to one call, at most. Bytes. */
export const MAX_PAYLOAD = 64 * 2 ** 20

/** In the order of their numbers. */
const FRAME_KINDS = [
  /** Member to hub, and back, before a member is one. */
  'hello',
  'challenge',
  'proof',
  'refused',
  /** All are here; the hosts. */
  'welcome',
  /** A member has come to a call; its part. */
  'call',
  /** A call is over; the result. */
  'done',
  /** Who has not come to a call? */
  'who',
  'missing',
  /** The job is over; whose fault it is. */
  'failed',
  /** A member makes no more calls. */
  'leave',
] as const

export type FrameKind = (typeof FRAME_KINDS)[number]

const NUMBERS = Object.fromEntries(FRAME_KINDS.map((kind, i) => [kind, i])) as Readonly<Record<FrameKind, number>>

export const COLLECTIVES = ['barrier', 'sum', 'min', 'max', 'gather', 'broadcast'] as const
export type Collective = (typeof COLLECTIVES)[number]

const COLLECTIVE_NUMBERS = Object.fromEntries(COLLECTIVES.map((name, i) => [name, i])) as Readonly<
  Record<Collective, number>
>

export interface Frame {
  readonly kind: FrameKind
  readonly collective: Collective
  /** Of the call, counted by each rank for itself; wraps at 2^32. */
  readonly sequence: number
  readonly payload: Uint8Array
}

export interface FrameHeader {
  readonly kind: FrameKind
  readonly collective: Collective
  readonly sequence: number
  /** Of the payload, bytes. */
  readonly length: number
}

export const NOTHING = new Uint8Array()

/** `room` bytes are left for the payload, in the same memory. */
export function encodeHeader(header: FrameHeader, room: number): Buffer {
  const bytes = Buffer.allocUnsafe(HEADER_BYTES + room)
  bytes.writeUInt32LE(header.length, 0)
  bytes.writeUInt8(NUMBERS[header.kind], 4)
  bytes.writeUInt8(COLLECTIVE_NUMBERS[header.collective], 5)
  bytes.writeUInt16LE(0, 6)
  bytes.writeUInt32LE(header.sequence, 8)
  return bytes
}

/** undefined where the bytes are no header. */
export function decodeHeader(bytes: Buffer): FrameHeader | undefined {
  const kind = FRAME_KINDS[bytes.readUInt8(4)]
  const collective = COLLECTIVES[bytes.readUInt8(5)]
  if (kind === undefined || collective === undefined || bytes.readUInt16LE(6) !== 0) return undefined
  return { kind, collective, sequence: bytes.readUInt32LE(8), length: bytes.readUInt32LE(0) }
}
