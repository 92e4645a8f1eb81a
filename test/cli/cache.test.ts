import { cp, mkdir, open, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type PhotoCache, photoCache } from '../loader/photo-cache.ts'
import { built, headrace, type Result, ROOT, shell } from './built.ts'

let photos: PhotoCache
let source: string
beforeAll(async () => {
  photos = await photoCache(30, 64)
  source = join(photos.folder, 'photos')
  await built()
})
afterAll(() => photos.remove())

const place = (name: string): string => join(photos.folder, name)
const json = ({ stdout }: Result) => JSON.parse(stdout) as Record<string, unknown>

describe('cache build', () => {
  it('--json prints one document on stdout and nothing else', async () => {
    const result = await headrace('cache', 'build', source, place('a'), '--json')
    expect(result).toMatchObject({ code: 0, stderr: '' })
    expect(json(result)).toMatchObject({ images: 30, reencoded: {}, skipped: [], ignored: [], resumedAt: 0 })
    expect(json(result).bytes).toBeGreaterThan(30 * 500)
    expect(json(result).seconds).toBeGreaterThan(0)
  })

  it('draws progress on stderr only, and only where it is asked for', async () => {
    const { code, stdout, stderr } = await headrace('cache', 'build', source, place('b'), '--json', '--progress')
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ images: 30 })
    expect(stderr).toContain('building █')
  })

  it('says in words how many images there are', async () => {
    const { code, stdout, stderr } = await headrace('cache', 'build', source, place('c'))
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(/^\/.*\/c: 30 images, [\d.]+ [kKM]i?B, in [\d.]+ s\n$/)
  })

  it('passes its options on: sizes and quality', async () => {
    const result = await headrace(
      'cache',
      'build',
      source,
      place('small'),
      '--max-side',
      '48',
      '--quality',
      '50',
      '--workers',
      '2',
      '--json',
    )
    expect(json(result)).toMatchObject({ images: 30, reencoded: { jpeg: 30 } })
    const { fields, options } = json(await headrace('cache', 'info', place('small'), '--json'))
    expect(fields).toMatchObject({ image: { kind: 'image', encoding: 'jpeg' } })
    expect(options).toMatchObject({ maxSide: 48, quality: 50 })
    const { image } = fields as { readonly image: { readonly meanWidth: number; readonly meanHeight: number } }
    expect(Math.max(image.meanWidth, image.meanHeight)).toBeLessThanOrEqual(48)
  })

  it('says which files it did not look at, because they lie outside class folders', async () => {
    await cp(source, place('beside'), { recursive: true })
    await writeFile(join(place('beside'), 'README.txt'), 'about')
    const { stdout } = await headrace('cache', 'build', place('beside'), place('beside.cache'))
    expect(stdout).toContain('\nignored 1 file outside class folders: README.txt\n')
  })

  it('skips links to nothing, and keeps a name with a newline on its line', async () => {
    await cp(source, place('odd'), { recursive: true })
    await mkdir(join(place('odd'), 'a\nb'))
    await symlink('nowhere', join(place('odd'), 'a\nb', '1.jpg'))
    const { code, stdout } = await headrace('cache', 'build', place('odd'), `file://${place('odd.cache')}`)
    expect(code).toBe(0)
    expect(stdout).toContain('\nskipped 1 bad file:\n  a\\nb/1.jpg: is a link to nothing [E_NOT_FOUND]\n')
    expect((await headrace('cache', 'info', place('odd.cache'))).code).toBe(0)
  })

  it.each(['0', '101', '90.5'])('refuses --quality %s by its name', async (quality) => {
    const { code, stderr } = await headrace('cache', 'build', source, place('never'), '--quality', quality)
    expect(code).toBe(2)
    expect(stderr).toContain('--quality')
    expect(stderr).toContain('It must be an integer from 1 to 100.')
  })

  describe('with bad files among the good', () => {
    beforeAll(async () => {
      await cp(source, place('mixed'), { recursive: true })
      const [folder = ''] = (await readdir(place('mixed'))).sort()
      await writeFile(join(place('mixed'), folder, '000-notes.jpg'), 'no picture')
      await writeFile(join(place('mixed'), folder, '001-empty.jpg'), '')
    })

    it('skips and reports them by default, and exits with 0', async () => {
      const { code, stdout } = await headrace('cache', 'build', place('mixed'), place('m1'))
      expect(code).toBe(0)
      expect(stdout).toContain('skipped 2 bad files:\n')
      expect(stdout).toMatch(/000-notes\.jpg: is not a picture .* \[E_UNSUPPORTED\]\n/)
      expect(stdout).toMatch(/001-empty\.jpg: is an empty file \[E_CORRUPT\]\n/)
    })

    it('--json lists each with key, code and reason', async () => {
      const { skipped, images } = json(await headrace('cache', 'build', place('mixed'), place('m2'), '--json'))
      expect(images).toBe(30)
      expect(skipped).toMatchObject([
        {
          key: expect.stringMatching(/000-notes\.jpg$/),
          code: 'E_UNSUPPORTED',
          reason: expect.stringContaining('is not a picture'),
        },
        { key: expect.stringMatching(/001-empty\.jpg$/), code: 'E_CORRUPT', reason: 'is an empty file' },
      ])
    })

    it('--on-error throw ends with 1, names the file and leaves no cache', async () => {
      const { code, stdout, stderr } = await headrace(
        'cache',
        'build',
        place('mixed'),
        place('m3'),
        '--on-error',
        'throw',
      )
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
      expect(stderr).toMatch(
        /^headrace: .*000-notes\.jpg is not a picture .* \[E_UNSUPPORTED\]\nhint: leave bad samples out with --on-error skip\n$/,
      )
      expect((await readdir(photos.folder)).filter((name) => name === 'm3')).toEqual([])
    })
  })

  it('refuses to write over a cache without --force', async () => {
    await headrace('cache', 'build', source, place('twice'))
    const again = await headrace('cache', 'build', source, place('twice'))
    expect(again.code).toBe(1)
    expect(again.stderr).toMatch(/ exists already \[E_EXISTS\]\nhint: give --force to replace it\n$/)
    expect((await headrace('cache', 'build', source, place('twice'), '--force')).code).toBe(0)
  })
})

