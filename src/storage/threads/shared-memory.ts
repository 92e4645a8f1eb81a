import { HeadraceError, throwIfAborted } from '../../errors.ts'
import { native, type SlotHandle } from '../../native.ts'
import type { Room } from './messages.ts'

/** Bytes of the smallest and of the largest room; each is twice as large as the one before. */
const SMALLEST = 4096
const ORDERS = 15
const SIZE = SMALLEST * 2 ** (ORDERS - 1)

/** 32 MiB: half of it, so that one large room never waits for all others. */
export const LARGEST_ROOM = SIZE / 2

interface Waiter {
  readonly order: number
  readonly length: number
  readonly resolve: (room: Room) => void
  readonly reject: (error: unknown) => void
  readonly signal: AbortSignal | undefined
  readonly onAbort: () => void
}

function orderOf(length: number): number {
  let order = 0
  while (SMALLEST * 2 ** order < length) order++
  return order
}

/**
 * Memory that every thread of a store sees at the same addresses: a slot of the addon of 64 MiB, of which the system
 * gives the pages that are written. Rooms are handed out of it by halving (buddies); where none is left, callers wait in
 * their order. What was used last is used first, since it may still be in the processor's cache.
 */
export class SharedMemory {
  readonly #slot: SlotHandle
  readonly #bytes: Uint8Array
  /** By which other threads lease it. */
  readonly number: number
  /** Beginnings of free rooms, by order. */
  readonly #free: readonly Set<number>[]
  #waiting: Waiter[] = []
  #closed = false

  /** E_LIMIT where there is no memory. */
  constructor() {
    try {
      this.#slot = native.createSlot(SIZE)
    } catch (cause) {
      throw new HeadraceError('E_LIMIT', `there is no memory for transfers by worker threads (${SIZE} bytes)`, {
        cause,
      })
    }
    this.number = native.shareSlot(this.#slot)
    this.#bytes = new Uint8Array(native.leaseSlot(this.#slot, SIZE))
    this.#free = Array.from({ length: ORDERS }, (_, order) => new Set(order === ORDERS - 1 ? [0] : []))
  }

  /** Up to LARGEST_ROOM bytes, with whatever an earlier user left in them. */
  take(length: number, signal: AbortSignal | undefined, doing: string): Room | Promise<Room> {
    throwIfAborted(signal, doing)
    if (this.#closed) throw closed()
    if (length === 0) return { at: 0, length }
    const order = orderOf(length)
    const at = this.#waiting.length === 0 ? this.#split(order) : undefined
    if (at !== undefined) return { at, length }
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        this.#waiting = this.#waiting.filter((each) => each !== waiter)
        reject(new HeadraceError('E_CANCELLED', `${doing} was cancelled`, { cause: signal?.reason }))
        this.#admit()
      }
      const waiter: Waiter = { order, length, resolve, reject, signal, onAbort }
      signal?.addEventListener('abort', onAbort, { once: true })
      this.#waiting.push(waiter)
    })
  }

  /** Nobody may touch it any more. */
  give({ at, length }: Room): void {
    if (length === 0 || this.#closed) return
    let order = orderOf(length)
    let begin = at
    for (; order < ORDERS - 1; order++) {
      const size = SMALLEST * 2 ** order
      const buddy = (begin / size) % 2 === 0 ? begin + size : begin - size
      if (!this.#free[order]?.delete(buddy)) break
      begin = Math.min(begin, buddy)
    }
    this.#free[order]?.add(begin)
    this.#admit()
  }

  bytes({ at, length }: Room): Uint8Array {
    return this.#bytes.subarray(at, at + length)
  }

  /** Once no thread uses it any more. Those who wait are E_STATE. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    for (const waiter of this.#waiting) {
      waiter.signal?.removeEventListener('abort', waiter.onAbort)
      waiter.reject(closed())
    }
    this.#waiting = []
    native.unshareSlot(this.number)
    native.detach(this.#bytes.buffer as ArrayBuffer)
    native.destroySlot(this.#slot)
  }

  #admit(): void {
    for (let waiter = this.#waiting[0]; waiter !== undefined; waiter = this.#waiting[0]) {
      const at = this.#split(waiter.order)
      if (at === undefined) return
      this.#waiting.shift()
      waiter.signal?.removeEventListener('abort', waiter.onAbort)
      waiter.resolve({ at, length: waiter.length })
    }
  }

  /** A free room of that order, halving a larger one if need be. */
  #split(order: number): number | undefined {
    let from = order
    while (from < ORDERS && this.#free[from]?.size === 0) from++
    const [at] = this.#free[from] ?? []
    if (at === undefined) return undefined
    this.#free[from]?.delete(at)
    while (from > order) this.#free[--from]?.add(at + SMALLEST * 2 ** from)
    return at
  }
}

function closed(): HeadraceError {
  return new HeadraceError('E_STATE', 'the store is closed')
}
