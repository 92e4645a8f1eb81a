import { formatBytes } from '../bytes.ts'
import { HeadraceError } from '../errors.ts'
import { native, type SlotHandle } from '../native.ts'

/** Slots grow in steps of a huge page, so that batches of nearly the same size do not each want another one. */
const GROWTH = 2 ** 21
/** How often, and how long, memory is waited for that nobody is known to hold: ms. */
const RETRY = 2
const MAX_RETRY = 1000
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

/** Where the memory of slots comes from. */
export interface SlotMaker {
  /** undefined: there is no room for it before other slots are destroyed. */
  create(bytes: number): SlotHandle | undefined
  /**
   * A batch waits for memory, and all `slots` that there are are out. Said again whenever one comes back that does not
   * help. Who has this judges for itself whether its consumer holds too much.
   */
  full?(slots: number): void
}

/** A mapping of its own for every slot. */
export const OWN_SLOTS: SlotMaker = { create: (bytes) => native.createSlot(bytes) }

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
  readonly #maker: SlotMaker
  readonly #free: Slot[] = []
  readonly #waiting: Waiting[] = []
  #slots = 0
  #bytes = 0
  #closed = false
  #later: NodeJS.Timeout | undefined
  #tries = 0

  constructor(maxSlots: number, maxBytes: number, maker: SlotMaker = OWN_SLOTS) {
    this.#maxSlots = maxSlots
    this.#maxBytes = maxBytes
    this.#maker = maker
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

  get maxSlots(): number {
    return this.#maxSlots
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
    clearTimeout(this.#later)
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
      if (slot === undefined) {
        if (this.#slots > 0) this.#maker.full?.(this.#slots)
        else this.#serveLater()
        return
      }
      this.#waiting.shift()
      first.resolve(slot)
    }
  }

  /** A free slot that is large enough, or one more, or one that grows; undefined while the bounds do not allow it. */
  #find(bytes: number): Slot | undefined {
    const fitting = this.#free.findIndex((slot) => slot.bytes >= bytes)
    if (fitting >= 0) return this.#free.splice(fitting, 1)[0]
    // Too small ones make room: all free ones go if they must, one of them grows.
    for (;;) {
      const made = this.#make(bytes)
      if (made !== undefined) return made
      const slot = this.#free.pop()
      if (slot === undefined) break
      this.#destroy(slot)
    }
    return undefined
  }

  /** Memory of slots that were destroyed comes back when the last one who works on it is done, and V8 says so. */
  #serveLater(): void {
    if (this.#later !== undefined) return
    this.#later = setTimeout(() => {
      this.#later = undefined
      this.#tries++
      if (this.#tries * RETRY < MAX_RETRY || this.#slots > 0) return this.#serve()
      this.#tries = 0
      const reason = 'no room for a batch: work that was given up still holds the memory'
      this.#waiting.shift()?.reject(new HeadraceError('E_LIMIT', reason))
      this.#serve()
    }, RETRY)
  }

  #make(bytes: number): Slot | undefined {
    if (this.#slots >= this.#maxSlots || this.#bytes + bytes > this.#maxBytes) return undefined
    const handle = this.#maker.create(bytes)
    if (handle === undefined) return undefined
    this.#slots++
    this.#bytes += bytes
    this.#tries = 0
    return { handle, bytes }
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
  #hungry = false
  #bytes = 0

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

  /** What was asked for last; 0 before that. */
  get bytes(): number {
    return this.#bytes
  }

  /** Whether it waits for a slot that whoever has one must give back. */
  get hungry(): boolean {
    return this.#hungry
  }

  async take(bytes: number): Promise<Slot> {
    this.#bytes = bytes
    if (this.#slot === undefined) {
      await this.#before
      this.#hungry = true
      this.#slot = await this.#ring.take(bytes).finally(() => {
        this.#hungry = false
      })
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
