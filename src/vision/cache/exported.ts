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
  checkExported(cache, [field])
  return cache.encodingOf(field) === 'dct' ? unpacked(stored, cache.frequenciesOf(field), rules) : stored
}

/** E_UNSUPPORTED where one of the fields holds pictures of which no image files can be made. */
export function checkExported(cache: ImageCache<Schema>, fields: readonly string[]): void {
  const field = fields.find((name) => cache.encodingOf(name) === 'yuv420')
  if (field === undefined) return
  const message = `${cache.path}: field ${field} is stored as planes of YUV 4:2:0, of which no image files can be made`
  const hint = 'go back to the source that the cache was built from'
  throw new HeadraceError('E_UNSUPPORTED', message, { path: cache.path, field, hint })
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
