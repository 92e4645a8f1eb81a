import { show } from '../../checks.ts'
import { canHold, type DType, itemSize, viewOf } from '../../dtype.ts'
import { HeadraceError } from '../../errors.ts'
import { imageType } from '../../formats/image-type.ts'
import { type Feature, parseExample } from '../../formats/tfrecord/example.ts'
import { bytesValues, floatValues, integerValues } from '../../formats/tfrecord/values.ts'
import type { Field, Sample, Schema, Value } from '../types.ts'

/** Names of features, whose types the first record tells, or a field for each. */
export type Features = readonly string[] | Readonly<Record<string, Field>>

const KINDS = ['image', 'bytes', 'string', 'number', 'tensor']

/** E_USAGE for what asks for no features. */
export function checkFeatures(features: unknown): void {
  if (
    Array.isArray(features) &&
    features.length > 0 &&
    features.every((name) => typeof name === 'string' && name !== '')
  )
    return
  const fields = typeof features === 'object' && features !== null && !Array.isArray(features) ? features : undefined
  if (fields === undefined || Object.keys(fields).length === 0)
    throw new HeadraceError('E_USAGE', `features must be names, or fields by name, but got ${show(features)}`)
  for (const [name, field] of Object.entries(fields as Record<string, Partial<Field>>)) {
    const typed = field?.kind !== 'number' && field?.kind !== 'tensor' ? true : field.dtype !== undefined
    const shaped = field?.kind !== 'tensor' || Array.isArray(field.shape)
    if (!KINDS.includes(field?.kind ?? '') || !typed || !shaped)
      throw new HeadraceError(
        'E_USAGE',
        `features: ${name} must be a field such as { kind: 'number', dtype: 'int64' }, but got ${show(field)}`,
      )
  }
}

function lacks(file: string, name: string, features: readonly Feature[]): HeadraceError {
  const there = features.map((feature) => feature.name).join(', ') || 'none'
  return new HeadraceError('E_CORRUPT', `${file}: a record has no feature ${show(name)}; it has ${there}`, {
    path: file,
    field: name,
  })
}

/** Fields as the first record has them: one value is a number, several are a tensor, bytes are a picture if they are one. */
export function detectFeatures(names: readonly string[], message: Uint8Array, file: string): Schema {
  const features = parseExample(message, file, 0)
  return Object.fromEntries(
    names.map((name): [string, Field] => {
      const feature = features.find((each) => each.name === name)
      if (feature === undefined) throw lacks(file, name, features)
      if (feature.kind === 'float' || feature.kind === 'int64') {
        const dtype = feature.kind === 'float' ? 'float32' : 'int64'
        return [
          name,
          feature.count === 1 ? { kind: 'number', dtype } : { kind: 'tensor', dtype, shape: [feature.count] },
        ]
      }
      const first = message.subarray(feature.start, feature.start + feature.length)
      return [name, { kind: imageType(first) === undefined ? 'bytes' : 'image' }]
    }),
  )
}

/** The wanted fields of a record. E_CORRUPT where one lacks or is of another type or number. */
export function readFeatures(schema: Schema, names: readonly string[], message: Uint8Array, file: string): Sample {
  const features = parseExample(message, file, 0)
  const found = new Map(features.map((feature) => [feature.name, feature]))
  return Object.fromEntries(
    names.map((name): [string, Value] => {
      const feature = found.get(name)
      if (feature === undefined) throw lacks(file, name, features)
      return [name, valueIn(name, schema[name] as Field, feature, message, file)]
    }),
  )
}

function valueIn(name: string, field: Field, feature: Feature, message: Uint8Array, file: string): Value {
  const refuse = (what: string): HeadraceError =>
    new HeadraceError('E_CORRUPT', `${file}: feature ${show(name)} is ${what}`, {
      path: file,
      field: name,
      hint: 'the option features says which types and shapes are meant',
    })
  if (feature.kind === 'bytes') return fromBytes(field, bytesValues(message, feature, file), refuse)
  if (feature.kind === 'none') throw refuse('empty')
  const values = feature.kind === 'float' ? floatValues(message, feature, file) : integerValues(message, feature, file)
  if (field.kind === 'bytes') return new Uint8Array(values.buffer)
  if (field.kind === 'image' || field.kind === 'string') throw refuse(`a list of ${feature.kind}, not of bytes`)
  const { dtype = feature.kind === 'float' ? 'float32' : 'int64' } = field
  const wanted = field.kind === 'number' ? 1 : elements(field)
  if (values.length !== wanted) throw refuse(`${values.length} values, not ${wanted}`)
  if (field.kind === 'number') return converted(dtype, values, refuse)[0] as number | bigint
  const made = converted(dtype, values, refuse)
  return new Uint8Array(made.buffer, made.byteOffset, made.byteLength)
}

function elements({ shape = [] }: Field): number {
  return shape.reduce((product, axis) => product * axis, 1)
}

function fromBytes(field: Field, values: readonly Uint8Array[], refuse: (what: string) => HeadraceError): Value {
  const [first] = values
  if (values.length !== 1 || first === undefined) throw refuse(`${values.length} values of bytes, not 1`)
  if (field.kind === 'string') return Buffer.from(first.buffer, first.byteOffset, first.length).toString('utf8')
  if (field.kind === 'number') throw refuse('bytes, not a number')
  if (field.kind === 'tensor') {
    const bytes = elements(field) * itemSize(field.dtype ?? 'uint8')
    if (first.length !== bytes) throw refuse(`${first.length} bytes, not ${bytes}`)
  }
  return first
}

/** Values as another type, where it holds them. */
function converted(
  dtype: DType,
  values: Float32Array | BigInt64Array,
  refuse: (what: string) => HeadraceError,
): Exclude<ReturnType<typeof viewOf>, never> {
  if (values instanceof Float32Array ? dtype === 'float32' : dtype === 'int64') return values
  const out = viewOf(dtype, new ArrayBuffer(values.length * itemSize(dtype)), 0, values.length)
  if (dtype === 'float16' || dtype === 'bfloat16' || (values instanceof Float32Array && dtype !== 'float64'))
    throw refuse(`${values instanceof Float32Array ? 'floats' : 'integers'}, which are not read as ${dtype}`)
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number | bigint
    if (!canHold(dtype, value)) throw refuse(`${value}, which ${dtype} does not hold`)
    if (out instanceof BigUint64Array || out instanceof BigInt64Array) out[i] = BigInt(value)
    else out[i] = Number(value)
  }
  return out
}
