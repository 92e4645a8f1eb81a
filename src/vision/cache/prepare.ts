import { show } from '../../checks.ts'
import type { Field, Sample, Value } from '../../datasets/types.ts'
import { HeadraceError } from '../../errors.ts'
import type { BuildSource } from './build-source.ts'
import type { StoredValue } from './columns.ts'
import type { ImageIntake, TakenImage } from './intake.ts'
import { isFloat } from './layout.ts'

/** A sample on its way into the cache. */
export type PreparedSample = {
  readonly id: number
  /** Memory that it takes until it is written. */
  readonly heldBytes: number
} & (
  | {
      readonly kind: 'row'
      /** One value a field, in the order of the schema. */
      readonly row: readonly StoredValue[]
      /** Of pictures and bytes as the source had them. */
      readonly sourceBytes: number
      /** Stored size of each image and bytes field. */
      readonly sizes: readonly (readonly [field: string, bytes: number])[]
      /** The types of the pictures that were encoded anew. */
      readonly reencoded: readonly string[]
      /** Why pictures stay JPEG, of those that do although coefficients were to be packed. */
      readonly unpacked: readonly string[]
    }
  | { readonly kind: 'fault'; readonly error: unknown }
)

function refuse(sample: number, field: string, wanted: string, value: unknown): HeadraceError {
  return new HeadraceError('E_USAGE', `sample ${sample}: field ${field} must be ${wanted}, but got ${show(value)}`, {
    sample,
    field,
  })
}

function bytesOf(id: number, name: string, value: Value): Uint8Array {
  if (value instanceof Uint8Array) return value
  throw refuse(id, name, 'a Uint8Array', value)
}

/** Of Node 20's strings; the library of ES2023 does not know it. */
interface WellFormed {
  isWellFormed(): boolean
}

/** A string, or a number as it is stored: float64, or an int64 as bigint. */
function scalarOf(id: number, name: string, field: Field, value: Value): string | number | bigint {
  if (field.kind === 'string') {
    if (typeof value !== 'string') throw refuse(id, name, 'a string', value)
    // in UTF-8 it would become another string
    if ((value as string & WellFormed).isWellFormed()) return value
    throw refuse(id, name, 'well-formed text (it has half of a surrogate pair)', value)
  }
  if (isFloat(field)) {
    if (typeof value === 'number') return value
    throw refuse(id, name, 'a number', value)
  }
  if (typeof value === 'bigint' && BigInt.asIntN(64, value) === value) return value
  if (typeof value === 'number' && Number.isSafeInteger(value)) return BigInt(value)
  throw refuse(id, name, 'an integer that fits into an int64', value)
}

async function prepared(id: number, sample: Sample, source: BuildSource, intake: ImageIntake): Promise<PreparedSample> {
  const row: StoredValue[] = []
  const sizes: [string, number][] = []
  const reencoded: string[] = []
  const unpacked: string[] = []
  let sourceBytes = 0
  let storedBytes = 0
  for (const [name, field] of Object.entries(source.schema)) {
    const { kind } = field
    const value = sample[name]
    if (value === undefined)
      throw new HeadraceError('E_USAGE', `sample ${id} has no field ${name}`, { sample: id, field: name })
    if (kind !== 'image' && kind !== 'bytes') {
      row.push(scalarOf(id, name, field, value))
      storedBytes += typeof value === 'string' ? value.length : 8
      continue
    }
    const bytes = bytesOf(id, name, value)
    sourceBytes += bytes.length
    if (kind === 'bytes') {
      row.push(bytes)
      sizes.push([name, bytes.length])
      storedBytes += bytes.length
      continue
    }
    const taking = intake.take(name, bytes)
    const image: TakenImage = taking instanceof Promise ? await taking : taking
    row.push(image)
    sizes.push([name, image.bytes.length])
    storedBytes += image.bytes.length
    if (image.from !== undefined) reencoded.push(image.from)
    if (image.unpacked !== undefined) unpacked.push(image.unpacked)
  }
  return { id, kind: 'row', heldBytes: storedBytes, row, sourceBytes, sizes, reencoded, unpacked }
}

/** Waits for a sample and makes it ready to be stored. Never rejects: a failure is a 'fault', in its sample's place. */
export async function prepareSample(
  id: number,
  arriving: Promise<Sample | undefined>,
  source: BuildSource,
  intake: ImageIntake,
): Promise<PreparedSample | undefined> {
  try {
    const sample = await arriving
    return sample === undefined ? undefined : await prepared(id, sample, source, intake)
  } catch (error) {
    return { id, kind: 'fault', heldBytes: 0, error }
  }
}
