import { knownOptions } from '../checks.ts'
import { openDataset } from '../datasets/index.ts'
import type { DatasetSpec } from '../datasets/spec.ts'
import type { Dataset, Schema } from '../datasets/types.ts'
import { openImageCache } from '../vision/index.ts'

/** Opens a dataset from its spec; `cache` is an image cache: `{ kind: 'cache', path }`. */
export function openDatasetOf(spec: DatasetSpec): Promise<Dataset> {
  return openDataset(spec, {
    cache: async (options) => {
      knownOptions('cache', options, ['path'])
      return openImageCache<Schema>(options.path as string)
    },
  })
}
