import { native } from '../../../native.ts'
import { STOP } from './stop.ts'

/**
 * How batches get from the reader threads of a rank to its trainer. Batch b lies in slot b mod slots; readers claim batches
 * in order, so the one that the trainer waits for always has a reader, and none is read before there is room for it.
 * Everything that threads tell each other are numbers in shared memory: who waits is asleep in the kernel.
 */

/** Words of `RingMemory.words`. */
const SESSION = 0
const CLAIMED = 1
const RESTING = 2
const WORDS = 3

/*
 * A slot's turn says whose it is: of the reader of batch b at 2b, of the trainer when it is 2b + 1, and then of the reader
 * of batch b + slots. Whoever waits for a slot waits for that word alone, so nobody else is woken.
 */

/** Columns of a slot's numbers: what its batch cost the reader, ms and bytes, and when it was ready. */
export const BATCH = {
  storage: 0,
  decode: 1,
  preprocess: 2,
  /** The reader waited for room. */
  idle: 3,
  bytes: 4,
  samples: 5,
  faults: 6,
  /** On the clock of `native.monotonic`. */
  ready: 7,
} as const
export const BATCH_COLUMNS = Object.keys(BATCH).length

/** Where a reader is, for the messages of a stall. */
export const PLACE = { file: 0, sample: 1 } as const
const PLACE_COLUMNS = Object.keys(PLACE).length

/** What a session reads; the columns of `RingMemory.session`. */
export interface Session {
  /** Of the run's parts, by number. */
  readonly part: number
  readonly epoch: number
  readonly batches: number
  readonly batchSize: number
  /** Positions of the epoch. */
  readonly start: number
  readonly end: number
}
const SESSION_COLUMNS = 6

/** The memory of a ring, for `workerData`. */
export interface RingMemory {
  readonly readers: number
  /** One word, not 0 where everything is to end. */
  readonly stop: SharedArrayBuffer
  readonly words: SharedArrayBuffer
  readonly turns: SharedArrayBuffer
  readonly numbers: SharedArrayBuffer
  readonly session: SharedArrayBuffer
  readonly places: SharedArrayBuffer
  /** Of the slots' bytes, one `native.shareSlot` each. */
  readonly slots: readonly number[]
}

/** `slots`: their numbers. `stop`: one word, which other threads may set too. */
export function ringMemory(slots: readonly number[], readers: number, stop: SharedArrayBuffer): RingMemory {
  const count = slots.length
  return {
    readers,
    stop,
    words: new SharedArrayBuffer(4 * WORDS),
    turns: new SharedArrayBuffer(4 * count),
    numbers: new SharedArrayBuffer(8 * BATCH_COLUMNS * count),
    session: new SharedArrayBuffer(8 * SESSION_COLUMNS),
    places: new SharedArrayBuffer(8 * PLACE_COLUMNS * Math.max(1, readers)),
    slots,
  }
}

/** Why a wait ended. */
export type Wait = 'ready' | 'stopped' | 'timeout'

/** One thread's view of the ring. */
export class Ring {
  readonly slots: number
  /** For `native.waitUntil`. */
  readonly stopWord: Uint32Array
  readonly places: Float64Array
  readonly #readers: number
  readonly #words: Int32Array
  readonly #turns: Int32Array
  readonly #numbers: Float64Array
  readonly #session: Float64Array
  #seen = 0

  constructor(memory: RingMemory) {
    this.slots = memory.slots.length
    this.#readers = memory.readers
    this.#words = new Int32Array(memory.words)
    this.stopWord = new Uint32Array(memory.stop, 0, 1)
    this.#turns = new Int32Array(memory.turns)
    this.#numbers = new Float64Array(memory.numbers)
    this.#session = new Float64Array(memory.session)
    this.places = new Float64Array(memory.places)
  }

