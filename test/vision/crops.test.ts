import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { Draws } from '../../src/sampling/random.ts'
import { plainCenter, ratioCenter, resizedCenter, roundHalfEven } from '../../src/vision/crops/center.ts'
import { directLaw, slipstreamLaw, torchvisionLaw } from '../../src/vision/crops/random-resized.ts'
import type { CropLaw, Uniform } from '../../src/vision/crops/types.ts'
import { Mt19937 } from './mt19937.ts'

interface Golden {
  readonly sets: readonly {
    readonly seed: number
    readonly scale: [number, number]
    readonly ratio: [number, number]
    readonly rows: readonly number[][]
  }[]
}

const fixture = <T>(name: string): T =>
  JSON.parse(readFileSync(new URL(`../fixtures/crops/${name}.json`, import.meta.url), 'utf8')) as T

/** slipstream draws from one generator an image, in turn; ours are numbered in the same order. */
function inTurn(seed: number): Uniform {
  const generator = new Mt19937(seed)
  const drawn: number[] = []
  return (i) => {
    while (drawn.length <= i) drawn.push(generator.double())
    return drawn[i] as number
  }
}

describe.each([
  ['slipstream_rrc', slipstreamLaw],
  ['slipstream_direct_rrc', directLaw],
] as const)("%s reproduces slipstream's crops", (name, law) => {
  for (const { seed, scale, ratio, rows } of fixture<Golden>(name).sets) {
    it(`exactly: seed ${seed}, scale ${scale}, ratio ${ratio.map((r) => r.toFixed(2))}, ${rows.length} pictures`, () => {
      const crop: CropLaw = law({ scale, ratio })
      for (const [i = 0, w = 0, h = 0, x, y, width, height] of rows)
        expect(crop(inTurn((seed + i) % (2 ** 31 - 1)), w, h), `picture ${i} of ${w}x${h}`).toEqual({
          clip: { x, y, width, height },
          box: { x, y, width, height },
        })
    })
  }
})

interface TorchvisionStatistics {
  readonly sizes: readonly {
    readonly w: number
    readonly h: number
    readonly mean: Record<'area' | 'ratio' | 'cw' | 'ch', number>
    readonly std: Record<'area' | 'cw' | 'ch', number>
    readonly share_full_width: number
    readonly share_full_height: number
  }[]
}

describe("randomResizedCrop follows torchvision's law", () => {
  for (const { w, h, mean, std, share_full_width, share_full_height } of fixture<TorchvisionStatistics>(
    'torchvision_rrc_stats',
  ).sizes) {
    it(`in mean, spread and full sides over 40,000 crops of ${w}x${h}`, () => {
      const law = torchvisionLaw({ scale: [0.08, 1], ratio: [3 / 4, 4 / 3] })
      const draws = new Draws(1, 0, 0)
      const n = 40_000
      const sums = { area: 0, ratio: 0, cw: 0, ch: 0 }
      let fullWidth = 0
      let fullHeight = 0
      for (let i = 0; i < n; i++) {
        draws.begin(i, 0)
        const { clip } = law((k) => draws.at(k), w, h)
        expect(clip.x >= 0 && clip.y >= 0 && clip.x + clip.width <= w && clip.y + clip.height <= h).toBe(true)
        sums.area += (clip.width * clip.height) / (w * h)
        sums.ratio += clip.width / clip.height
        sums.cw += clip.width
        sums.ch += clip.height
        if (clip.width === w) fullWidth++
        if (clip.height === h) fullHeight++
      }
      // Both sides are samples of 40,000: five standard errors of their difference.
      // A ratio between 3/4 and 4/3, spread log-uniformly, deviates by less than 0.17; wider pictures fall back to one.
      const spread = { ...std, ratio: 0.17 }
      for (const name of ['area', 'ratio', 'cw', 'ch'] as const)
        expect(Math.abs(sums[name] / n - mean[name]), name).toBeLessThanOrEqual(
          5 * Math.SQRT2 * (spread[name] / Math.sqrt(n)) + 1e-12,
        )
      const close = (share: number, expected: number) =>
        Math.abs(share - expected) <= 5 * Math.SQRT2 * Math.sqrt((expected + 1 / n) / n)
      expect(close(fullWidth / n, share_full_width)).toBe(true)
      expect(close(fullHeight / n, share_full_height)).toBe(true)
    })
  }
})

describe('centre crops', () => {
  const none: Uniform = () => Number.NaN

  it('take the central pixels as they are, or what a smaller picture has', () => {
    expect(plainCenter(224, 224)(none, 341, 256).clip).toEqual({ x: 58, y: 16, width: 224, height: 224 })
    expect(plainCenter(224, 224)(none, 100, 300).clip).toEqual({ x: 0, y: 38, width: 100, height: 224 })
  })

  it("take FFCV's square: floor(ratio x shorter side), centred downwards", () => {
    expect(ratioCenter(224 / 256)(none, 500, 375).clip).toEqual({ x: 86, y: 23, width: 328, height: 328 })
    expect(ratioCenter(1)(none, 333, 500).clip).toEqual({ x: 0, y: 83, width: 333, height: 333 })
    expect(ratioCenter(0.1)(none, 3, 9).clip).toEqual({ x: 1, y: 4, width: 1, height: 1 })
  })

  it("fold torchvision's Resize(256) and CenterCrop(224) into one rectangle of the picture", () => {
    // 500x375 becomes 341x256; the crop starts at round(58.5) = 58 and 16.
    expect(resizedCenter(256, 224, 224)(none, 500, 375)).toEqual({
      clip: { x: 0, y: 0, width: 500, height: 375 },
      box: { x: (58 * 500) / 341, y: (16 * 375) / 256, width: (224 * 500) / 341, height: (224 * 375) / 256 },
    })
  })

  it('round halves to even, as Python does', () => {
    expect([0.5, 1.5, 2.5, 58.5, 59.5, 2.4999, 2.5001].map(roundHalfEven)).toEqual([0, 2, 2, 58, 60, 2, 3])
  })
})
