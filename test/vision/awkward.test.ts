import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ImageFolder, imageFolder } from '../../src/datasets/index.ts'
import {
  type BuildReport,
  buildImageCache,
  decode,
  type ImageCache,
  load,
  openImageCache,
} from '../../src/vision/index.ts'
import { AWKWARD, type AwkwardFolder, awkwardFolder, only, outcomes } from './awkward-set.ts'

/** docs/vision-awkward.md is the table of what is right: a row of it that is not what happens fails here. */
interface Documented {
  readonly build: string
  readonly cache: string
  readonly folder: string
  readonly tolerant: string
}

const document = readFileSync(new URL('../../docs/vision-awkward.md', import.meta.url), 'utf8')
const documented = new Map(
  document
    .split('\n')
    .filter((line) => /^\| \S+\.(jpg|png|gif|bmp|webp|tif) \|/.test(line))
    .map((line): [string, Documented] => {
      const [file = '', , build = '', cache = '', folder = '', tolerant = ''] = line.slice(2, -2).split(' | ')
      return [file, { build, cache, folder, tolerant }]
    }),
)

let set: AwkwardFolder
let strict: ImageCache
let lenient: ImageCache
let folder: ImageFolder
let report: BuildReport
let happened: Map<string, Documented>

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

beforeAll(async () => {
  set = await awkwardFolder()
  report = await buildImageCache(set.root, set.place('strict'), { onError: 'skip' })
  const tolerant = await buildImageCache(set.root, set.place('lenient'), { onError: 'skip', tolerant: true })
  strict = await openImageCache(set.place('strict'))
  lenient = await openImageCache(set.place('lenient'))
  folder = await imageFolder(set.root)
  const [fromCache, fromFolder, tolerated] = await Promise.all([
    outcomes(strict, false),
    outcomes(folder, false),
    outcomes(lenient, true),
  ])
  const left = (list: BuildReport['skipped'], name: string) => list.find(({ key }) => key === `set/${name}`)
  const ids = new Map(Array.from({ length: strict.length }, (_, id) => [strict.describe(id), id]))
  const isKept = async (name: string) => {
    const { image } = await strict.read(ids.get(`set/${name}`) as number)
    return Buffer.compare(image as Uint8Array, await readFile(join(AWKWARD, name))) === 0
  }
  happened = new Map()
  for (const name of set.files) {
    const skipped = left(report.skipped, name)
    happened.set(name, {
      build: skipped ? `left out: ${skipped.code} ${skipped.reason}` : (await isKept(name)) ? 'kept' : 'encoded anew',
      cache: fromCache.get(name) ?? '-',
      folder: fromFolder.get(name) as string,
      tolerant: left(tolerant.skipped, name) ? 'left out' : (tolerated.get(name) as string),
    })
  }
})
afterAll(async () => {
  await Promise.all([strict.close(), lenient.close(), folder.close()])
  await set.remove()
})

describe('docs/vision-awkward.md', () => {
  it('has a row for every file of the set', () => expect([...documented.keys()].sort()).toEqual([...set.files]))

  it.each([...documented])('says what happens with %s', (name, expected) =>
    expect(happened.get(name)).toEqual(expected),
  )

  it('counts what was encoded anew by type', () =>
    expect(report.reencoded).toEqual({ gif: 1, png: 7, tiff: 1, webp: 2 }))
})

/** Pixels of one sample at its own size. */
async function pixels(cache: ImageCache, name: string): Promise<Uint8Array> {
  const id = Array.from({ length: cache.length }, (_, i) => cache.describe(i)).indexOf(`set/${name}`)
  for await (const { image } of load(cache, { image: [decode()], sampler: only(id), rank: 0, worldSize: 1 }))
    return image.data.slice()
  throw new Error(`no ${name}`)
}

function meanDifference(a: Uint8Array, b: Uint8Array): number {
  expect(a.length).toBe(b.length)
  let off = 0
  for (let i = 0; i < a.length; i++) off += Math.abs((a[i] as number) - (b[i] as number))
  return off / a.length
}

describe('pixels', () => {
  const oracle = JSON.parse(readFileSync(join(AWKWARD, 'decoded.json'), 'utf8')) as Record<
    string,
    { readonly islow?: string }
  >

  it.each([...documented].filter(([, { build, cache }]) => build === 'kept' && /^\d+x/.test(cache)))(
    'of %s come out of the cache as libjpeg-turbo decodes them (CMYK as Pillow)',
    async (name) => expect(sha256(await pixels(strict, name))).toBe(oracle[name]?.islow),
  )

  // sha256 of what Pillow's open and convert('RGB') give: orientation ignored, alpha dropped, first frame.
  it.each([
    ['png_named.jpg', 'd167456abf9e05e9428b75b82c68e147467a1e2cd39e6b3d501b5ad72d8ce620'],
    ['rgba.png', 'a429dd391cc66a712ed9560a1cb91e8310e4eddf06fdaae6a7b64a970c6b3536'],
    ['palette_alpha.png', '4db3441f1587beeea435c9d9dec5d771137917c27ce8dcb78bd54bc9d20a87d6'],
    ['gray_alpha.png', 'd674d0c32756c8fcd1574259c0a195da640b1b6516b3df5ecb66bc57f62a1e97'],
    ['rgb16.png', 'd13913e4e4dcff2a6f4975c60bb5cf125192e8b2f94d0eab3ea0e22a04e131f1'],
    ['animated.gif', '09eb6aa3f9693d9fe68468349da39a9502a25484a1e2a01b46cc87b69bdf827c'],
    ['webp.webp', '1b1129627ef71423b4332f343b2ab77f0eee70de8cb73edb8f95f276a2120c92'],
    ['tiff_lzw.tif', 'a429dd391cc66a712ed9560a1cb91e8310e4eddf06fdaae6a7b64a970c6b3536'],
  ])("of %s are those that Pillow sees, but for JPEG's loss", async (name, pillow) => {
    const seen = await sharp(join(AWKWARD, name)).removeAlpha().toColourspace('srgb').raw().toBuffer()
    expect(sha256(seen)).toBe(pillow)
    expect(meanDifference(await pixels(strict, name), seen)).toBeLessThan(3)
  })

  it('of gray16.png are the high bytes of its 16 bits', async () => {
    const { data } = await sharp(join(AWKWARD, 'gray16.png'))
      .toColourspace('grey16')
      .raw({ depth: 'ushort' })
      .toBuffer({ resolveWithObject: true })
    const high = Uint8Array.from({ length: 128 * 128 * 3 }, (_, i) => data[2 * Math.floor(i / 3) + 1] as number)
    expect(new Set(high).size).toBeGreaterThan(100)
    expect(meanDifference(await pixels(strict, 'gray16.png'), high)).toBeLessThan(2)
  })
})
