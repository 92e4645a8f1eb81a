import type { Tensor } from '../dtype.ts'
import { HeadraceError } from '../errors.ts'
import { native } from '../native.ts'
import type { Batch, BatchMeta, FieldBatch } from './types.ts'

/** Memory of a batch: given back once, whoever asks first. */
export interface Lease {
  readonly buffer: ArrayBuffer
  /** Whether the memory is still the batch's. */
  held(): boolean
  release(): void
}

export function makeLease(buffer: ArrayBuffer, giveBack: () => void): Lease {
  let held = true
  return {
    buffer,
    held: () => held,
    release() {
      if (!held) return
      held = false
      native.detach(buffer)
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
      const own = lease.buffer.slice(0)
      const copied = Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, overBuffer(value, own)]))
      return makeBatch(copied, { ...meta, index: overBuffer(meta.index, own) }, { ...OWN, buffer: own })
    },
    release: () => lease.release(),
    [Symbol.dispose]: () => lease.release(),
  } as Batch
}

type Viewable = ArrayBufferView & { readonly length: number; readonly constructor: unknown }

/** The same value with every view of the old buffer made a view of the new one, at the same place. */
function overBuffer<T extends FieldBatch | Tensor>(value: T, buffer: ArrayBuffer): T {
  if (Array.isArray(value)) return [...value] as unknown as T
  const entries = Object.entries(value).map(([name, part]) => {
    if (ArrayBuffer.isView(part)) {
      const { byteOffset, length, constructor: View } = part as unknown as Viewable
      return [name, new (View as new (b: ArrayBuffer, o: number, n: number) => unknown)(buffer, byteOffset, length)]
    }
    if (typeof part === 'object' && part !== null && !Array.isArray(part))
      return [name, overBuffer(part as FieldBatch, buffer)]
    return [name, part]
  })
  return Object.fromEntries(entries) as T
}
