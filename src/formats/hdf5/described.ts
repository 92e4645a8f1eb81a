import type { DType } from '../../dtype.ts'
import type { DescribedDataSet } from './library/messages.ts'

/** H5T_class_t of libhdf5. */
const INTEGER = 0
const FLOAT = 1
const ENUM = 8

/** The element type of a data set that libhdf5 describes; undefined for what is none of ours. */
export function dtypeOfDescribed({ type, signed, itemBytes, names }: DescribedDataSet): DType | undefined {
  const bits = itemBytes * 8
  if (type === ENUM) return itemBytes === 1 && names.toSorted().join(' ') === 'FALSE TRUE' ? 'bool' : undefined
  if (type === FLOAT) return bits === 16 || bits === 32 || bits === 64 ? `float${bits}` : undefined
  if (type !== INTEGER || ![8, 16, 32, 64].includes(bits)) return undefined
  return `${signed ? 'int' : 'uint'}${bits as 8 | 16 | 32 | 64}`
}
