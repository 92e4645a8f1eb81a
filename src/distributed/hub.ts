import type { Receiver, Uplink } from './communicator.ts'
import { type Collective, type Frame, NOTHING } from './frame.ts'
import type { Link } from './link.ts'
import { type Payload, Rounds } from './rounds.ts'

/** How a failure goes over a link: whose fault, and the reason in words. */
export function encodeFailure(rank: number, reason: string): Uint8Array {
  const bytes = Buffer.alloc(4 + Buffer.byteLength(reason))
  bytes.writeUInt32LE(rank)
  bytes.write(reason, 4)
  return bytes
}

export function decodeFailure(payload: Uint8Array): { rank: number; reason: string } {
  const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength)
  return bytes.length < 4
    ? { rank: 0, reason: 'the job has failed' }
    : { rank: bytes.readUInt32LE(), reason: bytes.toString('utf8', 4) }
}

/** A rank of another process. */
class Seat implements Receiver {
  readonly link: Link
  isGone = false

  constructor(link: Link) {
    this.link = link
  }

  done(collective: Collective, sequence: number, payload: Payload): void {
    this.link.send('done', payload instanceof Uint8Array ? payload : NOTHING, collective, sequence)
  }

  missing(sequence: number, ranks: readonly number[]): void {
    const numbers = Uint32Array.from(ranks)
    this.link.send('missing', new Uint8Array(numbers.buffer), 'barrier', sequence)
  }

  failed(rank: number, reason: string): void {
    this.link.send('failed', encodeFailure(rank, reason))
  }
}

/** Brings the ranks of a job together: one star, whose centre is in the process of rank 0. It is that rank's uplink. */
export class Hub implements Uplink {
  readonly #hosts: readonly string[]
  readonly #rounds: Rounds
  readonly #seats: readonly (Seat | undefined)[]
  readonly #receivers: (Receiver | undefined)[]
  #failure: readonly [rank: number, reason: string] | undefined
  #hasLeft = false
  #left: (() => void) | undefined

  /** `links`: of ranks 1 and up, who are told that all are here. */
  constructor(links: readonly Link[], hosts: readonly string[]) {
    this.#hosts = hosts
    this.#seats = [undefined, ...links.map((link) => new Seat(link))]
    this.#receivers = [...this.#seats]
    this.#rounds = new Rounds(hosts.length, {
      done: (rank, collective, sequence, payload) => this.#receivers[rank]?.done(collective, sequence, payload),
      failed: (rank, reason) => this.#fail(rank, reason),
    })
    const welcome = new TextEncoder().encode(JSON.stringify(hosts))
    for (const link of links) {
      link.unref()
      link.send('welcome', welcome)
    }
  }

  deliver(receiver: Receiver): void {
    this.#receivers[0] = receiver
    if (this.#failure !== undefined) receiver.failed(...this.#failure)
  }

  call(collective: Collective, sequence: number, part: Uint8Array): void {
    if (this.#failure === undefined) this.#rounds.arrive(0, collective, sequence, part)
  }

  who(sequence: number): void {
    this.#receivers[0]?.missing(sequence, this.#rounds.missing(sequence))
  }

  fail(reason: string): void {
    this.#fail(0, reason)
  }

  leave(): Promise<void> {
    this.#hasLeft = true
    if (this.#failure === undefined) this.#rounds.leave(0)
    return new Promise((resolve) => {
      this.#left = resolve
      this.#checkEmpty()
    })
  }

  /** What a rank of another process sent. */
  frame(rank: number, { kind, collective, sequence, payload }: Frame): void {
    if (this.#failure !== undefined && kind !== 'leave') return
    switch (kind) {
      case 'call':
        this.#rounds.arrive(rank, collective, sequence, payload)
        break
      case 'who':
        this.#receivers[rank]?.missing(sequence, this.#rounds.missing(sequence))
        break
      case 'failed':
        this.#fail(rank, decodeFailure(payload).reason)
        break
      case 'leave':
        this.#seats[rank]?.link.end()
        this.#gone(rank)
        if (this.#failure === undefined) this.#rounds.leave(rank)
        break
      default:
        this.#fail(rank, `rank ${rank} sent what no rank sends`)
    }
  }

  /** The link of a rank has ended without its leaving. */
  closed(rank: number, reason: string | undefined): void {
    this.#gone(rank)
    const host = this.#hosts[rank]
    this.#fail(rank, `rank ${rank} on ${host} has gone: ${reason ?? 'its process ended'}`)
  }

  /** The first failure counts. */
  #fail(rank: number, reason: string): void {
    if (this.#failure !== undefined) return
    this.#failure = [rank, reason]
    for (const receiver of this.#receivers) receiver?.failed(rank, reason)
    this.#checkEmpty()
  }

  #gone(rank: number): void {
    const seat = this.#seats[rank]
    if (seat !== undefined) seat.isGone = true
    this.#checkEmpty()
  }

  /** After a failure nobody is waited for. */
  #checkEmpty(): void {
    if (!this.#hasLeft) return
    const waited = this.#seats.some((seat) => seat !== undefined && !seat.isGone)
    if (waited && this.#failure === undefined) return
    for (const seat of this.#seats) if (seat?.isGone === false) seat.link.end()
    this.#left?.()
  }
}
