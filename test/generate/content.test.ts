import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type DType, itemSize, viewOf } from '../../src/dtype.ts'
import { contentOf, randomContent } from '../../src/generate/content.ts'
import { DataSet } from '../../src/generate/data-set.ts'
import { zstdCompressor } from '../../src/zstd.ts'
import { setSpec } from './golden.ts'

function record(set: DataSet, index: number, sample: number): Uint8Array {
  const bytes = new Uint8Array(set.recordBytes(index))
  contentOf(set, index).fill(sample, 0, bytes)
  return bytes
}

/** All records of a set, one after the other. */
function all(set: DataSet): Uint8Array {
  const parts: Uint8Array[] = []
  for (let index = 0; index < set.files; index++)
    for (let sample = 0; sample < set.spec.samplesPerFile; sample++) parts.push(record(set, index, sample))
  return Buffer.concat(parts)
}

const hash = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

describe('content', () => {
  test('is a function of the seed, the file and the record: frozen', () => {
    const set = (seed: number) => new DataSet(setSpec({ seed, record: { kind: 'length', bytes: 200_000, stdev: 0 } }))
    expect(hash(record(set(10), 0, 0))).toBe('869fa16d45d14bdc06dcbd87e9b40f4c47314495895ca44c50ed2786ed8174b3')
    expect(hash(record(set(10), 1, 0))).toBe('d4d22555a3d492470f5cc40cfdeba81c4def08c9abb70510375cc62422c5cfb5')
    expect(hash(record(set(11), 0, 0))).toBe('be6e81a58079f33a6b11a5c0d96052312ba9cc5ea2a5a433019485eab96fc4ff')
    expect(Buffer.compare(record(set(10), 0, 0), record(set(10), 0, 0))).toBe(0)
  })

  test('is the same however it is cut', () => {
    const set = new DataSet(setSpec({ samplesPerFile: 3, record: { kind: 'dims', dims: [50_000], dtype: 'float32' } }))
    const whole = record(set, 2, 1)
    const content = contentOf(set.spec, 2)
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.nat(1000), (offset, length) => {
        const part = new Uint8Array(Math.min(length, whole.length - offset))
        content.fill(1, offset, part)
        expect(Buffer.compare(part, whole.subarray(offset, offset + part.length))).toBe(0)
        expect(content.difference(1, offset, part)).toBe(-1)
      }),
    )
  })

  test('says where bytes first differ from it', () => {
    const content = randomContent(7, 3)
    const bytes = new Uint8Array(300_000)
    content.fill(0, 1000, bytes)
    bytes[200_001] = (bytes[200_001] ?? 0) ^ 1
    expect(content.difference(0, 1000, bytes)).toBe(200_001)
    expect(content.difference(1, 1000, bytes)).toBe(0)
    expect(content.difference(0, 1000, bytes.subarray(0, 200_001))).toBe(-1)
  })

  test('has elements of its type: floats in [0, 1), whole numbers of all bits, flags', () => {
    const elements = (dtype: DType) => {
      const set = new DataSet(setSpec({ record: { kind: 'dims', dims: [100_000], dtype } }))
      const bytes = record(set, 0, 0)
      return viewOf(dtype, bytes.buffer, 0, bytes.length / itemSize(dtype))
    }
    for (const dtype of ['float32', 'float64'] as const) {
      const values = [...(elements(dtype) as Float32Array | Float64Array)]
      expect(Math.min(...values.slice(0, 50_000), ...values.slice(50_000))).toBeGreaterThanOrEqual(0)
      expect(values.every((value) => value < 1)).toBe(true)
      expect(values.reduce((sum, value) => sum + value) / values.length).toBeCloseTo(0.5, 1)
    }
    const halves = [...(elements('float16') as Uint16Array)]
    expect(halves.every((bits) => bits < 0x3c00)).toBe(true)
    expect(new Set(elements('bool') as Uint8Array)).toEqual(new Set([0, 1]))
    const whole = [...(elements('int16') as Int16Array)]
    expect(whole.some((value) => value < -30_000) && whole.some((value) => value > 30_000)).toBe(true)
  })

  test('of one set is nowhere twice', () => {
    const set = new DataSet(
      setSpec({ filesTrain: 20, samplesPerFile: 5, record: { kind: 'length', bytes: 70_000, stdev: 5000 } }),
    )
    const seen = new Set<string>()
    const bytes = all(set)
    for (let at = 0; at + 16 <= bytes.length; at += 16)
      seen.add(Buffer.from(bytes.subarray(at, at + 16)).toString('latin1'))
    expect(seen.size).toBe(Math.floor(bytes.length / 16))
  })
})

