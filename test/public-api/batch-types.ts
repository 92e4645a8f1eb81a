import { expectTypeOf } from 'vitest'
import {
  decode,
  type ImageCache,
  imagenet,
  type LoaderReport,
  load,
  normalize,
  type RaggedImages,
  randomHorizontalFlip,
  randomResizedCrop,
  type StoredBytes,
  type Tensor,
} from '../../src/index.ts'

/** What the compiler knows of a batch. Compiled by types.test.ts and `make check`; never run. */

declare function batchOf<B>(loader: AsyncIterable<B>): B

export function tensorsFollowFromTheOperations(cache: ImageCache): void {
  const train = batchOf(load(cache, { image: [randomResizedCrop(224), randomHorizontalFlip(), normalize(imagenet)] }))
  expectTypeOf(train.image).toEqualTypeOf<Tensor<'float32'>>()
  expectTypeOf(train.image.dtype).toEqualTypeOf<'float32'>()
  expectTypeOf(train.image.data).toEqualTypeOf<Float32Array>()
  expectTypeOf(train.image.shape).toEqualTypeOf<readonly number[]>()
  const bytes = batchOf(load(cache, { image: [randomResizedCrop(224)] }))
  expectTypeOf(bytes.image.data).toEqualTypeOf<Uint8Array>()
  const half = batchOf(load(cache, { image: [randomResizedCrop(224)], dtype: 'float16' }))
  expectTypeOf(half.image).toEqualTypeOf<Tensor<'float16'>>()
  expectTypeOf(half.image.data).toEqualTypeOf<Uint16Array>()
}

export function labelsPathsAndIdsHaveTheirTypes(cache: ImageCache): void {
  const batch = batchOf(load(cache, { image: [randomResizedCrop(224)] }))
  expectTypeOf(batch.label.data).toEqualTypeOf<BigInt64Array>()
  expectTypeOf(batch.path).toEqualTypeOf<string[]>()
  expectTypeOf(batch.meta.index.data).toEqualTypeOf<BigInt64Array>()
  expectTypeOf(batch.copy()).toEqualTypeOf<typeof batch>()
  expectTypeOf(load(cache).report()).toEqualTypeOf<LoaderReport>()
}

export function imagesAreRaggedWithoutACropAndBytesWithoutOperations(cache: ImageCache): void {
  expectTypeOf(batchOf(load(cache, { image: [decode()] })).image).toEqualTypeOf<RaggedImages<'uint8'>>()
  expectTypeOf(batchOf(load(cache)).image).toEqualTypeOf<StoredBytes>()
  expectTypeOf(batchOf(load(cache, { batchSize: 4 })).image).toEqualTypeOf<StoredBytes>()
}

export function viewsHaveTheirNames(cache: ImageCache): void {
  const { image } = batchOf(load(cache, { views: { a: [randomResizedCrop(224)], b: [decode()] } }))
  expectTypeOf(image.a).toEqualTypeOf<Tensor<'uint8'>>()
  expectTypeOf(image.b).toEqualTypeOf<RaggedImages<'uint8'>>()
}

export function onlyTheFieldsThatWereAskedForAreThere(cache: ImageCache): void {
  const batch = batchOf(load(cache, { fields: ['label'] }))
  expectTypeOf(batch).toHaveProperty('label')
  expectTypeOf(batch).not.toHaveProperty('image')
}
