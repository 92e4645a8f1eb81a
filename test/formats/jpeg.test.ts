import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { HeadraceError } from '../../src/errors.ts'
import { parseJpeg } from '../../src/formats/jpeg.ts'

const file = (name: string): Buffer => readFileSync(new URL(`../fixtures/awkward/${name}`, import.meta.url))
const plain = {
  width: 320,
  height: 213,
  components: 3,
  precision: 8,
  process: 'sequential',
  progressive: false,
  arithmetic: false,
  sampling: '4:2:0',
  hasEndMarker: true,
}

describe('a JPEG', () => {
  it.each([
    ['baseline_420.jpg', {}],
    ['gray.jpg', { width: 256, height: 256, components: 1, sampling: 'gray' }],
    ['progressive.jpg', { process: 'progressive', progressive: true }],
    ['s444.jpg', { sampling: '4:4:4' }],
    ['s422.jpg', { sampling: '4:2:2' }],
    ['s440.jpg', { sampling: '4:4:0' }],
    ['s411.jpg', { sampling: '4:1:1' }],
    ['odd_sampling.jpg', { sampling: '2x2,1x2,2x1' }],
    ['rgb_adobe.jpg', { sampling: '4:4:4', adobeTransform: 0 }],
    ['cmyk.jpg', { width: 300, height: 200, components: 4, sampling: '4:4:4', adobeTransform: 0 }],
    ['arithmetic.jpg', { arithmetic: true }],
    ['noninterleaved.jpg', {}],
    ['restart_row.jpg', {}],
    ['quality5.jpg', {}],
    ['exif_orient6_thumb.jpg', { width: 240, height: 360 }],
    ['icc_comment.jpg', {}],
    ['odd_17x9.jpg', { width: 17, height: 9 }],
    ['wide_2000x1.jpg', { width: 2000, height: 1 }],
    ['trailing_bytes.jpg', {}],
    ['fill_bytes.jpg', {}],
    ['no_eoi.jpg', { hasEndMarker: false }],
    ['truncated_60.jpg', { hasEndMarker: false }],
    ['truncated_progressive.jpg', { process: 'progressive', progressive: true, hasEndMarker: false }],
    ['bomb_65500.jpg', { width: 65500, height: 65500 }],
  ])('%s says what it is', (name, differs) => {
    expect(parseJpeg(file(name))).toEqual({ ...plain, ...differs })
  })

  it.each(['baseline_420.jpg', 'progressive.jpg', 'noninterleaved.jpg', 'exif_orient6_thumb.jpg', 'restart_4b.jpg'])(
    '%s cut anywhere is broken or has no end marker: a thumbnail is not taken for the end',
    (name) => {
      const whole = file(name)
      for (let length = 0; length < whole.length; length++) {
        let found: boolean | undefined
        try {
          found = parseJpeg(whole.subarray(0, length)).hasEndMarker
        } catch (error) {
          if (!(error instanceof HeadraceError)) throw error
        }
        if (found === true) expect.fail(`an end marker in the first ${length} bytes`)
      }
    },
  )

  it('with FFD9 in a comment between its scans and none after them has no end', () => {
    const whole = file('noninterleaved.jpg')
    const second = whole.indexOf(Buffer.from([0xff, 0xda]), whole.indexOf(Buffer.from([0xff, 0xda])) + 2)
    const comment = Buffer.from([0xff, 0xfe, 0, 4, 0xff, 0xd9])
    const edited = Buffer.concat([whole.subarray(0, second), comment, whole.subarray(second, -2)])
    expect(parseJpeg(edited).hasEndMarker).toBe(false)
    expect(parseJpeg(Buffer.concat([edited, Buffer.from([0xff, 0xd9, 1, 2, 3])])).hasEndMarker).toBe(true)
  })

  const start = [0xff, 0xd8]
  const frame = (...body: number[]): number[] => [0xff, 0xc0, 0, 8 + body.length - 6, ...body]
  const gray = frame(8, 0, 1, 0, 1, 1, 1, 0x11, 0)
  it.each([
    ['no JPEG start marker (FFD8) at byte 0 of 1', [0xff]],
    ['the JPEG ends before its image data at byte 2 of 2', start],
    ['stray bytes where a JPEG marker belongs at byte 2', [...start, 0, 0]],
    ['JPEG marker FFD0 out of place at byte 2', [...start, 0xff, 0xd0, 0, 2]],
    ['JPEG marker FFD8 out of place', [...start, ...start, 0, 0]],
    ['an end marker before any image data', [...start, 0xff, 0xd9, 0, 0]],
    ['JPEG segment FFE0 with a length of 1', [...start, 0xff, 0xe0, 0, 1, 0]],
    ['JPEG segment FFE0 of 100 bytes runs past the end at byte 2 of 7', [...start, 0xff, 0xe0, 0, 100, 0]],
    ['a JPEG scan before the frame header', [...start, 0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0]],
    ['a second JPEG frame header', [...start, ...gray, ...gray]],
    ['is 11 bytes long for 0 components', [...start, ...frame(8, 0, 1, 0, 1, 0, 1, 0x11, 0)]],
    ['has sampling factors 0x5', [...start, ...frame(8, 0, 1, 0, 1, 1, 1, 0x05, 0)]],
    ['has a width of 0', [...start, ...frame(8, 0, 1, 0, 0, 1, 1, 0x11, 0)]],
    ['a malformed JPEG scan header', [...start, ...gray, 0xff, 0xda, 0, 8, 2, 1, 0, 0, 63, 0]],
  ])('is refused where it is broken: %s', (message, bytes) => {
    expect(() => parseJpeg(Uint8Array.from(bytes))).toThrow(
      expect.objectContaining({ code: 'E_CORRUPT', message: expect.stringContaining(message) }),
    )
  })

  it('may have stray bytes between segments if the caller says so', () => {
    const whole = file('baseline_420.jpg')
    const strayed = Buffer.concat([whole.subarray(0, 2), Buffer.from([1, 2, 3]), whole.subarray(2)])
    expect(() => parseJpeg(strayed)).toThrow('stray bytes')
    expect(parseJpeg(strayed, { strayBytes: 'skip' })).toEqual(plain)
  })

  it('whose height follows later is not supported', () => {
    const bytes = Uint8Array.from([...start, ...frame(8, 0, 0, 0, 1, 1, 1, 0x11, 0)])
    expect(() => parseJpeg(bytes)).toThrow(expect.objectContaining({ code: 'E_UNSUPPORTED' }))
  })

  it('never fails in another way, whatever the bytes', () => {
    const seeds = ['progressive.jpg', 'exif_orient6_thumb.jpg', 'odd_17x9.jpg'].map((name) =>
      file(name).subarray(0, 3000),
    )
    const change = fc.tuple(fc.nat(700), fc.nat(255))
    fc.assert(
      fc.property(
        fc.constantFrom(...seeds),
        fc.array(change, { maxLength: 8 }),
        fc.nat(3000),
        (seed, changes, length) => {
          const bytes = Buffer.from(seed.subarray(0, length))
          for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value
          try {
            parseJpeg(bytes)
          } catch (error) {
            expect(error).toBeInstanceOf(HeadraceError)
          }
        },
      ),
      { numRuns: 3000 },
    )
  })
})
