import type { Sample, Value } from '../../datasets/types.ts'
import { HeadraceError } from '../../errors.ts'
import type { BuildSource } from './build-source.ts'
import type { StoredValue } from './columns.ts'
import type { ImageIntake, TakenImage } from './intake.ts'

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
      /** Of pictures and bytes as the source had them, and as they are stored. */
      readonly sourceBytes: number
      readonly storedBytes: number
      /** Stored size of each image and bytes field. */
      readonly sizes: readonly (readonly [field: string, bytes: number])[]
      /** The types of the pictures that were encoded anew. */
      readonly reencoded: readonly string[]
    }
  | { readonly kind: 'fault'; readonly error: unknown }
)

function bytesOf(id: number, name: string, value: Value): Uint8Array {
  if (value instanceof Uint8Array) return value
  throw new HeadraceError('E_USAGE', `sample ${id}: field ${name} must be a Uint8Array, but got ${typeof value}`, { sample: id, field: name })
}

async function prepared(id: number, sample: Sample, source: BuildSource, intake: ImageIntake): Promise<PreparedSample> {
  const row: StoredValue[] = []
  const sizes: [string, number][] = []
  const reencoded: string[] = []
  let sourceBytes = 0
  let storedBytes = 0
  for (const [name, { kind }] of Object.entries(source.schema)) {
    const value = sample[name]
    if (value === undefined) throw new HeadraceError('E_USAGE', `sample ${id} has no field ${name}`, { sample: id, field: name })
    if (kind !== 'image' && kind !== 'bytes') {
      row.push(value)
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
    const taking = intake.take(bytes)
    const image: TakenImage = taking instanceof Promise ? await taking : taking
    row.push(image)
    sizes.push([name, image.bytes.length])
    storedBytes += image.bytes.length
    if (image.from !== undefined) reencoded.push(image.from)
  }
  return { id, kind: 'row', heldBytes: storedBytes, row, sourceBytes, storedBytes, sizes, reencoded }
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
