import { native, type SlotHandle } from '../native.ts'

/**
 * V8 collects for every ArrayBuffer that is larger than this (64 MiB), which costs as much as decoding a hundred small
 * pictures. A larger batch gets several, as far as its parts are smaller.
 */
const WHOLE_BYTES = 2 ** 26

/** The memory of one batch, seen by JavaScript until it is given back. */
export class BatchMemory {
  readonly #starts: readonly number[]
  readonly #buffers: readonly ArrayBuffer[]

  private constructor(starts: readonly number[], buffers: readonly ArrayBuffer[]) {
    this.#starts = starts
    this.#buffers = buffers
  }

  /** The slot's first `bytes` bytes. `cuts`: where they may be cut, in ascending order, between 0 and `bytes`. */
  static lease(slot: SlotHandle, bytes: number, cuts: readonly number[]): BatchMemory {
    const starts =
      bytes > WHOLE_BYTES ? [0, ...cuts.filter((cut, i) => cut > 0 && cut < bytes && cut !== cuts[i - 1])] : [0]
    return new BatchMemory(starts, native.leaseSlotParts(slot, bytes, starts))
  }

  /** Where byte `offset` of the memory lies; what lies between two cuts lies in one buffer. */
  at(offset: number): { readonly buffer: ArrayBuffer; readonly offset: number } {
    let part = this.#starts.length - 1
    while (part > 0 && (this.#starts[part] as number) > offset) part--
    return { buffer: this.#buffers[part] as ArrayBuffer, offset: offset - (this.#starts[part] as number) }
  }

  /** Takes the memory away: every view of it becomes empty. */
  detach(): void {
    for (const buffer of this.#buffers) native.detach(buffer)
  }
}
