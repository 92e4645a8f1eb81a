import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { decodeOne } from './decode-one.ts'

/** What libjpeg-turbo 2.1.5 and Pillow 13.0.0 make of each file; sha256 of the RGB pixels. */
interface Oracle {
  readonly width: number
  readonly height: number
  readonly islow?: string
  readonly fastdct?: string
  readonly islow_fastupsample?: string
  readonly fault?: string
}

const folder = new URL('../fixtures/awkward/', import.meta.url)
const file = (name: string): Uint8Array => readFileSync(new URL(name, folder))
const oracle = JSON.parse(readFileSync(new URL('decoded.json', folder), 'utf8')) as Record<string, Oracle>
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const sound = Object.entries(oracle).filter(([, { islow }]) => islow !== undefined)

/** Seeded, so that a failure can be looked at. */
function random(seed: number): (n: number) => number {
  let state = seed
  return (n) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * n)
  }
}

describe('pixels', () => {
  it.each(sound)('of %s are those of a whole decode by libjpeg-turbo', async (name, { width, height, islow }) => {
    const { bytes, faults } = await decodeOne(file(name), width, height)
    expect(faults).toEqual([])
    expect(sha256(bytes)).toBe(islow)
  })

  it.each(sound.filter(([, { fastdct }]) => fastdct !== undefined))(
    "of %s with dct: 'ifast' are those of FFCV's decoder",
    async (name, { width, height, fastdct }) => {
      expect(sha256((await decodeOne(file(name), width, height, { dct: 'ifast' })).bytes)).toBe(fastdct)
    },
  )

  it.each(sound.filter(([, o]) => o.islow_fastupsample !== undefined))(
    'of %s without fancy upsampling too',
    async (name, { width, height, islow_fastupsample }) => {
      expect(sha256((await decodeOne(file(name), width, height, { fancyUpsampling: false })).bytes)).toBe(
        islow_fastupsample,
      )
    },
  )

  it.each(sound)('of any crop of %s are those of the whole picture', async (name, { width, height }) => {
    const source = file(name)
    for (const fancyUpsampling of [true, false]) {
      const whole = await decodeOne(source, width, height, { fancyUpsampling })
      const next = random(width * 7919 + height)
      for (let k = 0; k < 40; k++) {
        const w = 1 + next(width)
        const h = 1 + next(height)
        const clip = { x: next(width - w + 1), y: next(height - h + 1), width: w, height: h }
        const { bytes, faults } = await decodeOne(source, width, height, { clip, fancyUpsampling })
        expect(faults).toEqual([])
        for (let row = 0; row < h; row++) {
          const from = ((clip.y + row) * width + clip.x) * 3
          const same =
            Buffer.compare(bytes.subarray(row * w * 3, (row + 1) * w * 3), whole.bytes.subarray(from, from + w * 3)) ===
            0
          if (!same) expect.fail(`row ${row} of crop ${JSON.stringify(clip)} differs`)
        }
      }
    }
  })
})

