import { show } from '../checks.ts'
import type { Field, Sample } from '../datasets/types.ts'
import { canHold, integersOf } from '../dtype.ts'

/** Why a sample that was read does not hold what the schema says of a field; undefined: it does. */
export function valueFault(sample: Sample, name: string, field: Field | undefined): string | undefined {
  if (typeof sample !== 'object' || sample === null) return `read must give a sample, but gave ${show(sample)}`
  const value: unknown = sample[name]
  if (value === undefined || value === null) return `the sample has no value of ${name}`
  const wanted = wantedBy(value, field)
  return wanted === undefined ? undefined : `${name} must hold ${wanted}, but got ${show(value)}`
}

function wantedBy(value: unknown, field: Field | undefined): string | undefined {
  switch (field?.kind) {
    case 'image':
    case 'bytes':
    case 'tensor':
      return value instanceof Uint8Array ? undefined : 'a Uint8Array'
    case 'string':
      return typeof value === 'string' ? undefined : 'a string'
    default: {
      const dtype = field?.dtype ?? 'float64'
      if ((typeof value === 'bigint' || typeof value === 'number') && canHold(dtype, value)) return undefined
      const integers = integersOf(dtype)
      return integers === undefined ? 'a number' : `an integer from ${integers[0]} to ${integers[1]} (${dtype})`
    }
  }
}
