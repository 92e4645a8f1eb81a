import type { DType } from '../../dtype.ts'

/** The values from `from` to `to` of a block as pages hold them: small integers as 32-bit ones. Memory of its own. */
export function storedValues(dtype: DType, block: Uint8Array, from: number, to: number): Uint8Array {
  const { buffer, byteOffset, byteLength } = block
  switch (dtype) {
    case 'uint8':
      return widened(block.subarray(from, to))
    case 'int8':
      return widened(new Int8Array(buffer, byteOffset, byteLength).subarray(from, to))
    case 'uint16':
      return widened(new Uint16Array(buffer, byteOffset, byteLength >> 1).subarray(from, to))
    case 'int16':
      return widened(new Int16Array(buffer, byteOffset, byteLength >> 1).subarray(from, to))
    default: {
      const bytes = byteLengthOf(dtype)
      return block.slice(from * bytes, to * bytes)
    }
  }
}

function widened(values: Uint8Array | Int8Array | Uint16Array | Int16Array): Uint8Array {
  return new Uint8Array(Int32Array.from(values).buffer)
}

function byteLengthOf(dtype: DType): number {
  if (dtype === 'bool') return 1
  if (dtype === 'float16') return 2
  return dtype.endsWith('64') ? 8 : 4
}
