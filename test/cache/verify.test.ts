import { execFileSync } from 'node:child_process'
import { cp, mkdtemp, open, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { buildImageCache, verifyImageCache } from '../../src/vision/cache/index.ts'
import { manyPictures, writeFolder } from './sources.ts'

let folder: string
let path: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'headrace-verify-'))
  await manyPictures(join(folder, 'photos'), 40, 10)
  await buildImageCache(join(folder, 'photos'), join(folder, 'sound'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))
beforeEach(async () => {
  path = join(folder, 'cache')
  await rm(path, { recursive: true, force: true })
  await cp(join(folder, 'sound'), path, { recursive: true })
})

async function flip(name: string, at: number, bit = 0): Promise<void> {
  const bytes = await readFile(join(path, name))
  bytes[at] = (bytes[at] ?? 0) ^ (1 << bit)
  await writeFile(join(path, name), bytes)
}

/** Where sample `id` lies in image.bin, by the bytes of the table itself. */
async function placeOf(id: number): Promise<{ offset: number; size: number }> {
  const rows = (await readFile(join(path, 'image.meta.npy'))).subarray(192 + 24 * id)
  return { offset: Number(rows.readBigUInt64LE(0)), size: Number(rows.readBigUInt64LE(8)) }
}

const FILES = [
  'image.bin',
  'image.meta.npy',
  'image.crc32c.npy',
  'label.npy',
  'path.bin',
  'path.offsets.npy',
  'path.crc32c.npy',
]
/** Sample 17's path: samples are sorted by class, and every third file is of one class. */
const KEY = 'b/00010.jpg'

