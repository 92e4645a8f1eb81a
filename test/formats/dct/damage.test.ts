import { beforeAll, describe, expect, test } from 'vitest'
import { native } from '../../../src/native.ts'
import { decodeOne } from '../../vision/decode-one.ts'
import { decodePacked } from './decode.ts'
import { writeJpeg } from './jpeg-writer.ts'
import { DamagedSample } from './sample.ts'

/*
 * What docs/formats/dct.md calls damaged is refused by both decoders, and what it does not call so by neither.
 *
 * The sample: one gray block with DC 30 and the values 3 and -5 in groups 0 and 1, so that every byte of it is known.
 */

const WIDTH = 8
const HEIGHT = 8
/** Places in the plain sample. */
const DIRECTORY = 16 + 64
const DC = DIRECTORY + 2
const HDR = DC + 1
const MASK = HDR + 1
const NIB = MASK + 2

let plain: Uint8Array
let compact: Uint8Array
let table: Uint16Array

beforeAll(async () => {
  const block = new Int32Array(64)
  block[0] = 30
  block[1] = 3 // position 1
  block[16] = -5 // position 8
  const bytes = writeJpeg({
    width: WIDTH,
    height: HEIGHT,
    factors: [1, 1],
    tables: [new Uint16Array(64).fill(2)],
    block: () => block,
  })
  const pack = async (frequencies: Uint16Array | undefined): Promise<Uint8Array> => {
    const job = { samples: [bytes], table: frequencies, threads: 1, group: 0, maxPixels: 64 }
    const [packed] = await native.packJpegs(job)
    return packed instanceof Uint8Array ? packed : Promise.reject(new Error(packed?.reason))
  }
  table = native.ransFrequencies(new Float64Array(16 * 256))
  plain = await pack(undefined)
  compact = await pack(table)
})

type Edit = readonly [place: number, byte: number]

function edited(sample: Uint8Array, ...edits: readonly Edit[]): Uint8Array {
  const copy = sample.slice()
  for (const [place, byte] of edits) copy[place] = byte
  return copy
}

const addon = (sample: Uint8Array) => decodeOne(sample, WIDTH, HEIGHT, { encoding: 'dct', table })

async function expectRefused(sample: Uint8Array): Promise<void> {
  expect(() => decodePacked(sample, table)).toThrow(DamagedSample)
  expect((await addon(sample)).faults).toHaveLength(1)
}

async function expectTaken(sample: Uint8Array): Promise<Uint8Array> {
  const pixels = decodePacked(sample, table)
  expect(await addon(sample)).toEqual({ bytes: pixels, faults: [] })
  return pixels
}

test('the sample has the bytes that the page says', async () => {
  expect(Buffer.from(plain.subarray(0, 16)).toString('hex')).toBe('48444354010008000800011101000000')
  expect([...plain.subarray(16, DIRECTORY)]).toEqual(new Array(64).fill(2))
  expect([...plain.subarray(DIRECTORY)]).toEqual([5, 0, 30, 0b11, 0b10, 0b1, 0xb3])
  expect(await expectTaken(compact)).toEqual(await expectTaken(plain))
})

