import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { native } from '../../src/native.ts'
import {
  centerCrop,
  decode,
  type ImageOperation,
  type LoadOptions,
  load,
  normalize,
  randomHorizontalFlip,
  randomResizedCrop,
} from '../../src/vision/index.ts'
import { built, child, DIST } from '../cli/built.ts'
import { type PhotoCache, photoCache } from '../loader/photo-cache.ts'
import { decodeOne } from './decode-one.ts'

let photos: PhotoCache
beforeAll(async () => {
  photos = await photoCache(24, 120)
  await built()
})
afterAll(() => photos.remove())

const KINDS = [
  { dtype: 'uint8', layout: 'NHWC' },
  { dtype: 'uint8', layout: 'NCHW' },
  { dtype: 'float16', layout: 'NHWC' },
  { dtype: 'float32', layout: 'NHWC' },
  { dtype: 'float32', layout: 'NCHW' },
] as const

/** Hashes of an epoch's pixels for every kind, from a process with one set of instructions. */
const program = (path: string) => `
import { createHash } from 'node:crypto'
import { openImageCache, load, randomResizedCrop, randomHorizontalFlip, resizeCenterCrop, normalize, imagenet, imageCacheInfo } from '${DIST}'
const path = ${JSON.stringify(path)}
const cache = await openImageCache(path)
const hashes = []
for (const kind of ${JSON.stringify(KINDS)})
  for (const crop of [randomResizedCrop(67), resizeCenterCrop(96, [61, 83])]) {
    const hash = createHash('sha256')
    const image = [crop, randomHorizontalFlip(), ...(kind.dtype === 'uint8' ? [] : [normalize(imagenet)])]
    for await (const { image: { data } } of load(cache, { image, ...kind, batchSize: 7, seed: 3, rank: 0, worldSize: 1 }))
      hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
    hashes.push(hash.digest('hex'))
  }
console.log(JSON.stringify({ simd: (await imageCacheInfo(path)).simd, hashes }))
`

async function hashesUnder(simd: string): Promise<{ readonly simd: string; readonly hashes: readonly string[] }> {
  const { code, stdout, stderr } = await child(program(photos.path), [], { HEADRACE_SIMD: simd })
  expect(stderr).toBe('')
  expect(code).toBe(0)
  return JSON.parse(stdout)
}

describe('pixels are the same bytes', () => {
  let scalar: readonly string[]
  beforeAll(async () => {
    const found = await hashesUnder('scalar')
    expect(found.simd).toBe('scalar')
    scalar = found.hashes
  })

  it('of ten pipelines, all different', () => expect(new Set(scalar).size).toBe(10))

  const { simdAvailable } = native.info()
  for (const level of ['sse4', 'avx2', 'avx512', 'neon'] as const)
    it.skipIf(!simdAvailable.includes(level))(
      `under ${level}${simdAvailable.includes(level) ? '' : ' (this processor does not have it)'}`,
      async () => expect(await hashesUnder(level)).toEqual({ simd: level, hashes: scalar }),
    )
})

type Picture = {
  readonly data: Uint8Array
  readonly offsets?: Uint32Array
  readonly heights?: Uint32Array
  readonly widths?: Uint32Array
}

const base: LoadOptions = { fields: ['image'], batchSize: 10, seed: 9, rank: 0, worldSize: 1 }

async function epoch(
  options: LoadOptions,
  take: (image: unknown) => Picture = (image) => image as Picture,
): Promise<string> {
  const hash = createHash('sha256')
  for await (const { image } of load(photos.cache, { ...base, ...options })) {
    const { data } = take(image)
    hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
  }
  return hash.digest('hex')
}

describe('views', () => {
  const global: readonly ImageOperation[] = [randomResizedCrop(48, { scale: [0.4, 1] }), randomHorizontalFlip()]
  const local: readonly ImageOperation[] = [randomResizedCrop(20, { scale: [0.05, 0.4] })]
  const centre: readonly ImageOperation[] = [centerCrop(32, { ratio: 1 }), normalize([0.5, 0.5, 0.5], [0.2, 0.2, 0.2])]
  const whole: readonly ImageOperation[] = [decode()]
  const view = (name: string) => (image: unknown) => (image as Record<string, Picture>)[name] as Picture

  it('that are decoded once are the pipelines run one at a time', async () => {
    const views = { global, local, whole, again: global }
    for (const name of ['global', 'local', 'whole', 'again'] as const) {
      const together = await epoch({ views }, view(name))
      expect(together, name).toBe(await epoch({ views: { [name]: views[name] } }, view(name)))
    }
  })

  it('draw by their name: other crops than `image` and than another view of the same operations', async () => {
    const hashes = [
      await epoch({ image: global }),
      await epoch({ views: { a: global } }, view('a')),
      await epoch({ views: { b: global } }, view('b')),
    ]
    expect(new Set(hashes).size).toBe(3)
  })

  it('without chance are what `image` gives', async () => {
    expect(await epoch({ views: { a: centre }, dtype: 'float32' }, view('a'))).toBe(await epoch({ image: centre }))
    expect(await epoch({ views: { a: whole } }, view('a'))).toBe(await epoch({ image: whole }))
  })
})

describe('pictures at their own size', () => {
  it.each(['NHWC', 'NCHW'] as const)('%s are each what a decode of it alone gives', async (layout) => {
    let id = 0
    for await (const { image } of load(photos.cache, { ...base, image: [decode()], layout, fields: ['image'] })) {
      const { data, offsets, heights, widths } = image as unknown as Required<Picture>
      for (const [row, offset] of offsets.entries()) {
        const width = widths[row] as number
        const height = heights[row] as number
        const source = (await photos.cache.read(id++)).image as Uint8Array
        const { bytes } = await decodeOne(source, width, height, { layout })
        expect(Buffer.compare(data.subarray(offset, offset + 3 * width * height), bytes)).toBe(0)
      }
    }
    expect(id).toBe(24)
  })
})

describe('stored bytes', () => {
  it('are those of the files with zeros behind them, also in slots that were used before', async () => {
    let rows = 0
    // One slot, of which every byte that is not written keeps what the batch before left there.
    for await (const { image, meta } of load(photos.cache, {
      ...base,
      image: [],
      shuffle: true,
      batchSize: 3,
      prefetch: 1,
      ringBytes: 2 ** 21,
      epochs: 3,
    })) {
      const { data, sizes, heights, widths, shape } = image as unknown as Required<Picture> & {
        sizes: Uint32Array
        shape: readonly number[]
      }
      const stride = shape[1] as number
      expect(data.length).toBe(stride * meta.size)
      for (const [row, id] of meta.index.data.entries()) {
        const stored = (await photos.cache.read(Number(id))).image as Uint8Array
        const delivered = data.subarray(row * stride, (row + 1) * stride)
        expect(sizes[row]).toBe(stored.length)
        expect(Math.min(heights[row] as number, widths[row] as number)).toBe(120)
        expect(Buffer.compare(delivered.subarray(0, stored.length), stored)).toBe(0)
        expect(delivered.subarray(stored.length).every((byte) => byte === 0)).toBe(true)
        rows++
      }
    }
    expect(rows).toBe(72)
  })
})
