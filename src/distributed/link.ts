import type { Socket } from 'node:net'
import {
  type Collective,
  decodeHeader,
  encodeHeader,
  type Frame,
  type FrameHeader,
  type FrameKind,
  HEADER_BYTES,
  NOTHING,
} from './frame.ts'

/** Up to here a payload is copied behind its header, so that one write does: bytes. */
const COPIED = 4096
/** From when a silent connection is probed, once a second: milliseconds. A host that is off is found 10 probes later. */
const KEEP_ALIVE = 10_000

export interface LinkOwner {
  frame(frame: Frame): void
  /** Once, whoever ended it: with what went wrong, or undefined where the other side ended it in order. */
  closed(reason: string | undefined): void
}

/** A socket that carries frames. What is no frame, or a payload above `limit`, ends it. */
export class Link {
  readonly #socket: Socket
  readonly #owner: LinkOwner
  readonly #header = Buffer.alloc(HEADER_BYTES)
  #headerBytes = 0
  #coming: FrameHeader | undefined
  #payload: Uint8Array = NOTHING
  #payloadBytes = 0
  #isClosed = false
  /** Bytes of a payload that are accepted. */
  limit: number

  constructor(socket: Socket, limit: number, owner: LinkOwner) {
    this.#socket = socket
    this.#owner = owner
    this.limit = limit
    socket.setNoDelay(true)
    socket.setKeepAlive(true, KEEP_ALIVE)
    socket.on('data', (chunk: Buffer) => this.#read(chunk))
    socket.on('error', (error) => this.#close(error.message))
    socket.on('end', () => this.#close(this.#isWithin ? 'it ended within a frame' : undefined))
    socket.on('close', () => this.#close(undefined))
  }

  /** The payload must stay as it is until it is sent. */
  send(kind: FrameKind, payload: Uint8Array = NOTHING, collective: Collective = 'barrier', sequence = 0): void {
    if (this.#isClosed) return
    const header = { kind, collective, sequence, length: payload.length }
    if (payload.length > COPIED) {
      this.#socket.cork()
      this.#socket.write(encodeHeader(header, 0))
      this.#socket.write(payload)
      this.#socket.uncork()
      return
    }
    const bytes = encodeHeader(header, payload.length)
    bytes.set(payload, HEADER_BYTES)
    this.#socket.write(bytes)
  }

  /** Whether it is open keeps no process alive from now on. */
  unref(): void {
    this.#socket.unref()
  }

  /** What was sent arrives yet; nothing more is heard. */
  end(): void {
    this.#isClosed = true
    this.#socket.end()
    this.#socket.unref()
  }

  destroy(): void {
    this.#isClosed = true
    this.#socket.destroy()
  }

  get #isWithin(): boolean {
    return this.#headerBytes > 0 || this.#coming !== undefined
  }

  #close(reason: string | undefined): void {
    if (this.#isClosed) return
    this.destroy()
    this.#owner.closed(reason)
  }

  #read(chunk: Buffer): void {
    for (let at = 0; at < chunk.length && !this.#isClosed; ) {
      at += this.#coming === undefined ? this.#readHeader(chunk, at) : this.#readPayload(chunk, at, this.#coming)
    }
  }

  #readHeader(chunk: Buffer, at: number): number {
    const count = chunk.copy(this.#header, this.#headerBytes, at, at + HEADER_BYTES - this.#headerBytes)
    this.#headerBytes += count
    if (this.#headerBytes < HEADER_BYTES) return count
    this.#headerBytes = 0
    const header = decodeHeader(this.#header)
    if (header === undefined) {
      this.#close('it sent what is no frame')
    } else if (header.length > this.limit) {
      this.#close(`it sent a frame of ${header.length} bytes, above the limit of ${this.limit}`)
    } else if (header.length === 0) {
      this.#owner.frame({ ...header, payload: NOTHING })
    } else {
      this.#coming = header
      // Memory of its own: a payload may be kept, and numbers in it lie aligned.
      this.#payload = new Uint8Array(header.length)
      this.#payloadBytes = 0
    }
    return count
  }

  #readPayload(chunk: Buffer, at: number, header: FrameHeader): number {
    const count = chunk.copy(this.#payload, this.#payloadBytes, at)
    this.#payloadBytes += count
    if (this.#payloadBytes < header.length) return count
    this.#coming = undefined
    const payload = this.#payload
    this.#payload = NOTHING
    this.#owner.frame({ ...header, payload })
    return count
  }
}