describe('verify', () => {
  it('finds nothing in a sound cache, and looks at every byte', async () => {
    const heard: number[] = []
    const report = await verifyImageCache(path, { onProgress: ({ images, total }) => heard.push(images, total) })
    const sizes = await Promise.all(
      [...FILES, 'manifest.json'].map(async (name) => (await stat(join(path, name))).size),
    )
    expect(report).toEqual({
      ok: true,
      images: 40,
      bytes: sizes.reduce((a, b) => a + b, 0),
      checked: 'checksums',
      problems: [],
    })
    expect(heard.slice(-2)).toEqual([40, 40])
  })

  it('names the sample whose picture has a flipped bit, wherever in it the bit is', async () => {
    const { offset, size } = await placeOf(17)
    for (const at of [offset, offset + (size >> 1), offset + size - 1]) {
      await flip('image.bin', at, 5)
      const { ok, problems } = await verifyImageCache(path)
      expect(ok).toBe(false)
      expect(problems).toEqual([
        {
          file: 'image.bin',
          sample: 17,
          key: KEY,
          reason: expect.stringMatching(/^its bytes have the checksum [0-9a-f]{8}, not [0-9a-f]{8}$/),
        },
      ])
      await flip('image.bin', at, 5)
    }
    expect((await verifyImageCache(path)).ok).toBe(true)
  })

  it('finds a flipped bit in any file, at any place', async () => {
    const missed: string[] = []
    for (const name of [...FILES, 'manifest.json']) {
      const { size } = await stat(join(path, name))
      const places = Array.from({ length: 40 }, (_, i) => Math.floor((i * 7919 * size) / 40 / 7919 + i * 13) % size)
      for (const [i, at] of [0, size - 1, ...places].entries()) {
        await flip(name, at, i % 8)
        const { ok, problems } = await verifyImageCache(path)
        if (ok || !problems.some(({ file }) => file === name))
          missed.push(`${name} bit ${i % 8} of byte ${at}: ${JSON.stringify(problems)}`)
        await flip(name, at, i % 8)
      }
    }
    expect(missed).toEqual([])
  })

  it.each([
    ['image.meta.npy', 192 + 24 * 17, 17],
    ['image.meta.npy', 192 + 24 * 17 + 8, 18],
    ['image.meta.npy', 192 + 24 * 17 + 16, 17],
    ['image.meta.npy', 192 + 24 * 17 + 20, 17],
    ['image.crc32c.npy', 128 + 4 * 17, 17],
    ['path.offsets.npy', 128 + 16 * 17, 17],
    ['path.crc32c.npy', 128 + 4 * 17 + 3, 17],
  ])('names the sample whose row of %s (byte %i) is damaged', async (name, at, sample) => {
    await flip(name, at)
    const { problems } = await verifyImageCache(path)
    expect(problems.map(({ file, sample }) => [file, sample])).toEqual([[name, sample]])
  })

  it('names the sample whose path is damaged', async () => {
    await flip('path.bin', 17 * 11 + 3)
    const { problems } = await verifyImageCache(path)
    expect(problems).toEqual([
      {
        file: 'path.bin',
        sample: 17,
        key: expect.not.stringMatching(KEY),
        reason: expect.stringContaining('checksum'),
      },
    ])
  })

  it('names the first sample that is not all there in a short file', async () => {
    const { offset, size } = await placeOf(17)
    const whole = (await stat(join(path, 'image.bin'))).size
    await truncate(join(path, 'image.bin'), offset + size - 1)
    const { problems } = await verifyImageCache(path)
    expect(problems).toEqual([
      {
        file: 'image.bin',
        sample: 17,
        key: KEY,
        reason: `the file has ${offset + size - 1} bytes, not ${whole}: this is the first sample that is cut off`,
      },
    ])
  })

  it.each(FILES)('finds that %s is short, longer, or missing', async (name) => {
    const { size } = await stat(join(path, name))
    const file = await open(join(path, name), 'a')
    await file.write('x')
    await file.close()
    expect((await verifyImageCache(path)).problems).toContainEqual(
      expect.objectContaining({ file: name, reason: `has ${size + 1} bytes, not ${size}` }),
    )
    await truncate(join(path, name), size - 1)
    expect((await verifyImageCache(path)).problems).toContainEqual(
      expect.objectContaining({ file: name, reason: expect.stringContaining(`has ${size - 1} bytes, not ${size}`) }),
    )
    await rm(join(path, name))
    expect((await verifyImageCache(path)).problems).toEqual([{ file: name, reason: 'is missing' }])
  })

  it.each([...FILES, 'manifest.json'])('does not wait for a named pipe in the place of %s', async (name) => {
    await rm(join(path, name))
    execFileSync('mkfifo', [join(path, name)])
    expect((await verifyImageCache(path)).problems).toEqual([
      { file: name, reason: expect.stringContaining('is not a regular file') },
    ])
  })

  it('finds that the manifest is missing or unreadable', async () => {
    await writeFile(join(path, 'manifest.json'), '{"version":')
    expect((await verifyImageCache(path)).problems).toEqual([
      { file: 'manifest.json', reason: expect.stringContaining('is not JSON') },
    ])
    await rm(join(path, 'manifest.json'))
    expect(await verifyImageCache(path)).toMatchObject({
      ok: false,
      problems: [{ file: 'manifest.json', reason: 'is missing' }],
    })
  })

  it('reports every damaged sample', async () => {
    for (const id of [3, 20, 39]) await flip('image.bin', (await placeOf(id)).offset + 100)
    expect((await verifyImageCache(path)).problems.map(({ sample }) => sample)).toEqual([3, 20, 39])
  })

  it('looks at the structure of a cache without checksums, and says so', async () => {
    const manifest = JSON.parse(await readFile(join(path, 'manifest.json'), 'utf8'))
    delete manifest.headrace
    for (const name of Object.keys(manifest.file_sizes)) if (name.includes('crc32c')) delete manifest.file_sizes[name]
    await writeFile(join(path, 'manifest.json'), JSON.stringify(manifest))
    expect(await verifyImageCache(path)).toMatchObject({ ok: true, checked: 'structure' })
    const { offset, size } = await placeOf(17)
    await flip('image.bin', offset)
    expect((await verifyImageCache(path)).problems).toEqual([
      { file: 'image.bin', sample: 17, key: KEY, reason: expect.stringContaining('no JPEG start marker') },
    ])
    await flip('image.bin', offset)
    await flip('image.bin', offset + size - 1)
    expect((await verifyImageCache(path)).problems).toEqual([
      { file: 'image.bin', sample: 17, key: KEY, reason: 'the JPEG has no end marker' },
    ])
    await flip('image.meta.npy', 192 + 24 * 17 + 5, 7)
    expect((await verifyImageCache(path)).problems[0]).toMatchObject({
      file: 'image.meta.npy',
      sample: 17,
      reason: expect.stringContaining('points to bytes'),
    })
  })

  it('is an error where there is no cache, for options that do not exist, and when it is stopped', async () => {
    await writeFolder(folder, { 'other/file.txt': 'x' })
    await expect(verifyImageCache(join(folder, 'nothing'))).rejects.toMatchObject({ code: 'E_NOT_FOUND' })
    await expect(verifyImageCache(join(folder, 'other'))).rejects.toMatchObject({ code: 'E_NOT_FOUND' })
    await expect(verifyImageCache(path, { thread: 1 } as object)).rejects.toThrow('has no option "thread"')
    await expect(verifyImageCache(path, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'E_CANCELLED' })
  })
})