describe('cache info', () => {
  it('--json has images, bytes, encoding, source, fields, version and the libjpeg-turbo that decodes', async () => {
    const { code, stdout, stderr } = await headrace('cache', 'info', photos.path, '--json')
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(JSON.parse(stdout)).toMatchObject({
      images: 30,
      bytes: expect.any(Number),
      encoding: 'jpeg',
      source: { url: expect.stringMatching(/^file:\/\/.*photos/) },
      fields: {
        image: { kind: 'image', encoding: 'jpeg' },
        label: { kind: 'number', dtype: 'int64' },
        path: { kind: 'string' },
      },
      version: expect.stringMatching(/^headrace \d+\.\d+\.\d+/),
      libjpegTurbo: expect.stringMatching(/^\d+\.\d+/),
    })
    const sizes = await shell(`du -sb --apparent-size ${photos.path}/* | awk '{s+=$1} END {print s}'`)
    expect(JSON.parse(stdout).bytes).toBe(Number(sizes.stdout))
  })

  it('says the same in words', async () => {
    const { stdout } = await headrace('cache', 'info', photos.path)
    expect(stdout).toMatch(/^images {9}30\n/)
    expect(stdout).toContain('encoding       jpeg\n')
    expect(stdout).toMatch(
      /\nfield image {4}image, jpeg, [\d.]+ KiB, at most [\d.]+ (?:B|KiB) each, \d+ x \d+ pixels on average\nfield label {4}number, int64\nfield path {5}string\n/,
    )
    expect(stdout).toContain(`classes        ${photos.cache.classes?.length}: ${photos.cache.classes?.[0]}, `)
    expect(stdout).toMatch(/\noptions {8}encoding jpeg, .*quality 95/)
    expect(stdout).toContain('\nskipped        0 bad samples\nencoded anew   none\n')
    expect(stdout).toContain('\nchecksums      of every byte\n')
    expect(stdout).toMatch(/libjpeg-turbo {2}\d+\.\d+/)
  })
})

