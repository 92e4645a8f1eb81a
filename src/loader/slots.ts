import { formatBytes } from '../bytes.ts'
import { HeadraceError } from '../errors.ts'
import { native, type SlotHandle } from '../native.ts'

/** Slots grow in steps of a huge page, so that batches of nearly the same size do not each want another one. */
const GROWTH = 2 ** 21
/** Node 20's largest ArrayBuffer. */
const MAX_SLOT_BYTES = 2 ** 32

interface Waiting {
  readonly bytes: number
  readonly resolve: (slot: Slot) => void
  readonly reject: (error: unknown) => void
}

export interface Slot {
  readonly handle: SlotHandle
  bytes: number
}

function closed(): HeadraceError {
  return new HeadraceError('E_CANCELLED', 'the loader was closed')
}

/**
 * The memory of a loader: a bounded number of slots, bounded in bytes together, handed out in the order they are asked
 * for and used again. Which slot serves next does not matter, so they lie in a free list and not in a ring.
 */
export class SlotRing {
  readonly #maxSlots: number
  readonly #maxBytes: number
  readonly #free: Slot[] = []
  readonly #waiting: Waiting[] = []
  #slots = 0
  #bytes = 0
  #closed = false

  constructor(maxSlots: number, maxBytes: number) {
    this.#maxSlots = maxSlots
    this.#maxBytes = maxBytes
  }

  /** Bytes of all slots together. */
  get bytes(): number {
    return this.#bytes
  }

  /** The largest batch: of ringBytes, and of an ArrayBuffer. */
  get maxBytes(): number {
    return Math.min(this.#maxBytes, MAX_SLOT_BYTES)
  }

  get slots(): number {
    return this.#slots
  }

  /** A slot of at least `bytes`, as soon as one is free. E_LIMIT where one batch alone is too large. */
  take(bytes: number): Promise<Slot> {
    if (this.#closed) return Promise.reject(closed())
    const wanted = Math.max(GROWTH, Math.ceil(bytes / GROWTH) * GROWTH)
    if (bytes > MAX_SLOT_BYTES)
      return Promise.reject(
        new HeadraceError('E_LIMIT', `a batch of ${formatBytes(bytes)} exceeds the largest ArrayBuffer (4 GiB)`, {
          hint: 'use a smaller batchSize',
        }),
      )
    if (wanted > this.#maxBytes)
      return Promise.reject(
        new HeadraceError(
          'E_LIMIT',
          `a batch of ${formatBytes(bytes)} exceeds ringBytes (${formatBytes(this.#maxBytes)})`,
          {
            hint: 'use a larger ringBytes or a smaller batchSize',
          },
        ),
      )
    return new Promise((resolve, reject) => {
      this.#waiting.push({ bytes: wanted, resolve, reject })
      this.#serve()
    })
  }

  /** Makes a slot that is out larger; its contents are lost. May pass the bound in bytes by this one batch. */
  grow(slot: Slot, bytes: number): void {
    const wanted = Math.ceil(bytes / GROWTH) * GROWTH
    if (wanted <= slot.bytes) return
    native.growSlot(slot.handle, wanted)
    this.#bytes += wanted - slot.bytes
    slot.bytes = wanted
  }

  give(slot: Slot): void {
    if (this.#closed) {
      this.#destroy(slot)
      return
    }
    this.#free.push(slot)
    this.#serve()
  }

  /** Frees what is free now, and what is out as it comes back. Nobody waits any more. */
  close(): void {
    this.#closed = true
    for (const { reject } of this.#waiting.splice(0)) reject(closed())
    for (const slot of this.#free.splice(0)) this.#destroy(slot)
  }

  #serve(): void {
    for (;;) {
      const first = this.#waiting[0]
      if (first === undefined) return
      let slot: Slot | undefined
      try {
        slot = this.#find(first.bytes)
      } catch (error) {
        this.#waiting.shift()
        first.reject(error)
        continue
      }
      if (slot === undefined) return
      this.#waiting.shift()
      first.resolve(slot)
    }
  }

  /** A free slot that is large enough, or one more, or one that grows; undefined while the bounds do not allow it. */
  #find(bytes: number): Slot | undefined {
    const fitting = this.#free.findIndex((slot) => slot.bytes >= bytes)
    if (fitting >= 0) return this.#free.splice(fitting, 1)[0]
    if (this.#slots < this.#maxSlots && this.#bytes + bytes <= this.#maxBytes) {
      const slot = { handle: native.createSlot(bytes), bytes }
      this.#slots++
      this.#bytes += bytes
      return slot
    }
    // Too small ones make room: all free ones go if they must, one of them grows.
    while (this.#free.length > 0) {
      const slot = this.#free.pop() as Slot
      this.#destroy(slot)
      if (this.#slots < this.#maxSlots && this.#bytes + bytes <= this.#maxBytes) return this.#find(bytes)
    }
    return undefined
  }

  #destroy(slot: Slot): void {
    native.destroySlot(slot.handle)
    this.#slots--
    this.#bytes -= slot.bytes
  }
}

/**
 * A step's right to one slot. Steps take their slots in their order, however long each one's reading takes, and a step
 * that must decode again keeps what it has: otherwise a later step could hold the memory that an earlier one needs.
 */
export class SlotClaim {
  readonly #ring: SlotRing
  readonly #before: Promise<void>
  /** Resolves once this step has its slot, or will never want one. */
  readonly settled: Promise<void>
  #settle: () => void = () => {}
  #slot: Slot | undefined

  constructor(ring: SlotRing, before: Promise<void>) {
    this.#ring = ring
    this.#before = before
    this.settled = new Promise((resolve) => {
      this.#settle = resolve
    })
  }

  /** What `take` can give at most. */
  get maxBytes(): number {
    return this.#ring.maxBytes
  }

  async take(bytes: number): Promise<Slot> {
    if (this.#slot === undefined) {
      await this.#before
      this.#slot = await this.#ring.take(bytes)
      this.#settle()
    } else this.#ring.grow(this.#slot, bytes)
    return this.#slot
  }

  /** Gives the slot back, if there is one; the next step may go on. Safe to call more than once. */
  drop(): void {
    this.#settle()
    if (this.#slot !== undefined) this.#ring.give(this.#slot)
    this.#slot = undefined
  }
}
