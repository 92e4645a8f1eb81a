import type { DType } from '../../dtype.ts'
import { HeadraceError } from '../../errors.ts'
import type { ColumnData } from '../../formats/parquet/column-data.ts'
import type { Value } from '../types.ts'
import type { ColumnField } from './fields.ts'

/** What becomes of null: an error of its sample, or 0, NaN, '' and no bytes. */
export type Nulls = 'refuse' | 'fill'

/** A row's value of a column. */
export function valueAt({ name, field, facts }: ColumnField, column: ColumnData, row: number, nulls: Nulls): Value {
  const { bytes, rowBytes, rowStarts } = column
  const isNull = column.nulls?.[row] === 1
  if (isNull && nulls === 'refuse')
    throw new HeadraceError('E_UNSUPPORTED', `column ${name} is null`, {
      field: name,
      hint: "nulls: 'fill' makes 0, NaN or nothing of it",
    })
  const from = rowBytes === undefined ? (rowStarts?.[row] ?? 0) : row * rowBytes
  const to = rowBytes === undefined ? (rowStarts?.[row + 1] ?? from) : from + rowBytes
  switch (field.kind) {
    case 'number':
      return numberAt(field.dtype ?? 'int64', bytes, from, isNull)
    case 'string':
      return Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString('utf8')
    case 'tensor': {
      const wanted = (facts.size ?? 1) * facts.valueBytes
      // A null list has no values; one that is shorter than all others makes some other one longer.
      if (isNull && to - from === 0) return new Uint8Array(wanted)
      if (to - from !== wanted)
        throw new HeadraceError('E_CORRUPT', `column ${name} has ${to - from} bytes, not ${wanted}`, {
          field: name,
          hint: 'its lists differ in length',
        })
      return bytes.slice(from, to)
    }
    default:
      return bytes.slice(from, to)
  }
}

function numberAt(dtype: DType, bytes: Uint8Array, at: number, isNull: boolean): number | bigint {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  switch (dtype) {
    case 'float32':
      return isNull ? Number.NaN : view.getFloat32(at, true)
    case 'float64':
      return isNull ? Number.NaN : view.getFloat64(at, true)
    case 'int64':
      return view.getBigInt64(at, true)
    case 'uint64':
      return view.getBigUint64(at, true)
    case 'int32':
      return view.getInt32(at, true)
    case 'uint32':
      return view.getUint32(at, true)
    case 'int16':
      return view.getInt16(at, true)
    case 'uint16':
      return view.getUint16(at, true)
    case 'int8':
      return view.getInt8(at)
    default:
      return view.getUint8(at)
  }
}
