import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import sharp from 'sharp'
import { describe, expect, test } from 'vitest'
import { parseJpeg } from '../../../src/formats/jpeg.ts'
import { native } from '../../../src/native.ts'
import { decodeWhole } from '../../../src/vision/cache/full-decode.ts'
import { AWKWARD } from '../../vision/awkward-set.ts'
import { Mt19937 } from '../../vision/mt19937.ts'
import { decodePacked } from './decode.ts'
import { writeJpeg } from './jpeg-writer.ts'
import { COLUMN_LIMIT, JPEG_LIMIT, noise } from './noise.ts'

/*
 * What the addon packs, read by a decoder that was written from docs/formats/dct.md alone, has the pixels that
 * libjpeg-turbo makes of the JPEG.
 */

const PHOTOS = fileURLToPath(new URL('../../../examples/data/photos/', import.meta.url))
const MAX_PIXELS = 200_000_000

/** Of the awkward files, those that docs/formats/dct.md, "What is packed", takes. */
const PACKED = [
  'baseline_420.jpg',
  'exif_orient6_thumb.jpg',
  'fill_bytes.jpg',
  'gray.jpg',
  'icc_comment.jpg',
  'noninterleaved.jpg',
  'odd_17x9.jpg',
  'odd_333x251.jpg',
  'optimized.jpg',
  'progressive.jpg',
  'quality100_444.jpg',
  'quality5.jpg',
  'restart_4b.jpg',
  'restart_row.jpg',
  's411.jpg',
  's422.jpg',
  's440.jpg',
  's444.jpg',
  'tall_1x2000.jpg',
  'tiny_1x1.jpg',
  'trailing_bytes.jpg',
  'wide_2000x1.jpg',
]

async function pack(bytes: Uint8Array, table?: Uint16Array) {
  const [made] = await native.packJpegs({ samples: [bytes], table, threads: 1, group: 0, maxPixels: MAX_PIXELS })
  if (made === undefined) throw new Error('no answer')
  return made
}

async function packed(bytes: Uint8Array, table?: Uint16Array): Promise<Uint8Array> {
  const result = await pack(bytes, table)
  if (result instanceof Uint8Array) return result
  throw new Error(`not packed: ${result.code} ${result.reason}`)
}

/** Both forms, the compact one with a table of this picture's own. */
async function forms(bytes: Uint8Array) {
  const plain = await packed(bytes)
  const counts = new Float64Array(16 * 256)
  native.addSymbolCounts(plain, counts)
  const table = native.ransFrequencies(counts)
  return { plain, compact: await packed(bytes, table), table }
}

async function expectSamePixels(jpeg: Uint8Array): Promise<void> {
  const rules = { tolerant: false, maxPixels: MAX_PIXELS, workers: 1 }
  const pixels = await decodeWhole(jpeg, parseJpeg(jpeg), 'pixels', rules)
  const { plain, compact, table } = await forms(jpeg)
  expect([plain[5], compact[5]]).toEqual([0, 1])
  // vitest's comparison of large arrays takes seconds
  expect(Buffer.compare(decodePacked(plain), pixels), 'plain').toBe(0)
  expect(Buffer.compare(decodePacked(compact, table), pixels), 'compact').toBe(0)
}