describe('refused by both decoders', () => {
  test('a sample that is cut anywhere, or longer than its directory says', async () => {
    for (const sample of [plain, compact]) {
      for (let size = 0; size < sample.length; size++) await expectRefused(sample.subarray(0, size))
      await expectRefused(Buffer.concat([sample, Buffer.alloc(1)]))
      await expectRefused(Buffer.concat([sample, Buffer.alloc(2)]))
    }
  })

  test.each([
    ['magic', 3, 0x55],
    ['version', 4, 2],
    ['form', 5, 2],
    ['width', 6, 0],
    ['height', 8, 0],
    ['components', 10, 2],
    ['components without their strips', 10, 3],
    ['sampling of one component', 11, 0x22],
    ['sampling', 11, 0x31],
    ['no tables', 12, 0],
    ['four tables', 12, 4],
    ['reserved bit of the flags', 12, 0x41],
    ['component 0 with a table that is not there', 13, 1],
    ['component 2 with a table that is not there', 13, 0x10],
    ['reserved bits of the tables', 13, 0x40],
    ['reserved bytes', 15, 1],
  ] as const)('the header: %s', async (_, place, byte) => {
    await expectRefused(edited(plain, [place, byte]))
    await expectRefused(edited(compact, [place, byte]))
  })

  test('every change of one bit in the directory', async () => {
    for (const sample of [plain, compact])
      for (const place of [DIRECTORY, DIRECTORY + 1])
        for (let bit = 0; bit < 8; bit++)
          await expectRefused(edited(sample, [place, (sample[place] ?? 0) ^ (1 << bit)]))
  })

  test.each([
    ['more groups in HDR than in the row', [[HDR, 0b111]]],
    ['fewer groups in HDR than in the row', [[HDR, 0b1]]],
    ['no group in HDR', [[HDR, 0]]],
    ['more values in MASK than in the row', [[MASK, 0b1110]]],
    [
      'no value in MASK',
      [
        [MASK, 0],
        [MASK + 1, 0],
      ],
    ],
    ['the MASK bit of DC', [[MASK, 0b1]]],
    [
      'the MASK bit of DC besides another',
      [
        [MASK, 0b11],
        [MASK + 1, 0],
      ],
    ],
    ['a nibble that points beyond ESC', [[NIB, 0xb0]]],
    ['a DC that points beyond WIDE', [[DC, 0x80]]],
  ] as const)('a strip with %s', async (_, edits) => {
    await expectRefused(edited(plain, ...edits))
  })

  test('a strip that does not fill its row, though the directory says so', async () => {
    const size = plain.length - DC
    for (const more of [1, 2, 3])
      await expectRefused(Buffer.concat([edited(plain, [DIRECTORY, size + more]), Buffer.alloc(more)]))
  })

  test('a row whose states do not end as 2^16', async () => {
    const states = DIRECTORY + 2
    // one symbol a phase, but two of HDR and DC and of MASK: lanes 2 to 15 begin as they must end
    for (let lane = 2; lane < 16; lane++) {
      const place = states + 4 * lane
      expect([...compact.subarray(place, place + 4)]).toEqual([0, 0, 1, 0])
      for (let byte = 0; byte < 4; byte++)
        await expectRefused(edited(compact, [place + byte, (compact[place + byte] ?? 0) ^ 1]))
    }
  })

  test('a row that goes on after its WIDE sections, though the directory says so', async () => {
    const size = compact.length - DIRECTORY - 2
    await expectRefused(Buffer.concat([edited(compact, [DIRECTORY, size + 2]), Buffer.alloc(2)]))
  })
})

describe('not damage, though no writer makes it', () => {
  test('entries wider than their values need', async () => {
    const pixels = decodePacked(plain)
    const wide = (from: number, to: number, gap: number): Buffer =>
      Buffer.from(
        [...plain.subarray(from, to)].flatMap((byte, i) =>
          i % gap === gap - 1 ? [byte, ...new Array(gap).fill(0)] : [byte],
        ),
      )
    const [head, tables, directory, strips] = [
      plain.subarray(0, 16),
      plain.subarray(16, DIRECTORY),
      plain.subarray(DIRECTORY, DC),
      plain.subarray(DC),
    ]
    const tables16 = Buffer.concat([edited(head, [12, 0x11]), wide(16, DIRECTORY, 1), directory, strips])
    const directory32 = Buffer.concat([edited(head, [12, 0x21]), tables, wide(DIRECTORY, DC, 2), strips])
    expect(await expectTaken(tables16)).toEqual(pixels)
    expect(await expectTaken(directory32)).toEqual(pixels)
  })

  test('a MASK byte of 0, or an upper nibble that belongs to no value', async () => {
    await expectTaken(edited(plain, [MASK, 0], [MASK + 1, 0b11]))
    const one = edited(plain, [MASK, 0])
    expect(await expectTaken(edited(one, [NIB, 0x73]))).toEqual(decodePacked(edited(one, [NIB, 0x03])))
  })

  test('a value in WIDE or ESC that would have fitted before it', async () => {
    const pixels = decodePacked(plain)
    const inWide = Buffer.concat([edited(plain, [DC, 0x80], [DIRECTORY, 7]), Buffer.of(30, 0)])
    const inEscape = Buffer.concat([edited(plain, [NIB, 0xb0], [DIRECTORY, 6]), Buffer.of(3)])
    expect(await expectTaken(inWide)).toEqual(pixels)
    expect(await expectTaken(inEscape)).toEqual(pixels)
    const zero = edited(inEscape, [inEscape.length - 1, 0])
    expect(await expectTaken(zero)).not.toEqual(pixels)
  })
})
