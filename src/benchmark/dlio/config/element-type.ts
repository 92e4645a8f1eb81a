import type { DType } from '../../../dtype.ts'
import type { Section } from './section.ts'

/** NumPy's names of types, and ours. */
export const ELEMENT_TYPES: Readonly<Record<string, DType>> = {
  uint8: 'uint8',
  u1: 'uint8',
  ubyte: 'uint8',
  int8: 'int8',
  i1: 'int8',
  byte: 'int8',
  uint16: 'uint16',
  u2: 'uint16',
  int16: 'int16',
  i2: 'int16',
  uint32: 'uint32',
  u4: 'uint32',
  int32: 'int32',
  i4: 'int32',
  uint64: 'uint64',
  u8: 'uint64',
  int64: 'int64',
  i8: 'int64',
  int: 'int64',
  float16: 'float16',
  f2: 'float16',
  half: 'float16',
  float32: 'float32',
  f4: 'float32',
  single: 'float32',
  float64: 'float64',
  f8: 'float64',
  float: 'float64',
  double: 'float64',
  bool: 'bool',
}
export const ELEMENT_NAMES = Object.keys(ELEMENT_TYPES)

export function elementType(section: Section, name: string): DType {
  const found = section.choice(name, 'uint8', ELEMENT_NAMES)
  return ELEMENT_TYPES[found] ?? 'uint8'
}