describe('cache verify', () => {
  it('says of a sound cache that it is sound', async () => {
    const { code, stdout, stderr } = await headrace('cache', 'verify', photos.path)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(/: 30 images, .*: sound \(checksums match\)\n$/)
    expect(json(await headrace('cache', 'verify', photos.path, '--json'))).toMatchObject({
      ok: true,
      images: 30,
      problems: [],
    })
  })

  it('says of a cache without checksums what it could look at', async () => {
    await cp(photos.path, place('plain'), { recursive: true })
    const manifest = join(place('plain'), 'manifest.json')
    const { headrace: _, ...slipstreams } = JSON.parse(await readFile(manifest, 'utf8'))
    await writeFile(manifest, JSON.stringify(slipstreams))
    const { code, stdout } = await headrace('cache', 'verify', place('plain'))
    expect(code).toBe(0)
    expect(stdout).toMatch(/: sound \(sizes and structure only: this cache has no checksums\)\n$/)
  })

  it('ends with 1 and names the sample after one bit of image.bin is flipped', async () => {
    await cp(photos.path, place('flipped'), { recursive: true })
    const bin = join(place('flipped'), 'image.bin')
    const at = Math.floor((await readFile(bin)).length / 2)
    const file = await open(bin, 'r+')
    const byte = Buffer.alloc(1)
    await file.read(byte, 0, 1, at)
    await file.write(Uint8Array.of((byte[0] as number) ^ 0x10), 0, 1, at)
    await file.close()
    let sample = 0
    for (let end = 0; sample < 30; sample++) {
      end += ((await photos.cache.read(sample)).image as Uint8Array).length
      if (end > at) break
    }
    const text = await headrace('cache', 'verify', place('flipped'))
    expect(text.code).toBe(1)
    expect(text.stdout).toContain(`image.bin, sample ${sample} (${photos.cache.describe(sample)}): `)
    const document = await headrace('cache', 'verify', place('flipped'), '--json')
    expect(document.code).toBe(1)
    expect(json(document)).toMatchObject({
      ok: false,
      problems: [{ file: 'image.bin', sample, key: photos.cache.describe(sample) }],
    })
  })

  it('ends with 1 and names a file that is missing', async () => {
    await mkdir(place('lost'))
    await cp(photos.path, place('lost'), { recursive: true })
    await rm(join(place('lost'), 'label.npy'))
    const { code, stdout, stderr } = await headrace('cache', 'verify', place('lost'))
    expect(code).toBe(1)
    expect(stdout + stderr).toContain('label.npy')
  })
})

describe('planes', () => {
  it('are built, inspected, previewed and timed', async () => {
    const { code } = await headrace('cache', 'build', source, place('planes'), '--encoding', 'yuv420')
    expect(code).toBe(0)
    const info = await headrace('cache', 'info', place('planes'))
    expect(info.stdout).toMatch(/^field image +image, yuv420, /m)
    const sheet = await headrace('preview', place('planes'), '--out', place('sheet.png'), '--size', '32')
    expect(sheet.code).toBe(0)
    const bench = await headrace('bench', 'vision', place('planes'), '--pipeline', 'rrc', '--epochs', '1', '--json')
    expect(json(bench)).toMatchObject({ cache: { encoding: 'yuv420' }, skipped: 0, replaced: 0 })
    const exported = await headrace('cache', 'export', place('planes'), place('none'))
    expect(exported.code).toBe(1)
    expect(exported.stderr).toContain('of which no image files can be made [E_UNSUPPORTED]')
  })

  it("have slipstream's bytes where that is asked for", async () => {
    await headrace('cache', 'build', source, place('compat'), '--encoding', 'yuv420', '--compat', 'slipstream')
    const { fields, options } = json(await headrace('cache', 'info', place('compat'), '--json'))
    expect(options).toMatchObject({ encoding: 'yuv420', compat: 'slipstream' })
    expect(fields).toMatchObject({ image: { encoding: 'yuv420' } })
    const refused = await headrace('cache', 'build', source, place('no'), '--compat', 'slipstream')
    expect(refused.code).toBe(2)
    expect(refused.stderr).toContain("compat needs the encoding 'yuv420', but got 'jpeg'")
  })
})

describe('packed coefficients', () => {
  it('are built from a folder or a cache, inspected and exported', async () => {
    await headrace('cache', 'build', source, place('plain'), '--encoding', 'dct')
    const compact = await headrace(
      'cache',
      'build',
      place('plain'),
      place('compact'),
      '--encoding',
      'dct',
      '--compact',
      '--json',
    )
    expect(json(compact)).toMatchObject({ images: 30, unpacked: {} })
    const info = await headrace('cache', 'info', place('compact'))
    expect(info.stdout).toMatch(/^field image +image, dct \(compact\), /m)
    expect(info.stdout).toMatch(/^stayed JPEG +none$/m)
    const exported = await headrace('cache', 'export', place('compact'), place('files'))
    expect(exported.stdout).toMatch(/^\/.*\/files: 30 images, [\d.]+ [kKM]i?B, in [\d.]+ s\n$/)
    const again = await headrace('cache', 'export', place('compact'), place('files'))
    expect(again.code).toBe(1)
    expect(again.stderr).toContain('is not empty [E_EXISTS]')
  })

  it('say what stayed a JPEG', async () => {
    await cp(join(ROOT, 'test/fixtures/awkward/cmyk.jpg'), join(photos.folder, 'cmyk/a/cmyk.jpg'))
    const { stdout } = await headrace('cache', 'build', place('cmyk'), place('kept'), '--encoding', 'dct')
    expect(stdout).toContain('stayed JPEG: 1 (components that are not Y, Cb, Cr)')
  })
})