describe('layout, mirror and type', () => {
  const name = 'odd_333x251.jpg'
  const source = file(name)
  const crop = { clip: { x: 13, y: 7, width: 201, height: 149 }, width: 97, height: 65 }

  it('mirrored output is the output mirrored, with and without a resize', async () => {
    for (const options of [crop, { clip: crop.clip }]) {
      const plain = (await decodeOne(source, 333, 251, options)).bytes
      const mirrored = (await decodeOne(source, 333, 251, { ...options, flip: true })).bytes
      const width = options === crop ? 97 : 201
      const expected = new Uint8Array(plain.length)
      for (let p = 0; p < plain.length / 3; p++) {
        const row = Math.floor(p / width)
        const from = 3 * (row * width + (width - 1 - (p % width)))
        expected.set(plain.subarray(from, from + 3), 3 * p)
      }
      expect(Buffer.compare(mirrored, expected)).toBe(0)
    }
  })

  it('NCHW holds the planes of NHWC', async () => {
    const interleaved = (await decodeOne(source, 333, 251, crop)).bytes
    const planar = (await decodeOne(source, 333, 251, { ...crop, layout: 'NCHW' })).bytes
    const pixels = 97 * 65
    for (let p = 0; p < pixels; p++)
      for (let c = 0; c < 3; c++)
        if (planar[c * pixels + p] !== interleaved[3 * p + c]) expect.fail(`pixel ${p}, channel ${c} differs`)
  })

  it('float32 is float32(float32(pixel * scale) + bias), bit for bit, in both layouts', async () => {
    const scale = [1 / 58.395, 1 / 57.12, 1 / 57.375] as const
    const bias = [-2.1179, -2.0357, -1.8044] as const
    const pixels = (await decodeOne(source, 333, 251, crop)).bytes
    const f = Math.fround
    for (const layout of ['NHWC', 'NCHW'] as const) {
      const { bytes } = await decodeOne(source, 333, 251, { ...crop, dtype: 'float32', layout, scale, bias })
      const floats = new Float32Array(bytes.buffer)
      for (let i = 0; i < pixels.length; i++) {
        const c = i % 3
        const at = layout === 'NHWC' ? i : c * (pixels.length / 3) + Math.floor(i / 3)
        const expected = f(f((pixels[i] as number) * f(scale[c] as number)) + f(bias[c] as number))
        if (floats[at] !== expected) expect.fail(`${layout} sample ${i}: ${floats[at]} instead of ${expected}`)
      }
    }
  })

  it('float16 is that float32, rounded to half precision', async () => {
    const scale = [1 / 255, 1 / 255, 1 / 255] as const
    const pixels = (await decodeOne(source, 333, 251, crop)).bytes
    const halves = new Uint16Array(
      (await decodeOne(source, 333, 251, { ...crop, dtype: 'float16', scale })).bytes.buffer,
    )
    // 0, 1/255, 128/255 and 1 in IEEE half precision.
    const known = new Map([
      [0, 0x0000],
      [1, 0x1c04],
      [128, 0x3804],
      [255, 0x3c00],
    ])
    let seen = 0
    for (let i = 0; i < pixels.length; i++) {
      const expected = known.get(pixels[i] as number)
      if (expected === undefined) continue
      seen++
      if (halves[i] !== expected) expect.fail(`${pixels[i]} became 0x${halves[i]?.toString(16)}`)
    }
    expect(seen).toBeGreaterThan(50)
  })
})

describe('damage', () => {
  it.each(Object.entries(oracle).filter(([, { fault }]) => fault !== undefined))(
    '%s is a fault and leaves zeros',
    async (name, { width, height, fault }) => {
      const { bytes, faults } = await decodeOne(file(name), width, height)
      expect(`${faults[0]?.code} ${faults[0]?.reason}`).toBe(fault)
      expect(bytes.every((b) => b === 0)).toBe(true)
    },
  )

  it('is kept as libjpeg leaves it with tolerant: true', async () => {
    const { bytes, faults } = await decodeOne(file('truncated_60.jpg'), 320, 213, { tolerant: true })
    expect(faults).toEqual([])
    const whole = (await decodeOne(file('baseline_420.jpg'), 320, 213)).bytes
    // The upper half is intact.
    expect(Buffer.compare(bytes.subarray(0, 320 * 100 * 3), whole.subarray(0, 320 * 100 * 3))).toBe(0)
  })

  it('below the crop does not matter, for its pixels are right', async () => {
    const clip = { x: 40, y: 10, width: 200, height: 80 }
    const cut = await decodeOne(file('truncated_60.jpg'), 320, 213, { clip })
    expect(cut.faults).toEqual([])
    expect(Buffer.compare(cut.bytes, (await decodeOne(file('baseline_420.jpg'), 320, 213, { clip })).bytes)).toBe(0)
  })

  it('a header that disagrees with the metadata is E_CORRUPT', async () => {
    const { faults } = await decodeOne(file('baseline_420.jpg'), 321, 213)
    expect(faults).toEqual([
      { row: 0, code: 'E_CORRUPT', reason: 'the header says 320x213 pixels, the metadata 321x213', lasting: true },
    ])
  })

  it('a header beyond maxPixels is E_LIMIT before any memory is taken', async () => {
    const before = process.memoryUsage().rss
    const { faults } = await decodeOne(file('bomb_65500.jpg'), 65500, 65500, { width: 8, height: 8 })
    expect(faults[0]?.code).toBe('E_LIMIT')
    expect(faults[0]?.reason).toBe('the header says 65500x65500 pixels, more than maxPixels (178956970)')
    expect(process.memoryUsage().rss - before).toBeLessThan(64 * 2 ** 20)
  })
})
