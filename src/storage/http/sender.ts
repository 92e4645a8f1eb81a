import type { Socket } from 'node:net'

/**
 * 256 KiB: progress shows between writes only, so that one of this size must be taken within the stall time-out. Larger
 * ones cost a little less CPU (a sixth for bodies of 16 MiB), but look like a stall on a slow link that many requests share.
 */
const SLICE = 256 * 1024

export interface SenderEvents {
  /** So many bytes are handed over to the system now. */
  sending(bytes: number): void
  /** The system took what it was handed. */
  progressed(): void
  /** All of the request is with the system. */
  sent(): void
}

/**
 * Writes one request at a time: the head together with the first bytes of its body, then slice by slice as the system
 * takes them. Pieces of a body are handed over as they are.
 */
export class RequestSender {
  readonly #events: SenderEvents
  #socket: Socket | undefined
  #body: readonly Uint8Array[] = []
  #piece = 0
  #offset = 0
  #isSending = false
  /** Writes that the system has not taken yet: over TLS it may say so when the answer is here, and the next request begun. */
  #pending = 0

  constructor(events: SenderEvents) {
    this.#events = events
  }

  get isSending(): boolean {
    return this.#isSending
  }

  /** `body`: at least one byte, or undefined. */
  start(socket: Socket, head: string, body: readonly Uint8Array[] | undefined): void {
    this.#isSending = true
    this.#events.sending(head.length)
    if (body === undefined) {
      this.#pending++
      socket.write(head, 'latin1', this.#written)
      return
    }
    this.#socket = socket
    this.#body = body
    this.#piece = 0
    this.#offset = 0
    socket.cork()
    socket.write(head, 'latin1')
    this.#writeSlice(socket, this.#next(SLICE))
    socket.uncork()
  }

  /** Nothing more is written; what the system was handed may still go out. */
  stop(): void {
    this.#isSending = false
    this.#socket = undefined
    this.#body = []
  }

  readonly #written = (error?: Error | null): void => {
    // An error closes the socket, which says so itself.
    if (--this.#pending > 0 || error || !this.#isSending) return
    const socket = this.#socket
    const next = socket === undefined ? undefined : this.#next(SLICE)
    if (socket === undefined || next === undefined) {
      this.stop()
      this.#events.sent()
      return
    }
    this.#events.progressed()
    socket.cork()
    this.#writeSlice(socket, next)
    socket.uncork()
  }

  #writeSlice(socket: Socket, first: Uint8Array | undefined): void {
    let room = SLICE
    let part = first
    while (part !== undefined) {
      room -= part.length
      this.#events.sending(part.length)
      const following = room > 0 ? this.#next(room) : undefined
      if (following === undefined) {
        this.#pending++
        socket.write(part, this.#written)
      } else {
        socket.write(part)
      }
      part = following
    }
  }

  /** The next part of the body, of at most `room` bytes; undefined at its end. */
  #next(room: number): Uint8Array | undefined {
    let piece = this.#body[this.#piece]
    while (piece !== undefined && this.#offset === piece.length) {
      piece = this.#body[++this.#piece]
      this.#offset = 0
    }
    if (piece === undefined) return undefined
    const start = this.#offset
    const end = Math.min(piece.length, start + room)
    this.#offset = end
    return end - start === piece.length ? piece : piece.subarray(start, end)
  }
}
