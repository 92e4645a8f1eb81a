import { show } from '../../checks.ts'
import { canHold, type DType, itemSize, viewOf } from '../../dtype.ts'
import { HeadraceError } from '../../errors.ts'
import { detectSchema, type LooseSample, type LooseValue } from '../field-types.ts'
import type { Field, Sample, Schema, Value } from '../types.ts'

/** Keys of the lines' objects, whose types the first lines tell, or a field for each. */
export type JsonFields = readonly string[] | Readonly<Record<string, Field>>

type JsonObject = Readonly<Record<string, unknown>>

const KINDS = ['string', 'number', 'tensor']

/** E_USAGE for what asks for no fields. */
export function checkJsonFields(fields: unknown): void {
  if (Array.isArray(fields) && fields.length > 0 && fields.every((name) => typeof name === 'string')) return
  const named = typeof fields === 'object' && fields !== null && !Array.isArray(fields) ? Object.entries(fields) : []
  if (named.length === 0)
    throw new HeadraceError('E_USAGE', `fields must be keys, or fields by key, but got ${show(fields)}`)
  for (const [name, field] of named as [string, Partial<Field>][]) {
    const typed = field?.kind === 'string' || field?.dtype !== undefined
    const shaped = field?.kind !== 'tensor' || Array.isArray(field.shape)
    if (!KINDS.includes(field?.kind ?? '') || !typed || !shaped)
      throw new HeadraceError(
        'E_USAGE',
        `fields: ${name} must be such as { kind: 'string' } or { kind: 'number', dtype: 'int64' }, but got ${show(field)}`,
        { field: name },
      )
    if (field.dtype === 'float16' || field.dtype === 'bfloat16')
      throw new HeadraceError('E_UNSUPPORTED', `fields: ${name}: numbers in text are not read as ${field.dtype}`, {
        field: name,
      })
  }
}

/** The object of a line. E_CORRUPT; the line itself is not quoted. */
export function parseLine(text: string, name: string): JsonObject {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new HeadraceError('E_CORRUPT', `${name} is not JSON`, { path: name, cause: error })
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as JsonObject
  throw new HeadraceError('E_CORRUPT', `${name} is JSON, but no object with keys`, { path: name })
}

function valueAt(object: JsonObject, key: string, name: string): unknown {
  if (Object.hasOwn(object, key)) return object[key]
  throw new HeadraceError('E_CORRUPT', `${name} has no key ${show(key)}`, { path: name, field: key })
}

/** Fields as the first lines have them: integers are int64, other numbers float64; lists and objects are text. */
export function detectJsonFields(names: readonly string[], objects: readonly JsonObject[], file: string): Schema {
  const samples = objects.map((object): LooseSample => {
    const values = names.map((key): [string, LooseValue] => {
      const value = valueAt(object, key, file)
      return [key, typeof value === 'object' && value !== null ? JSON.stringify(value) : (value as LooseValue)]
    })
    return Object.fromEntries(values)
  })
  return detectSchema(samples)
}

/** The wanted fields of a line. E_CORRUPT where one lacks or is of another type. */
export function readJsonFields(schema: Schema, names: readonly string[], text: string, name: string): Sample {
  const object = parseLine(text, name)
  const sample: Record<string, Value> = {}
  for (const key of names) sample[key] = valueAs(key, schema[key] as Field, valueAt(object, key, name), name)
  return sample
}

function valueAs(key: string, field: Field, value: unknown, name: string): Value {
  const refuse = (wanted: string): HeadraceError =>
    new HeadraceError('E_CORRUPT', `${name}: ${key} must be ${wanted}, but it is ${kindOf(value)}`, {
      path: name,
      field: key,
    })
  if (field.kind === 'string') {
    if (typeof value === 'string') return value
    if (typeof value === 'object' && value !== null) return JSON.stringify(value)
    throw refuse('a string, a list or an object')
  }
  const { dtype = 'float64', shape = [] } = field
  if (field.kind === 'number') return numberOf(value, dtype, refuse)
  const numbers: unknown[] = []
  if (!flatten(value, shape, 0, numbers)) throw refuse(`numbers of shape [${shape}]`)
  const out = viewOf(dtype, new ArrayBuffer(numbers.length * itemSize(dtype)), 0, numbers.length)
  numbers.forEach((number, i) => {
    out[i] = numberOf(number, dtype, refuse) as never
  })
  return new Uint8Array(out.buffer)
}

function kindOf(value: unknown): string {
  if (value === null || typeof value === 'number' || typeof value === 'boolean') return String(value)
  return Array.isArray(value) ? 'a list' : typeof value === 'string' ? 'a string' : 'an object'
}

function numberOf(value: unknown, dtype: DType, refuse: (wanted: string) => HeadraceError): number | bigint {
  const number = typeof value === 'boolean' ? Number(value) : value
  const isInteger = dtype !== 'float32' && dtype !== 'float64'
  // Beyond that the text's last digits are lost.
  const exact = !isInteger || Number.isSafeInteger(number)
  if (typeof number !== 'number' || !exact || !canHold(dtype, number)) throw refuse(`a number of ${dtype}`)
  return dtype === 'int64' || dtype === 'uint64' ? BigInt(number) : number
}

/** Lists within lists, of exactly these lengths. */
function flatten(value: unknown, shape: readonly number[], depth: number, out: unknown[]): boolean {
  if (depth === shape.length) {
    out.push(value)
    return true
  }
  if (!Array.isArray(value) || value.length !== shape[depth]) return false
  return value.every((each) => flatten(each, shape, depth + 1, out))
}
