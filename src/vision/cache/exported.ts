import type { Sample, Schema, Value } from '../../datasets/types.ts'
import { HeadraceError } from '../../errors.ts'
import type { ImageCache } from './image-cache.ts'
import type { BuildSettings } from './options.ts'
import { unpacked } from './packing.ts'

type Rules = Pick<BuildSettings, 'maxPixels' | 'workers'>

/** The picture of a sample of a cache as an image file: the JPEG that was stored, or that its coefficients make. */
export async function exportedPicture(
  cache: ImageCache<Schema>,
  field: string,
  stored: Uint8Array,
  rules: Rules,
): Promise<Uint8Array> {
  const encoding = cache.encodingOf(field)
  if (encoding === 'jpeg') return stored
  if (encoding === 'dct') return unpacked(stored, cache.frequenciesOf(field), rules)
  throw new HeadraceError('E_UNSUPPORTED', `field ${field} is stored as ${encoding}, which has no image files`, {
    field,
  })
}

/** A sample of a cache with its pictures as image files. */
export async function exportedSample(cache: ImageCache, id: number, sample: Sample, rules: Rules): Promise<Sample> {
  const values = Object.entries(sample).map(async ([name, value]): Promise<[string, Value]> => {
    if (!(value instanceof Uint8Array) || cache.encodingOf(name) === undefined) return [name, value]
    try {
      return [name, await exportedPicture(cache, name, value, rules)]
    } catch (error) {
      if (!(error instanceof HeadraceError)) throw error
      throw new HeadraceError(error.code, `${cache.describe(id)}: ${error.message}`, {
        ...error.details,
        sample: id,
        field: name,
      })
    }
  })
  return Object.fromEntries(await Promise.all(values))
}
