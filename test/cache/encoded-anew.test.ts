import { join } from 'node:path'
import sharp from 'sharp'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { Permits } from '../../src/permits.ts'
import { buildImageCache } from '../../src/vision/cache/index.ts'
import { awkward, writeFolder } from './sources.ts'
import { temporaryFolders } from './temporary.ts'

const temporary = temporaryFolders()

/** A grey TIFF of 2 x 2 numbers of `bits` bits; format 1 unsigned, 2 signed, 3 float (TIFF 6.0, SampleFormat). */
function tiff(bits: number, format: number): Uint8Array {
  const entries = [
    [256, 3, 2], // width
    [257, 3, 2], // height
    [258, 3, bits],
    [259, 3, 1], // not compressed
    [262, 3, 1], // black is 0
    [273, 4, 8], // where the numbers are
    [277, 3, 1], // one a pixel
    [278, 3, 2], // rows of the strip
    [279, 4, bits / 2],
    [339, 3, format],
  ] as const
  const start = 8 + bits / 2
  const file = Buffer.alloc(start + 2 + 12 * entries.length + 4)
  file.write('II*\0', 'latin1')
  file.writeUInt32LE(start, 4)
  for (let i = 0; i < 4; i++) if (bits === 32 && format === 3) file.writeFloatLE(i / 4, 8 + 4 * i)
  file.writeUInt16LE(entries.length, start)
  entries.forEach(([tag, type, value], i) => {
    const at = start + 2 + 12 * i
    file.writeUInt16LE(tag, at)
    file.writeUInt16LE(type, at + 2)
    file.writeUInt32LE(1, at + 4)
    file.writeUInt32LE(value, at + 8)
  })
  return file
}

describe('numbers that 8 bits cannot hold', () => {
  it('are refused, not clipped: float, signed and 32 bits', async () => {
    const folder = await temporary()
    await writeFolder(join(folder, 'photos'), {
      'a/float.tif': tiff(32, 3),
      'a/int.tif': tiff(16, 2),
      'a/sound.tif': tiff(16, 1),
      'a/uint.tif': tiff(32, 1),
    })
    const report = await buildImageCache(join(folder, 'photos'), join(folder, 'cache'), { onError: 'skip' })
    expect(report.reencoded).toEqual({ tiff: 1 })
    expect(report.skipped).toEqual(
      ['float', 'int', 'uint'].map((name) => ({
        key: `a/${name}.tif`,
        code: 'E_UNSUPPORTED',
        reason: `its numbers are ${name === 'int' ? 'short' : name}: only 8 and 16 unsigned bits are read`,
      })),
    )
  })
})

describe('a damaged picture', () => {
  it('is not made a sound one: what must be encoded anew is E_CORRUPT, tolerant or not', async () => {
    const folder = await temporary()
    const png = awkward('rgba.png')
    await writeFolder(join(folder, 'photos'), {
      'a/corrupt_entropy.jpg': awkward('corrupt_entropy.jpg'),
      'a/cut.png': png.subarray(0, png.length / 2),
      'a/no_eoi.jpg': awkward('no_eoi.jpg'),
      'a/small.jpg': awkward('odd_17x9.jpg'),
      'a/truncated_60.jpg': awkward('truncated_60.jpg'),
      'a/truncated_progressive.jpg': awkward('truncated_progressive.jpg'),
    })
    const cmyk = awkward('cmyk.jpg')
    await writeFolder(join(folder, 'photos'), {
      'a/cut_cmyk.jpg': Buffer.concat([cmyk.subarray(0, cmyk.length / 2), Buffer.from([0xff, 0xd9])]),
    })
    const report = await buildImageCache(join(folder, 'photos'), join(folder, 'cache'), {
      maxSide: 100,
      tolerant: true,
      onError: 'skip',
    })
    expect(report).toMatchObject({ images: 1, reencoded: {} })
    expect(report.skipped.map(({ key, code }) => `${key} ${code}`)).toEqual([
      'a/corrupt_entropy.jpg E_CORRUPT',
      'a/cut.png E_CORRUPT',
      'a/cut_cmyk.jpg E_CORRUPT',
      'a/no_eoi.jpg E_CORRUPT',
      'a/truncated_60.jpg E_CORRUPT',
      'a/truncated_progressive.jpg E_CORRUPT',
    ])
  })
})

describe('memory', () => {
  afterEach(() => void vi.restoreAllMocks())

  it('is counted by what a picture takes, so that large ones that are scaled down are encoded side by side', async () => {
    const folder = await temporary()
    const run = vi.spyOn(Permits.prototype, 'run')
    const large = sharp({ create: { width: 600, height: 400, channels: 3, background: '#863' } })
    await writeFolder(join(folder, 'photos'), {
      'a/1.jpg': await large.clone().jpeg().toBuffer(),
      'a/2.jpg': await large.clone().jpeg({ progressive: true }).toBuffer(),
      'a/3.png': await large.clone().png().toBuffer(),
      'a/4.webp': await large.clone().webp().toBuffer(),
    })
    await buildImageCache(join(folder, 'photos'), join(folder, 'cache'), { maxSide: 60 })
    const [pixels, result] = [600 * 400, 60 * 40 * 13]
    expect(run.mock.calls.map(([cost]) => cost).sort((a, b) => a - b)).toEqual([
      2 * pixels + result,
      2 * pixels + result,
      9 * pixels + result,
      9 * pixels + result,
    ])
  })

  it('no picture has more pixels a side than libjpeg decodes', async () => {
    const folder = await temporary()
    const source = async function* () {
      for (const width of [65_500, 65_501])
        yield {
          image: await sharp({ create: { width, height: 1, channels: 3, background: '#863' } })
            .png()
            .toBuffer(),
        }
    }
    const report = await buildImageCache(source(), join(folder, 'cache'), { onError: 'skip' })
    expect(report).toMatchObject({ images: 1 })
    expect(report.skipped).toEqual([
      { key: 'sample 1', code: 'E_LIMIT', reason: '65501 x 1 pixels: a JPEG has at most 65500 a side' },
    ])
  })
})
