import { formatBytes } from '../bytes.ts'
import { HeadraceError } from '../errors.ts'
import type { SlotMaker } from '../loader/index.ts'
import { native, type SlabHandle } from '../native.ts'

/** Slots are multiples of this, a huge page. */
const STEP = 2 ** 21
/** Address space over what is used of it: a slot that grows finds a place whatever lies between the others. */
const ROOM = 2

/** The shared memory of one consumer. Slots are carved from it; the consumer has all of it. */
export class Slab {
  readonly handle: SlabHandle
  readonly bytes: number

  /** For slots of `ringBytes` together. E_LIMIT where the system gives no such memory. */
  constructor(ringBytes: number) {
    this.bytes = Math.ceil((ROOM * ringBytes) / STEP) * STEP
    try {
      this.handle = native.createSlab(this.bytes)
    } catch (cause) {
      const wanted = `ringBytes of ${formatBytes(ringBytes)}`
      throw new HeadraceError('E_LIMIT', `there is no shared memory for ${wanted}: ${(cause as Error).message}`, {
        hint: `a smaller ringBytes, or a higher limit on files (ulimit -f) and memory: it takes twice as much address space`,
        cause,
      })
    }
  }

  /** `full`: as of SlotMaker. */
  slots(full: (slots: number) => void): SlotMaker {
    return { create: (bytes) => native.carveSlot(this.handle, bytes), full }
  }

  /** Where a view's memory lies in it. */
  offset(view: ArrayBufferView): number {
    return native.slabOffset(this.handle, view)
  }

  /** Up to where a batch that ends at `end` may be mapped: few different sizes, whatever the batches are. */
  roundUp(begin: number, end: number): number {
    return Math.min(this.bytes, begin + Math.ceil((end - begin) / STEP) * STEP)
  }

  /**
   * Pages stay where they are, whatever becomes of the batches in them: a device that has pinned them would not see
   * others, and a consumer goes on to look at what it has when the connection is gone.
   */
  keepPages(): void {
    native.keepPages(this.handle)
  }

  destroy(): void {
    native.destroySlab(this.handle)
  }
}
