import type { Tensor } from '../dtype.ts'
import { HeadraceError } from '../errors.ts'
import type { BatchMemory } from './batch-memory.ts'
import type { Batch, BatchMeta, FieldBatch } from './types.ts'

/** Memory of a batch: given back once, whoever asks first. */
export interface Lease {
  /** Whether the memory is still the batch's. */
  held(): boolean
  release(): void
}

export function makeLease(memory: BatchMemory, giveBack: () => void): Lease {
  let held = true
  return {
    held: () => held,
    release() {
      if (!held) return
      held = false
      memory.detach()
      giveBack()
    },
  }
}

/** Memory that nobody asks back. */
const OWN = { held: () => true, release() {} }

export function makeBatch(fields: Readonly<Record<string, FieldBatch>>, meta: BatchMeta, lease: Lease): Batch {
  return {
    ...fields,
    meta,
    copy() {
      if (!lease.held()) throw new HeadraceError('E_STATE', 'the batch is released: copy it before')
      const own = new Copies()
      const copied = Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, overCopies(value, own)]))
      return makeBatch(copied, { ...meta, index: overCopies(meta.index, own) }, OWN)
    },
    release: () => lease.release(),
    [Symbol.dispose]: () => lease.release(),
  } as Batch
}

type Viewable = ArrayBufferView & { readonly length: number; readonly constructor: unknown }

/** A copy of each buffer, made once. */
class Copies {
  readonly #made = new Map<ArrayBufferLike, ArrayBufferLike>()

  of(buffer: ArrayBufferLike): ArrayBufferLike {
    const copy = this.#made.get(buffer) ?? buffer.slice(0)
    this.#made.set(buffer, copy)
    return copy
  }
}

/** The same value with every view of a buffer made a view of its copy, at the same place. */
function overCopies<T extends FieldBatch | Tensor>(value: T, copies: Copies): T {
  if (Array.isArray(value)) return [...value] as unknown as T
  const entries = Object.entries(value).map(([name, part]) => {
    if (ArrayBuffer.isView(part)) {
      const { buffer, byteOffset, length, constructor: View } = part as unknown as Viewable
      const copy = copies.of(buffer)
      return [name, new (View as new (b: ArrayBufferLike, o: number, n: number) => unknown)(copy, byteOffset, length)]
    }
    if (typeof part === 'object' && part !== null && !Array.isArray(part))
      return [name, overCopies(part as FieldBatch, copies)]
    return [name, part]
  })
  return Object.fromEntries(entries) as T
}
