import { readFile, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { buildImageCache, load, openImageCache, verifyImageCache } from '../../src/vision/index.ts'
import { awkward, writeFolder } from './sources.ts'
import { temporaryFolders } from './temporary.ts'

/** Caches whose tables and files say what cannot be: an error, never the end of the process. */

const TEBIBYTE = 2 ** 40
const newFolder = temporaryFolders()

let path: string
beforeEach(async () => {
  const folder = await newFolder()
  path = join(folder, 'cache')
  const picture = awkward('odd_17x9.jpg')
  await writeFolder(join(folder, 'photos'), { 'a/0.jpg': picture, 'a/1.jpg': picture, 'b/2.jpg': picture })
  await buildImageCache(join(folder, 'photos'), path)
})

/** As someone else's cache: nothing says how large its files are. */
async function disown(): Promise<void> {
  const file = join(path, 'manifest.json')
  const { headrace, file_sizes, ...manifest } = JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>
  await writeFile(file, JSON.stringify(manifest))
}

/** Writes 64-bit words into the rows of a table, from row `sample` on. */
async function editRow(table: string, rowBytes: number, sample: number, words: readonly number[]): Promise<void> {
  const bytes = await readFile(join(path, table))
  const start = 10 + bytes.readUInt16LE(8) + sample * rowBytes
  for (const [i, word] of words.entries()) bytes.writeBigUInt64LE(BigInt(word), start + 8 * i)
  await writeFile(join(path, table), bytes)
}

describe('a sample that is said to be larger than any memory', () => {
  it('of strings is a damaged table', async () => {
    await truncate(join(path, 'path.bin'), TEBIBYTE)
    await editRow('path.offsets.npy', 16, 1, [0, TEBIBYTE / 2])
    await disown()
    await expect(openImageCache(path)).rejects.toMatchObject({
      code: 'E_CORRUPT',
      message: `${path}/path.offsets.npy: sample 1 is said to have 549755813888 bytes, but one can have 536870888 at most`,
      details: { sample: 1 },
    })
  })

  it('of pictures is a damaged table, and verify says so and goes on', async () => {
    await truncate(join(path, 'image.bin'), TEBIBYTE)
    await editRow('image.meta.npy', 24, 2, [0, TEBIBYTE / 2])
    await disown()
    await expect(openImageCache(path)).rejects.toMatchObject({
      code: 'E_CORRUPT',
      message: `${path}/image.meta.npy: sample 2 is said to have 549755813888 bytes, but one can have 4294967295 at most`,
    })
    const { ok, problems } = await verifyImageCache(path)
    expect(ok).toBe(false)
    expect(problems).toEqual([
      { file: 'image.bin', sample: 2, key: 'b/2.jpg', reason: '549755813888 bytes are more than a picture has' },
    ])
  })

  it('for a name is not used as one', async () => {
    await truncate(join(path, 'path.bin'), 2 ** 29)
    await editRow('path.offsets.npy', 16, 1, [0, 2 ** 28])
    await disown()
    const cache = await openImageCache(path)
    expect([0, 1, 2].map((id) => cache.describe(id))).toEqual(['a/0.jpg', 'sample 1', 'b/2.jpg'])
    await cache.close()
  })
})

describe('a file that is cut off while its cache is open', () => {
  it('still has a name for every sample, and its strings are damaged samples', async () => {
    const cache = await openImageCache(path)
    await truncate(join(path, 'path.bin'), 0)
    expect(cache.describe(1)).toBe('sample 1')
    await expect(cache.read(1)).rejects.toMatchObject({
      code: 'E_CORRUPT',
      message: 'sample 1: the mapped file cannot be read here: it was cut off, or its device fails',
    })
    const loader = load(cache, { fields: ['path', 'label'], onError: 'skip', rank: 0, worldSize: 1 })
    for await (const { meta } of loader) expect(meta.size).toBe(0)
    expect(loader.report().faults.map(({ sample, key, code }) => [sample, key, code])).toEqual([
      [0, 'sample 0', 'E_CORRUPT'],
      [1, 'sample 1', 'E_CORRUPT'],
      [2, 'sample 2', 'E_CORRUPT'],
    ])
    loader.close()
    await cache.close()
  })
})
