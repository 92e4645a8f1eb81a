import { HeadraceError } from '../errors.ts'

/**
 * Frames of a store connection, both ways: their payload is the length of the head, the head as JSON, and a body of raw
 * bytes (docs/bridge.md).
 */
export interface Message {
  readonly head: Readonly<Record<string, unknown>>
  readonly body: Uint8Array
}

const REQUEST = 32
const RESPONSE = 33
/** Bytes of the payload (u32), kind (u8), zeros (u8, u16), bytes of the head (u32). */
const PREFIX = 12
/** A delete of 1,000 keys of 1,024 bytes, each of them escaped, is below. */
const MAX_HEAD = 8 * 2 ** 20
/** Larger objects come through a writer. */
export const MAX_BODY = 64 * 2 ** 20

const EMPTY = new Uint8Array(0)

export function encodeHead(head: object, bodyBytes: number): Buffer {
  const text = JSON.stringify(head)
  const length = Buffer.byteLength(text)
  const message = Buffer.allocUnsafe(PREFIX + length)
  message.writeUInt32LE(4 + length + bodyBytes, 0)
  message.writeUInt32LE(RESPONSE, 4)
  message.writeUInt32LE(length, 8)
  message.write(text, PREFIX)
  return message
}

/** Puts messages together from however the socket cuts them. A body is memory of its own: nothing is held but what is read. */
export class MessageReader {
  readonly #take: (message: Message) => void
  readonly #prefix = Buffer.allocUnsafe(PREFIX)
  #head: Buffer | undefined
  #body: Uint8Array = EMPTY
  #filled = 0

  constructor(take: (message: Message) => void) {
    this.#take = take
  }

  /** E_CORRUPT for what is no message, E_LIMIT for one that is too large: nothing may be read behind it. */
  push(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length; ) at += this.#part(chunk, at)
  }

  #part(chunk: Uint8Array, at: number): number {
    if (this.#head === undefined) {
      const taken = this.#fill(this.#prefix, chunk, at)
      if (this.#filled === PREFIX) this.#begin()
      return taken
    }
    const head = this.#head
    if (this.#filled < head.length) {
      const taken = this.#fill(head, chunk, at)
      if (this.#filled === head.length && this.#body.length === 0) this.#end(head)
      return taken
    }
    const from = this.#filled - head.length
    const count = Math.min(this.#body.length - from, chunk.length - at)
    this.#body.set(chunk.subarray(at, at + count), from)
    this.#filled += count
    if (from + count === this.#body.length) this.#end(head)
    return count
  }

  #fill(into: Buffer, chunk: Uint8Array, at: number): number {
    const count = Math.min(into.length - this.#filled, chunk.length - at)
    into.set(chunk.subarray(at, at + count), this.#filled)
    this.#filled += count
    return count
  }

  #begin(): void {
    const kind = this.#prefix.readUInt32LE(4)
    const headBytes = this.#prefix.readUInt32LE(8)
    const bodyBytes = this.#prefix.readUInt32LE(0) - 4 - headBytes
    if (kind !== REQUEST) throw new HeadraceError('E_CORRUPT', `stores take requests (${REQUEST}), but got a ${kind}`)
    if (bodyBytes < 0) throw new HeadraceError('E_CORRUPT', 'the head of a message is longer than the message')
    if (headBytes === 0) throw new HeadraceError('E_CORRUPT', 'a message of a store connection has no head')
    if (headBytes > MAX_HEAD)
      throw new HeadraceError('E_LIMIT', `the head of a message may have ${MAX_HEAD} bytes, but has ${headBytes}`)
    if (bodyBytes > MAX_BODY)
      throw new HeadraceError('E_LIMIT', `the body of a message may have ${MAX_BODY} bytes, but has ${bodyBytes}`)
    this.#head = Buffer.allocUnsafe(headBytes)
    this.#body = bodyBytes === 0 ? EMPTY : new Uint8Array(bodyBytes)
    this.#filled = 0
  }

  #end(text: Buffer): void {
    const body = this.#body
    this.#head = undefined
    this.#body = EMPTY
    this.#filled = 0
    this.#take({ head: headOf(text), body })
  }
}

function headOf(text: Buffer): Readonly<Record<string, unknown>> {
  let head: unknown
  try {
    head = JSON.parse(text.toString())
  } catch (cause) {
    throw new HeadraceError('E_CORRUPT', 'the head of a message is no JSON', { cause })
  }
  if (typeof head === 'object' && head !== null && !Array.isArray(head)) return head as Record<string, unknown>
  throw new HeadraceError('E_CORRUPT', 'the head of a message must be a JSON object')
}
