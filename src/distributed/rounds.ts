import { type Collective, NOTHING } from './frame.ts'

/** A part or a result of a call; what is gathered comes to rank 0 as a list. */
export type Payload = Uint8Array | readonly Uint8Array[]

export interface RoundsOwner {
  /** A call is over for a rank. */
  done(rank: number, collective: Collective, sequence: number, payload: Payload): void
  /** No call can succeed any more. */
  failed(rank: number, reason: string): void
}

interface Round {
  readonly collective: Collective
  /** Who came first. */
  readonly opener: number
  readonly parts: (Uint8Array | undefined)[]
  count: number
  /** The rank that was let go before it came. */
  early: number
}

/** Brings together what ranks call: a round is over when all have come to it. No sockets in here. */
export class Rounds {
  readonly #size: number
  readonly #owner: RoundsOwner
  readonly #open = new Map<number, Round>()
  /** The call that each rank makes next. */
  readonly #next: Uint32Array
  readonly #left = new Set<number>()

  constructor(size: number, owner: RoundsOwner) {
    this.#size = size
    this.#owner = owner
    this.#next = new Uint32Array(size)
  }

  arrive(rank: number, collective: Collective, sequence: number, part: Uint8Array): void {
    const round = this.#open.get(sequence) ?? this.#begin(sequence, collective, rank)
    const fault = this.#faultOf(round, rank, collective, sequence, part)
    if (fault !== undefined) {
      this.#owner.failed(...fault)
      return
    }
    this.#next[rank] = sequence + 1
    round.parts[rank] = part
    round.count++
    if (round.count === this.#size) this.#finish(sequence, round)
    // All others have come: the last one need not ask, which saves it a way there and back.
    else if (round.count === this.#size - 1 && collective === 'barrier') this.#releaseLast(sequence, round)
  }

  leave(rank: number): void {
    this.#left.add(rank)
    for (const [sequence, { collective, opener, parts }] of this.#open) {
      if (parts[rank] !== undefined) continue
      this.#owner.failed(...leftBehind(rank, opener, collective))
      this.#open.delete(sequence)
      return
    }
  }

  /** Ranks that have not come to a call. */
  missing(sequence: number): number[] {
    const round = this.#open.get(sequence)
    if (round === undefined) return []
    return Array.from({ length: this.#size }, (_, rank) => rank).filter((rank) => round.parts[rank] === undefined)
  }

  #begin(sequence: number, collective: Collective, opener: number): Round {
    const parts = new Array<Uint8Array | undefined>(this.#size).fill(undefined)
    const round: Round = { collective, opener, parts, count: 0, early: -1 }
    this.#open.set(sequence, round)
    return round
  }

  /** Why the round cannot be, and whose fault that is. */
  #faultOf(
    { collective, opener, parts }: Round,
    rank: number,
    called: Collective,
    sequence: number,
    part: Uint8Array,
  ): readonly [rank: number, reason: string] | undefined {
    if (this.#next[rank] !== sequence) return [rank, `rank ${rank} spoke out of turn`]
    for (const left of this.#left) if (parts[left] === undefined) return leftBehind(left, rank, called)
    if (called !== collective && isReduce(called) && isReduce(collective))
      return [rank, `rank ${rank} reduces to the ${called} where rank ${opener} reduces to the ${collective}`]
    if (called !== collective)
      return [rank, `rank ${rank} called ${nameOf(called)} where rank ${opener} called ${nameOf(collective)}`]
    if (!isReduce(called)) return undefined
    if (part.length % 8 !== 0) return [rank, `rank ${rank} gave ${part.length} bytes to allReduce`]
    const length = parts[opener]?.length ?? part.length
    if (part.length === length) return undefined
    return [rank, `rank ${rank} gave ${part.length / 8} numbers to allReduce where rank ${opener} gave ${length / 8}`]
  }

  #releaseLast(sequence: number, round: Round): void {
    round.early = round.parts.indexOf(undefined)
    this.#owner.done(round.early, round.collective, sequence, NOTHING)
  }

  #finish(sequence: number, { collective, parts, early }: Round): void {
    this.#open.delete(sequence)
    const whole = parts as readonly Uint8Array[]
    const result = isReduce(collective) ? reduce(whole, collective) : (whole[0] ?? NOTHING)
    for (let rank = 0; rank < this.#size; rank++) {
      if (rank === early) continue
      const payload = collective === 'gather' ? (rank === 0 ? whole : NOTHING) : result
      this.#owner.done(rank, collective, sequence, collective === 'barrier' ? NOTHING : payload)
    }
  }
}

function leftBehind(left: number, rank: number, collective: Collective): readonly [rank: number, reason: string] {
  return [left, `rank ${left} has left, and rank ${rank} calls ${nameOf(collective)} yet`]
}

type Reduction = 'sum' | 'min' | 'max'

function isReduce(collective: Collective): collective is Reduction {
  return collective === 'sum' || collective === 'min' || collective === 'max'
}

/** As callers know it. */
export function nameOf(collective: Collective): string {
  return isReduce(collective) ? 'allReduce' : collective
}

const numbersOf = (bytes: Uint8Array) => new Float64Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 8)

/** In the order of ranks, so that sums have the same bits however the ranks come. */
function reduce(parts: readonly Uint8Array[], op: Reduction): Uint8Array {
  const [first = NOTHING, ...others] = parts
  const result = numbersOf(first).slice()
  for (const other of others) {
    const numbers = numbersOf(other)
    for (let i = 0; i < result.length; i++) {
      const a = result[i] as number
      const b = numbers[i] as number
      result[i] = op === 'sum' ? a + b : op === 'min' ? Math.min(a, b) : Math.max(a, b)
    }
  }
  return new Uint8Array(result.buffer)
}
