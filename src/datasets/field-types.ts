import { show } from '../checks.ts'
import { HeadraceError } from '../errors.ts'
import { imageType } from '../formats/image-type.ts'
import type { Field, Schema, Value } from './types.ts'

/** What a person may hand over as one value of a sample. */
export type LooseValue = Value | boolean
export type LooseSample = Readonly<Record<string, LooseValue>>

const IMAGE: Field = { kind: 'image' }
const BYTES: Field = { kind: 'bytes' }
const STRING: Field = { kind: 'string' }
const INT64: Field = { kind: 'number', dtype: 'int64' }
const FLOAT64: Field = { kind: 'number', dtype: 'float64' }

const INT64_MIN = -(2n ** 63n)
const INT64_MAX = 2n ** 63n - 1n

function typeOf(value: unknown): string {
  if (value instanceof Uint8Array) return imageType(value) === undefined ? 'bytes' : 'image'
  if (typeof value === 'number') return Number.isSafeInteger(value) ? 'integer' : 'number'
  if (typeof value === 'boolean' || typeof value === 'bigint') return 'integer'
  return typeof value === 'string' ? 'string' : show(value)
}

export function missingField(sample: number, field: string): HeadraceError {
  return new HeadraceError('E_USAGE', `sample ${sample} has no field ${show(field)}`, { sample, field })
}

function detectField(name: string, values: readonly unknown[]): Field {
  const types = values.map(typeOf)
  const all = (...allowed: readonly string[]): boolean => types.every((type) => allowed.includes(type))
  // damaged pictures among the first must not turn the whole field into plain bytes: they are bad samples
  if (all('image', 'bytes')) return types.includes('image') ? IMAGE : BYTES
  if (all('string')) return STRING
  if (all('integer')) return INT64
  if (all('integer', 'number')) return FLOAT64
  const odd = types.findIndex((type) => type !== types[0])
  const which = Math.max(odd, 0)
  const got = odd < 0 ? types[0] : `${types[odd]} after ${types[0]}`
  throw new HeadraceError(
    'E_USAGE',
    `sample ${which}: field ${name} must hold a Uint8Array, a string or a number, but got ${got}`,
    {
      sample: which,
      field: name,
    },
  )
}

/**
 * The schema of samples like these: Uint8Arrays are an image field where any of them starts like a picture, else bytes; integers (also boolean and bigint) are int64, numbers that are not all integers float64.
 */
export function detectSchema(samples: readonly LooseSample[]): Schema {
  const names = Object.keys(samples[0] ?? {})
  if (names.length === 0) throw new HeadraceError('E_USAGE', 'sample 0 has no fields')
  for (const name of names) {
    const without = samples.findIndex((sample) => !Object.hasOwn(sample, name))
    if (without >= 0) throw missingField(without, name)
  }
  return Object.fromEntries(
    names.map((name) => [
      name,
      detectField(
        name,
        samples.map((sample) => sample[name]),
      ),
    ]),
  )
}

function refuse(sample: number, field: string, wanted: string, got: string): HeadraceError {
  return new HeadraceError('E_USAGE', `sample ${sample}: field ${field} must be ${wanted}, but got ${got}`, {
    sample,
    field,
  })
}

function checkedInteger(id: number, name: string, value: unknown): bigint {
  if (typeof value === 'boolean') return value ? 1n : 0n
  if (typeof value === 'number' && Number.isSafeInteger(value)) return BigInt(value)
  if (typeof value === 'bigint') {
    if (value >= INT64_MIN && value <= INT64_MAX) return value
    throw refuse(id, name, 'an int64', `${value}n`)
  }
  const after = typeof value === 'number' ? ' (the first samples had integers only)' : ''
  throw refuse(id, name, 'an integer', `${show(value)}${after}`)
}

function checkedFloat(id: number, name: string, value: unknown): number {
  if (typeof value === 'number') return value
  if (typeof value === 'boolean') return Number(value)
  if (typeof value === 'bigint' && BigInt(Number(value)) === value) return Number(value)
  throw refuse(id, name, 'a number', show(value))
}

/** The value as a dataset of this field delivers it. E_USAGE with sample, field, what is wanted and what came. */
export function checkedValue(id: number, name: string, field: Field, value: unknown): Value {
  switch (field.kind) {
    case 'image':
    case 'bytes':
    case 'tensor':
      if (value instanceof Uint8Array) return value
      throw refuse(id, name, 'a Uint8Array', show(value))
    case 'string':
      if (typeof value === 'string') return value
      throw refuse(id, name, 'a string', show(value))
    case 'number':
      return field.dtype === 'int64' ? checkedInteger(id, name, value) : checkedFloat(id, name, value)
  }
}
