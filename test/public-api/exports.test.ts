import { expect, it } from 'vitest'
import * as headrace from '../../src/index.ts'

it('the package exports these values; a name that goes or comes is a change for CHANGELOG.md', () => {
  expect(Object.keys(headrace).sort()).toMatchInlineSnapshot(`
    [
      "HeadraceError",
      "ImageCache",
      "PRESETS",
      "PROTOCOLS",
      "adviseEncoding",
      "benchProtocol",
      "benchVision",
      "buildImageCache",
      "cached",
      "centerCrop",
      "decode",
      "directRandomResizedCrop",
      "discoverRank",
      "exportImageCache",
      "fromSamples",
      "imageCacheInfo",
      "imageFolder",
      "imagenet",
      "isHeadraceError",
      "limited",
      "load",
      "measured",
      "normalize",
      "openImageCache",
      "openStore",
      "openStoreSpec",
      "preset",
      "previewSheet",
      "randomHorizontalFlip",
      "randomResizedCrop",
      "resizeCenterCrop",
      "verifyImageCache",
      "withRetry",
    ]
  `)
})