describe('the second decoder gives the pixels of the JPEG', () => {
  test.each(PACKED)('%s', async (name) => {
    await expectSamePixels(readFileSync(join(AWKWARD, name)))
  })

  test.each(readdirSync(PHOTOS).filter((name) => !name.endsWith('.md')))('a photograph of %s', async (folder) => {
    const [first] = readdirSync(join(PHOTOS, folder)).sort()
    await expectSamePixels(readFileSync(join(PHOTOS, folder, first ?? '')))
  })

  test.each([1, 2, 3, 4, 5, 8, 9, 17, 33])('pictures %d pixels wide or high, of another encoder', async (side) => {
    const photo = sharp(join(PHOTOS, 'animals', 'cat.jpg'))
    for (const [width, height] of [
      [side, 1],
      [1, side],
      [side, 19],
      [19, side],
    ] as const) {
      const crop = photo.clone().extract({ left: 150, top: 100, width, height })
      for (const progressive of [false, true])
        for (const chromaSubsampling of ['4:4:4', '4:2:0'])
          await expectSamePixels(await crop.clone().jpeg({ quality: 90, progressive, chromaSubsampling }).toBuffer())
      await expectSamePixels(await crop.clone().grayscale().jpeg({ quality: 90 }).toBuffer())
    }
  })

  test.each([
    [1, 1],
    [2, 1],
    [1, 2],
    [2, 2],
    [4, 1],
  ] as const)('coefficients of every size with sampling %d x %d', async (h, v) => {
    for (let seed = 0; seed < 40; seed++) {
      const width = seed < 20 ? 1 + seed : 1 + ((seed * 29) % 70)
      const height = 1 + ((seed * 17) % 40)
      const coarsest = [1, 30, 255, 3000][seed % 4] as number
      const components = seed % 10 === 9 ? 1 : 3
      await expectSamePixels(writeJpeg(noise({ seed, width, height, components, factors: [h, v], coarsest })))
    }
  })

  test('with a directory of 32 bits', async () => {
    const random = new Mt19937(1)
    const block = () => Int32Array.from({ length: 64 }, () => Math.floor(random.double() * 300) - 150)
    const tables = [new Uint16Array(64).fill(1)]
    const jpeg = writeJpeg({ width: 8400, height: 8, factors: [1, 1], tables, block })
    const { plain, compact } = await forms(jpeg)
    expect([plain[12], compact[12]]).toEqual([0x21, 0x21])
    await expectSamePixels(jpeg)
  })

  test('with a table that was not made for the picture', async () => {
    const jpeg = readFileSync(join(AWKWARD, 'odd_17x9.jpg'))
    const even = new Uint16Array(16 * 256).fill(4)
    const compact = await packed(jpeg, even)
    expect(decodePacked(compact, even)).toEqual(decodePacked(await packed(jpeg)))
  })
})

describe('what stays a JPEG', () => {
  test('all other awkward files', async () => {
    for (const name of readdirSync(AWKWARD)) {
      const result = await pack(readFileSync(join(AWKWARD, name)))
      expect([name, result instanceof Uint8Array]).toEqual([name, PACKED.includes(name)])
    }
  })

  /** Dequantised, the limit of a pair of columns: 16 x 362 = 5792. */
  const STEP = 16
  const MOST = COLUMN_LIMIT / STEP

  test.each([
    ['one at the limit', [[0, MOST]], STEP, true],
    ['one beyond it', [[0, -MOST - 1]], STEP, false],
    [
      'two of columns that the transform adds, beyond it together',
      [
        [1, MOST],
        [45, -1],
      ],
      STEP,
      false,
    ],
    [
      'two of columns that it does not add',
      [
        [1, MOST],
        [2, -MOST],
      ],
      STEP,
      true,
    ],
    ['the largest AC of a JPEG', [[63, JPEG_LIMIT]], 1, true],
    ['a larger one', [[63, -JPEG_LIMIT - 1]], 1, false],
    ['the lowest DC of a JPEG', [[0, -JPEG_LIMIT - 1]], 1, true],
    ['a lower one', [[0, -JPEG_LIMIT - 2]], 1, false],
  ] as const)('coefficients too large: %s', async (_, values, step, fits) => {
    const coefficients = new Int32Array(64)
    for (const [place, value] of values) coefficients[place] = value
    const tables = [new Uint16Array(64).fill(step)]
    const jpeg = writeJpeg({ width: 8, height: 8, factors: [1, 1], tables, block: () => coefficients })
    expect((await pack(jpeg)) instanceof Uint8Array).toBe(fits)
    if (fits) await expectSamePixels(jpeg)
  })
})
