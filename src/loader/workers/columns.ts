import type { Sample, Value } from '../../datasets/types.ts'
import type { Column } from './messages.ts'

/**
 * Samples by column, to go to another thread: a message that holds a view takes the view's whole memory with it, so
 * bytes are put together first, in memory that goes over without a copy.
 */
export function packColumns(
  samples: readonly (Sample | undefined)[],
  fields: readonly string[],
): { readonly columns: readonly Column[]; readonly bytes: ArrayBuffer } {
  const pieces: Uint8Array[] = []
  let total = 0
  const columns = fields.map((name) => {
    const lengths = new Float64Array(samples.length).fill(-1)
    const values = samples.map((sample, row): unknown => {
      // What is no sample is for the other side to say.
      const value: unknown = typeof sample === 'object' && sample !== null ? sample[name] : undefined
      if (!(value instanceof Uint8Array)) return value
      lengths[row] = value.length
      total += value.length
      pieces.push(value)
      return undefined
    })
    return { name, values, lengths }
  })
  const bytes = new Uint8Array(Buffer.allocUnsafeSlow(total).buffer)
  let at = 0
  for (const piece of pieces) {
    bytes.set(piece, at)
    at += piece.length
  }
  return { columns, bytes: bytes.buffer as ArrayBuffer }
}

export function unpackColumns(columns: readonly Column[], bytes: ArrayBuffer, rows: number): Sample[] {
  const samples: Record<string, Value>[] = Array.from({ length: rows }, () => ({}))
  let at = 0
  for (const { name, values, lengths } of columns)
    for (const [row, sample] of samples.entries()) {
      const length = lengths[row] as number
      if (length < 0) {
        sample[name] = values[row] as Value
        continue
      }
      sample[name] = new Uint8Array(bytes, at, length)
      at += length
    }
  return samples
}