  /** Wakes everybody: nothing is read or waited for any more. */
  stop(): void {
    Atomics.compareExchange(this.stopWord, 0, 0, STOP.reader)
    for (let word = 0; word < WORDS; word++) Atomics.notify(this.#words, word)
    for (let slot = 0; slot < this.slots; slot++) Atomics.notify(this.#turns, slot)
  }

  get stopped(): boolean {
    return Atomics.load(this.stopWord, 0) !== 0
  }

  slotOf(batch: number): number {
    return batch % this.slots
  }

  /** The numbers of a batch's slot, by BATCH. */
  numbersOf(batch: number): Float64Array {
    const at = this.slotOf(batch) * BATCH_COLUMNS
    return this.#numbers.subarray(at, at + BATCH_COLUMNS)
  }

  /** The trainer's: waits until all readers rest, at most until `deadline`, then sets them to work. */
  begin({ part, epoch, batches, batchSize, start, end }: Session, deadline: number): Wait {
    const rest = this.#untilResting(deadline)
    if (rest !== 'ready') return rest
    Atomics.store(this.#words, CLAIMED, 0)
    Atomics.store(this.#words, RESTING, 0)
    for (let slot = 0; slot < this.slots; slot++) Atomics.store(this.#turns, slot, 2 * slot)
    this.#session.set([part, epoch, batches, batchSize, start, end])
    Atomics.add(this.#words, SESSION, 1)
    Atomics.notify(this.#words, SESSION)
    return 'ready'
  }

  /** The trainer's: waits for a batch, at most until `deadline` on the clock of `native.monotonic`. */
  take(batch: number, deadline: number): Wait {
    return this.#await(this.slotOf(batch), 2 * batch + 1, deadline)
  }

  /** The trainer's: the slot of a batch may be used again. */
  release(batch: number): void {
    this.#pass(this.slotOf(batch), 2 * (batch + this.slots))
  }

  /** A reader's: waits for the next session; undefined where there is none any more. */
  nextSession(): Session | undefined {
    Atomics.add(this.#words, RESTING, 1)
    Atomics.notify(this.#words, RESTING)
    for (;;) {
      if (this.stopped) return undefined
      const session = Atomics.load(this.#words, SESSION)
      if (session !== this.#seen) {
        this.#seen = session
        const [part = 0, epoch = 0, batches = 0, batchSize = 0, start = 0, end = 0] = this.#session
        return { part, epoch, batches, batchSize, start, end }
      }
      Atomics.wait(this.#words, SESSION, session)
    }
  }

  /** A reader's: the next batch of the session that nobody has claimed; undefined where there is none. */
  claim({ batches }: Session): number | undefined {
    const batch = Atomics.add(this.#words, CLAIMED, 1)
    return batch < batches ? batch : undefined
  }

  /** A reader's: waits until its batch has a slot. */
  room(batch: number): Wait {
    return this.#await(this.slotOf(batch), 2 * batch, Number.POSITIVE_INFINITY)
  }

  /** A reader's: its batch is there. */
  publish(batch: number): void {
    this.#pass(this.slotOf(batch), 2 * batch + 1)
  }

  #await(slot: number, turn: number, deadline: number): Wait {
    for (;;) {
      const found = Atomics.load(this.#turns, slot)
      if (found === turn) return 'ready'
      if (this.stopped) return 'stopped'
      const left = deadline === Number.POSITIVE_INFINITY ? deadline : deadline - native.monotonic()
      if (left <= 0) return 'timeout'
      Atomics.wait(this.#turns, slot, found, left)
    }
  }

  #pass(slot: number, turn: number): void {
    Atomics.store(this.#turns, slot, turn)
    Atomics.notify(this.#turns, slot)
  }

  #untilResting(deadline: number): Wait {
    for (;;) {
      const resting = Atomics.load(this.#words, RESTING)
      if (resting === this.#readers) return 'ready'
      if (this.stopped) return 'stopped'
      const left = deadline - native.monotonic()
      if (left <= 0) return 'timeout'
      Atomics.wait(this.#words, RESTING, resting, left)
    }
  }
}

/** Where one reader says what it is at. */
export function placeOf(ring: Ring, reader: number): Float64Array {
  return ring.places.subarray(reader * PLACE_COLUMNS, (reader + 1) * PLACE_COLUMNS)
}