describe('compressible content', () => {
  const ratioOf = async (bytes: Uint8Array) => bytes.length / (await zstdCompressor())(bytes).length

  test('is not, where nothing else is asked for', async () => {
    const set = new DataSet(setSpec({ filesTrain: 1, record: { kind: 'length', bytes: 4e6, stdev: 0 } }))
    expect(await ratioOf(all(set))).toBeGreaterThan(0.999)
    expect(await ratioOf(all(set))).toBeLessThanOrEqual(1)
  })

  const shapes = [
    ['one large record', { filesTrain: 1, record: { kind: 'length', bytes: 4e6, stdev: 0 } }],
    ['records of 20 KB', { filesTrain: 20, samplesPerFile: 10, record: { kind: 'length', bytes: 20_000, stdev: 0 } }],
    ['records of all sizes', { filesTrain: 20, record: { kind: 'length', bytes: 200_000, stdev: 60_000 } }],
    ['int32', { filesTrain: 1, record: { kind: 'dims', dims: [1000, 1000], dtype: 'int32' } }],
    ['float16', { filesTrain: 1, record: { kind: 'dims', dims: [1000, 1000], dtype: 'float16' } }],
    ['float32', { filesTrain: 1, record: { kind: 'dims', dims: [1000, 1000], dtype: 'float32' } }],
    ['float64', { filesTrain: 1, record: { kind: 'dims', dims: [1000, 1000], dtype: 'float64' } }],
  ] as const

  for (const [name, given] of shapes) {
    test.each([1.5, 2, 3, 5, 8, 12, 20])(
      `becomes smaller by what is asked for, to 2 %: ${name}, %s`,
      async (compress) => {
        const bytes = all(new DataSet(setSpec({ ...given, compress })))
        const ratio = await ratioOf(bytes)
        expect(Math.abs(ratio / compress - 1), `${ratio}`).toBeLessThan(0.02)
      },
    )
  }
})

describe('content that is there more often than once', () => {
  /** Bytes of a set by the bytes of its different blocks: blocks of one content count once, as long as the longest. */
  const ratioOf = (set: DataSet, block: number) => {
    const unique = new Map<string, number>()
    let bytes = 0
    for (let index = 0; index < set.files; index++)
      for (let sample = 0; sample < set.spec.samplesPerFile; sample++) {
        const whole = record(set, index, sample)
        bytes += whole.length
        for (let at = 0; at < whole.length; at += block) {
          const piece = whole.subarray(at, at + block)
          // By its beginning, which a shorter one shares with a longer one.
          const name = Buffer.from(piece.subarray(0, 32)).toString('latin1')
          unique.set(name, Math.max(unique.get(name) ?? 0, piece.length))
        }
      }
    return bytes / [...unique.values()].reduce((sum, length) => sum + length)
  }

  const shapes = [
    ['large records', { filesTrain: 3, record: { kind: 'length', bytes: 6e6, stdev: 0 } }, 65_536],
    ['records of all sizes', { filesTrain: 40, record: { kind: 'length', bytes: 600_000, stdev: 200_000 } }, 8192],
    [
      'many small records',
      { filesTrain: 10, samplesPerFile: 100, record: { kind: 'length', bytes: 4096, stdev: 0 } },
      64,
    ],
    [
      'records of two blocks',
      { filesTrain: 20, samplesPerFile: 10, record: { kind: 'length', bytes: 114_660, stdev: 0 } },
      1024,
    ],
  ] as const

  for (const [name, given, block] of shapes) {
    test.each([1.25, 2, 3, 5])(`comes as often as is asked for, to 2 %: ${name}, %s`, (dedup) => {
      const ratio = ratioOf(new DataSet(setSpec({ ...given, dedup })), block)
      expect(Math.abs(ratio / dedup - 1), `${ratio}`).toBeLessThan(0.02)
    })
  }

  test('is the same however it is cut, and can be compressed as well', async () => {
    const set = new DataSet(
      setSpec({ filesTrain: 4, record: { kind: 'length', bytes: 1e6, stdev: 0 }, dedup: 2, compress: 2 }),
    )
    const whole = record(set, 3, 0)
    const part = new Uint8Array(100_000)
    contentOf(set, 3).fill(0, 123_457, part)
    expect(Buffer.compare(part, whole.subarray(123_457, 223_457))).toBe(0)
    const one = whole.length / (await zstdCompressor())(whole).length
    expect(Math.abs(one / 2 - 1)).toBeLessThan(0.02)
  })
})
