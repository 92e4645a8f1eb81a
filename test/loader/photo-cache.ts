import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { makePhotos } from '../../examples/make-photos.ts'
import { buildImageCache, type ImageCache, openImageCache } from '../../src/vision/index.ts'

export const PHOTOS = fileURLToPath(new URL('../../examples/data/photos', import.meta.url))

export interface PhotoCache {
  readonly folder: string
  readonly path: string
  readonly cache: ImageCache
  remove(): Promise<void>
}

/** A real cache of `count` small photographs. */
export async function photoCache(count: number, shortSide = 96): Promise<PhotoCache> {
  const folder = await mkdtemp(join(tmpdir(), 'headrace-test-'))
  const path = join(folder, 'photos.cache')
  await makePhotos(PHOTOS, join(folder, 'photos'), { count, shortSide, quality: 90, seed: 1 })
  await buildImageCache(join(folder, 'photos'), path)
  const cache = await openImageCache(path)
  return {
    folder,
    path,
    cache,
    async remove() {
      await cache.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
