import type { Dataset } from '../../datasets/types.ts'
import { HeadraceError } from '../../errors.ts'
import { type ImageCacheInfo, imageCacheInfo, openImageCache } from '../../vision/index.ts'

/** An open cache, and what of it is loaded. */
export interface MeasuredCache {
  readonly dataset: Dataset
  readonly info: ImageCacheInfo
  /** What a report says of it. */
  readonly facts: Pick<ImageCacheInfo, 'encoding' | 'images' | 'bytes'>
  /** Pictures and numbers: what a training step takes, and what the peers deliver. Strings are left out. */
  readonly fields: readonly string[]
  /** The first image field: batch shapes are of this one. */
  readonly image: string
  dropPages(): void
  residentShare(): number
  close(): Promise<void>
}

/** E_USAGE where there is no image field. */
export async function openMeasured(path: string): Promise<MeasuredCache> {
  const info = await imageCacheInfo(path)
  const kinds = Object.entries(info.fields)
  const image = kinds.find(([, { kind }]) => kind === 'image')?.[0]
  if (image === undefined)
    throw new HeadraceError(
      'E_USAGE',
      `${path} has no image field: its fields are ${kinds.map(([name]) => name).join(', ')}`,
      { path },
    )
  const cache = await openImageCache(path)
  return {
    dataset: cache,
    info,
    facts: { encoding: info.encoding, images: info.images, bytes: info.bytes },
    fields: kinds.filter(([, { kind }]) => kind !== 'string').map(([name]) => name),
    image,
    dropPages: () => cache.dropPages(),
    residentShare: () => cache.residentShare(),
    close: () => cache.close(),
  }
}
