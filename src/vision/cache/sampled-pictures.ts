import type { Dataset, Field, Sample, Schema } from '../../datasets/types.ts'
import { HeadraceError } from '../../errors.ts'
import { spreadEvenly } from '../../sampling/spread.ts'
import { openBuildSource } from './build-source.ts'
import { buildSettings } from './options.ts'

/** Some pictures of a folder or a cache, as image files; the only field is `image`. */
export interface SampledPictures extends Dataset<{ readonly image: Field<'image'> }> {
  readonly length: number
  /** Samples of the source. */
  readonly total: number
}

/**
 * `count` pictures spread evenly over a folder of pictures or a cache: the same ones every time. Of several image
 * fields the first one counts. E_USAGE where there is none.
 */
export async function samplePictures(
  path: string,
  count: number,
  signal: AbortSignal | undefined,
): Promise<SampledPictures> {
  const source = await openBuildSource(path, buildSettings(signal ? { signal } : {}))
  try {
    const { length: total = 0, sample } = source
    const field = imageField(path, source.schema)
    const ids = spreadEvenly(total, count)
    return {
      total,
      length: ids.length,
      schema: { image: { kind: 'image' } },
      fingerprint: `${ids.length} of ${total} of ${source.fingerprint}`,
      describe: (id) => source.describe(ids[id] ?? id),
      async read(id): Promise<Sample> {
        const value = await sample?.(ids[id] ?? id)
        return { image: value?.[field] ?? new Uint8Array(0) }
      },
      close: () => source.close(),
    }
  } catch (error) {
    await source.close()
    throw error
  }
}

function imageField(path: string, schema: Schema): string {
  const field = Object.entries(schema).find(([, { kind }]) => kind === 'image')?.[0]
  if (field !== undefined) return field
  throw new HeadraceError('E_USAGE', `${path} has no image field: its fields are ${Object.keys(schema).join(', ')}`, {
    path,
  })
}
