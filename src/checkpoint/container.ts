import { tensorBytes } from './tensors.ts'
import type { CheckpointFile, TensorType } from './types.ts'

/** The layout of a checkpoint's file: docs/formats/checkpoint.md. */

/** Tensors begin at a multiple of this, so that they are written and read around the page cache as they lie: bytes. */
const ALIGNMENT = 4096
/** Of the number before the header: bytes. */
const PREFIX = 8

const NAMES: Readonly<Record<TensorType, string>> = {
  fp16: 'F16',
  bf16: 'BF16',
  fp32: 'F32',
  fp64: 'F64',
  int8: 'I8',
  uint8: 'U8',
}

/** What comes before the tensors: the length of the header, and the header; nothing in TensorFlow's files. */
export function headerOf({ tensors, layout }: CheckpointFile): Uint8Array {
  if (layout === 'bundle') return new Uint8Array(0)
  let end = 0
  const entries = tensors.map((tensor) => {
    const begin = end
    end += tensorBytes(tensor)
    const { name, dtype, shape } = tensor
    return [name, { dtype: NAMES[dtype], shape, data_offsets: [begin, end] }] as const
  })
  // As text piece by piece: in an object, names that are numbers would change their order.
  const members = entries.map(([name, entry]) => `${JSON.stringify(name)}:${JSON.stringify(entry)}`)
  const json = new TextEncoder().encode(`{${members.join(',')}}`)
  const header = new Uint8Array(Math.ceil((PREFIX + json.length) / ALIGNMENT) * ALIGNMENT).fill(0x20)
  new DataView(header.buffer).setBigUint64(0, BigInt(header.length - PREFIX), true)
  header.set(json, PREFIX)
  return header
}
