import { chmod, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Sample } from '../../src/datasets/types.ts'
import {
  type BuildInput,
  buildImageCache,
  exportImageCache,
  imageCacheInfo,
  openImageCache,
  verifyImageCache,
} from '../../src/vision/cache/index.ts'
import { withoutPrivileges } from '../unprivileged.ts'
import { awkward, exists, ListedSamples, writeFolder } from './sources.ts'
import { temporaryFolders } from './temporary.ts'

const temporary = temporaryFolders()

async function photos(): Promise<string> {
  const folder = await temporary()
  await writeFolder(folder, { 'photos/a/1.jpg': awkward('gray.jpg'), 'photos/a/2.jpg': awkward('s444.jpg') })
  return folder
}

describe('places', () => {
  it('may be file URLs, of the source, the cache and what is exported', async () => {
    const folder = await photos()
    const cache = `file://${folder}/new/photos.cache`
    await buildImageCache(`file://${folder}/photos`, cache)
    expect(await exists(join(folder, 'new/photos.cache/manifest.json'))).toBe(true)
    expect((await imageCacheInfo(cache)).images).toBe(2)
    expect((await verifyImageCache(cache)).ok).toBe(true)
    expect((await buildImageCache(cache, `file://${folder}/second.cache`)).images).toBe(2)
    await exportImageCache(cache, `file://localhost${folder}/exported`)
    expect(await readdir(join(folder, 'exported/a'))).toEqual(['1.jpg', '2.jpg'])
    await expect(buildImageCache(`file://${folder}/photos`, `file://${folder}/photos/x`)).rejects.toThrow(
      'lies inside the source',
    )
  })

  it.each(['s3://bucket/photos.cache', 'mem://photos.cache', '', 42, undefined])(
    'that are %s are refused by all',
    async (place) => {
      const folder = await photos()
      const path = place as string
      const refused = {
        code: 'E_USAGE',
        message: expect.stringContaining(' must be a path or a file:// URL, but got '),
      }
      await expect(buildImageCache(`${folder}/photos`, path)).rejects.toMatchObject(refused)
      await expect(openImageCache(path)).rejects.toMatchObject(refused)
      await expect(imageCacheInfo(path)).rejects.toMatchObject(refused)
      await expect(verifyImageCache(path)).rejects.toMatchObject(refused)
      await expect(exportImageCache(path, folder)).rejects.toMatchObject(refused)
    },
  )
})

describe('a source that is none', () => {
  it.each([
    [undefined, 'undefined'],
    [null, 'null'],
    [42, '42'],
    [Promise.resolve([]), 'Promise'],
    [{ photos: 'a' }, '{"photos":"a"}'],
  ])('such as %s is refused', async (source, shown) => {
    await expect(buildImageCache(source as unknown as BuildInput, join(await temporary(), 'x'))).rejects.toMatchObject({
      code: 'E_USAGE',
      message: `the source must be a folder, a cache, a dataset or samples, but got ${shown}`,
      ...(source instanceof Promise ? { details: { hint: 'await it' } } : {}),
    })
  })
})

it.each([undefined, null, 7])('a dataset that reads %s has a bad sample there, and does not end', async (nothing) => {
  const sample = { image: awkward('gray.jpg') }
  const source = new ListedSamples({ image: { kind: 'image' } }, [sample, nothing as unknown as Sample, sample])
  source.read = async (id) => (id === 1 ? (nothing as unknown as Sample) : sample)
  const report = await buildImageCache(source, join(await temporary(), 'x'), { onError: 'skip' })
  expect(report.images).toBe(2)
  expect(report.skipped).toEqual([
    { key: 'listed/1', code: 'E_CORRUPT', reason: `read must give a sample, but gave ${nothing}` },
  ])
})

describe('onProgress', () => {
  const mine = new TypeError('not one of yours')
  const raise = () => {
    throw mine
  }

  it('has its errors thrown as they are', async () => {
    const folder = await photos()
    const cache = join(folder, 'photos.cache')
    await expect(buildImageCache(join(folder, 'photos'), cache, { onProgress: raise })).rejects.toBe(mine)
    await buildImageCache(join(folder, 'photos'), cache)
    await expect(verifyImageCache(cache, { onProgress: raise })).rejects.toBe(mine)
    await expect(exportImageCache(cache, join(folder, 'out'), { onProgress: raise })).rejects.toBe(mine)
  })

  it('must be a function', async () => {
    const folder = await photos()
    const onProgress = 'loud' as unknown as () => void
    await expect(buildImageCache(join(folder, 'photos'), join(folder, 'x'), { onProgress })).rejects.toMatchObject({
      code: 'E_USAGE',
      message: 'onProgress must be a function, but got "loud"',
    })
  })
})

it.each(['image.bin', 'image.meta.npy', 'label.npy', 'manifest.json'])(
  'a cache whose %s may not be read is E_ACCESS, with the path once',
  async (file) => {
    const folder = await photos()
    const cache = join(folder, 'photos.cache')
    await buildImageCache(join(folder, 'photos'), cache)
    await chmod(folder, 0o755)
    await chmod(join(cache, file), 0)
    await withoutPrivileges(async () => {
      const error = await openImageCache(cache).catch((reason: unknown) => reason as Error & { code: string })
      expect(error).toMatchObject({ code: 'E_ACCESS' })
      expect((error as Error).message.split(join(cache, file)).length).toBe(2)
    })
  },
)
