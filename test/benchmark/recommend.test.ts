import { describe, expect, it } from 'vitest'
import { type Findings, LIMITS, type MeasuredEncoding, recommend } from '../../src/benchmark/vision/recommend.ts'

const GIB = 2 ** 30

function measured(
  encoding: MeasuredEncoding['encoding'],
  imagesPerSecond: number,
  gib: number,
  more: Partial<MeasuredEncoding> = {},
): MeasuredEncoding {
  return {
    encoding,
    imagesPerSecond,
    cpuSecondsPerImage: 1 / imagesPerSecond,
    bytesPerImage: gib * 1000,
    expectedBytes: gib * GIB,
    relativeBytes: gib / 100,
    fidelity: { exact: true, maxDifference: 0, padded: 0 },
    unpacked: {},
    ...more,
  }
}

/** 100 GiB of JPEG on a machine with `memory` GiB; images per second of jpeg, dct and dct (compact). */
function findings(
  memory: number,
  [jpeg, dct, compact]: readonly [number, number, number] = [1000, 4000, 3000],
  more: Partial<Findings> & { readonly unpacked?: Readonly<Record<string, number>> } = {},
): Findings {
  const { unpacked = {}, encodings = [], ...others } = more
  return {
    pictures: 200,
    memoryBytes: memory * GIB,
    simd: 'avx2',
    ...others,
    encodings: [
      measured('jpeg', jpeg, 100),
      measured('dct', dct, 130, { form: 'plain', unpacked }),
      measured('dct', compact, 98, { form: 'compact', unpacked }),
      ...encodings,
    ],
  }
}

describe('the recommendation is', () => {
  it('dct where it fits into memory', () => {
    const { unless, ...advice } = recommend(findings(163))
    expect(advice).toEqual({
      encoding: 'dct',
      form: 'plain',
      reason:
        '4.00 times the images/s of jpeg for 1.30 times the bytes, and its 130 GiB fit into memory (80 % of 163 GiB)',
    })
    expect(unless).toEqual([
      'bytes matter more than images/s, or memory is wanted for something else: dct (compact) has 98 GiB, at 3,000 images/s',
      expect.stringContaining('only a few times: jpeg'),
    ])
  })

  it('compact where that fits and dct does not', () => {
    expect(LIMITS.memoryShare).toBe(0.8)
    const { unless, ...advice } = recommend(findings(162))
    expect(advice).toEqual({
      encoding: 'dct',
      form: 'compact',
      reason:
        '3.00 times the images/s of jpeg for 0.98 times the bytes, and its 98 GiB fit into memory (80 % of 162 GiB), unlike 130 GiB of dct',
    })
    expect(unless[0]).toBe(
      'there is more memory, or storage is fast: dct has 4,000 images/s, for 130 GiB (memory here: 162 GiB)',
    )
  })

  it('dct where nothing fits, with what storage has to deliver', () => {
    const { encoding, form, reason } = recommend(findings(64))
    expect([encoding, form]).toEqual(['dct', 'plain'])
    expect(reason).toContain('not even the 100 GiB of jpeg fit into memory')
    expect(reason).toContain('storage has to deliver 496 MiB/s')
  })

  it('jpeg where dct does not fit and compact is slow for want of gathers', () => {
    const { encoding, form, reason, unless } = recommend(findings(150, [1000, 3000, 900], { simd: 'sse4' }))
    expect([encoding, form]).toEqual(['jpeg', undefined])
    expect(reason).toBe(
      'its 100 GiB fit into memory (80 % of 150 GiB), unlike 130 GiB of dct, and compact brings 0.90 times the images/s with sse4',
    )
    expect(unless[0]).toBe('other machines load it: with AVX2 or AVX-512 dct (compact) is faster than here with sse4')
  })

  it('jpeg where fewer than half of the pictures can be packed', () => {
    const unpacked = { CMYK: 100, arithmetic: 1 }
    const { encoding, reason } = recommend(findings(512, undefined, { unpacked }))
    expect(encoding).toBe('jpeg')
    expect(reason).toBe('only 49 % of the sampled pictures can be packed (wanted: 50 %)')
    expect(recommend(findings(512, undefined, { unpacked: { CMYK: 100 } })).encoding).toBe('dct')
  })

  it('jpeg where nothing is faster', () => {
    const { encoding, reason } = recommend(findings(512, [1000, 1050, 900]))
    expect(encoding).toBe('jpeg')
    expect(reason).toBe('dct brings 1.05 times the images/s with avx2 (wanted: 1.10 times)')
  })

  it('yuv420 where it is exact, fits and is twice as fast as dct; else it is told what it would be', () => {
    const planes = (imagesPerSecond: number, fidelity: Partial<MeasuredEncoding['fidelity']> = {}) =>
      measured('yuv420', imagesPerSecond, 500, { fidelity: { exact: true, maxDifference: 0, padded: 0, ...fidelity } })
    const adviceFor = (memory: number, encoding: MeasuredEncoding) =>
      recommend(findings(memory, undefined, { encodings: [encoding] }))
    const { unless, ...advice } = adviceFor(1000, planes(8000))
    expect(advice).toEqual({
      encoding: 'yuv420',
      reason:
        '8.00 times the images/s of jpeg for 5.00 times the bytes, its pixels are exact and its 500 GiB fit into memory (80 % of 1000 GiB)',
    })
    expect(unless).toEqual([expect.stringContaining('only a few times: jpeg')])

    const told = 'images/s are all that counts: yuv420 has 8,000 images/s, 2.00 times those of dct, for 500 GiB'
    const rounded = adviceFor(1000, planes(8000, { exact: false, psnr: 50.46, maxDifference: 9, padded: 3 }))
    expect(rounded.encoding).toBe('dct')
    expect(rounded.unless[1]).toBe(
      `${told}; its pixels are not exact (50.5 dB); 3 of the sampled pictures get even sides`,
    )
    const large = adviceFor(600, planes(8000))
    expect(large.encoding).toBe('dct')
    expect(large.unless[1]).toBe(`${told}, which do not fit into memory`)
    const slow = adviceFor(1000, planes(7900))
    expect(slow.encoding).toBe('dct')
    expect(adviceFor(1000, planes(3900)).unless).toHaveLength(2)
  })
})
