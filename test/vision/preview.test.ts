import { afterAll, beforeAll, expect, it } from 'vitest'
import { previewSheet, randomResizedCrop } from '../../src/vision/index.ts'
import { type PhotoCache, photoCache } from '../loader/photo-cache.ts'

let photos: PhotoCache
beforeAll(async () => {
  photos = await photoCache(6, 64)
})
afterAll(() => photos.remove())

it('a preview ends with its signal', async () => {
  const stop = new AbortController()
  const making = previewSheet(photos.cache, { image: [randomResizedCrop(32)], signal: stop.signal })
  stop.abort(new Error('enough'))
  await expect(making).rejects.toMatchObject({ code: 'E_CANCELLED', cause: { message: 'enough' } })
})
