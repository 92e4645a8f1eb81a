import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import type { Sample } from '../../src/datasets/types.ts'
import { buildImageCache, openImageCache } from '../../src/vision/index.ts'
import { own } from '../loader/own-dataset.ts'
import { awkward, exists, writeFolder } from './sources.ts'
import { temporaryFolders } from './temporary.ts'

const newFolder = temporaryFolders()
const picture = awkward('odd_17x9.jpg')

let folder: string
let photos: string
let path: string
beforeEach(async () => {
  folder = await newFolder()
  photos = join(folder, 'photos')
  path = join(folder, 'cache')
  await writeFolder(photos, { 'a/0.jpg': picture, 'b/1.jpg': picture })
})

describe('the place of a build', () => {
  it('is not the source, by whatever way it is reached', async () => {
    const link = join(folder, 'link')
    await symlink(photos, link)
    for (const [source, destination] of [
      [photos, join(link, 'cache')],
      [link, join(photos, 'cache')],
      [link, join(link, 'new', 'cache')],
    ] as const)
      await expect(buildImageCache(source, destination)).rejects.toMatchObject({
        code: 'E_USAGE',
        message: expect.stringContaining(`${destination} lies inside the source`),
      })
    expect((await readdir(photos)).sort()).toEqual(['a', 'b'])
  })

  it('is locked by a file of its own: a link called lock leads nowhere', async () => {
    const precious = join(folder, 'precious')
    await writeFile(precious, 'precious')
    await mkdir(join(folder, '.cache.building'))
    await symlink(precious, join(folder, '.cache.building', 'lock'))
    await expect(buildImageCache(photos, path)).rejects.toMatchObject({
      code: 'E_CORRUPT',
      message: `${folder}/.cache.building/lock is not a regular file`,
    })
    expect(await readFile(precious, 'utf8')).toBe('precious')
  })

  it('is a folder of its own: a link in its place leads nowhere', async () => {
    const elsewhere = join(folder, 'elsewhere')
    await mkdir(elsewhere)
    await symlink(elsewhere, join(folder, '.cache.building'))
    await expect(buildImageCache(photos, path)).rejects.toMatchObject({
      code: 'E_CORRUPT',
      message: `${folder}/.cache.building is not a folder`,
    })
    expect(await readdir(elsewhere)).toEqual([])
  })

  it('is tidied up after a build that died once its cache was in place', async () => {
    await buildImageCache(photos, path)
    await writeFolder(join(folder, '.cache.building'), { 'replaced/image.bin': 'old', lock: '', journal: '' })
    await expect(buildImageCache(photos, path)).rejects.toMatchObject({ code: 'E_EXISTS' })
    expect(await exists(join(folder, '.cache.building'))).toBe(false)
  })

  it('is kept where a build that was to replace a cache can go on', async () => {
    await buildImageCache(photos, path)
    await writeFolder(join(folder, '.cache.building'), { 'cache/image.bin': 'new', lock: '', journal: '' })
    await expect(buildImageCache(photos, path)).rejects.toMatchObject({ code: 'E_EXISTS' })
    expect((await readdir(join(folder, '.cache.building'))).sort()).toEqual(['cache', 'journal', 'lock'])
  })
})

describe('a dataset that gives no sample in its midst', () => {
  const source = (given: unknown) =>
    own({ image: { kind: 'image' } } as const, 4, async (id) => (id === 1 ? (given as Sample) : { image: picture }))

  it.each([undefined, null, 7])('but %s has a bad sample there, and does not end', async (given) => {
    await expect(buildImageCache(source(given), path)).rejects.toMatchObject({
      code: 'E_CORRUPT',
      message: `row 1: read must give a sample, but gave ${given}`,
    })
    const report = await buildImageCache(source(given), path, { onError: 'skip' })
    expect(report).toMatchObject({ images: 3, skipped: [{ key: 'row 1', code: 'E_CORRUPT' }] })
    expect((await openImageCache(path)).length).toBe(3)
  })

  it('has names for its bad samples though describe throws', async () => {
    const describe = (): string => {
      throw new Error('no names')
    }
    const report = await buildImageCache({ ...source(undefined), describe }, path, { onError: 'skip' })
    expect(report.skipped.map(({ key }) => key)).toEqual(['sample 1'])
  })
})

describe('what no loader could read', () => {
  it('is not stored: a JPEG of 65535 pixels a side, which libjpeg refuses', async () => {
    const wide = Buffer.from(awkward('tiny_1x1.jpg'))
    wide.writeUInt16BE(65_535, wide.indexOf(Buffer.from([0xff, 0xc0])) + 7)
    await expect(buildImageCache([{ image: wide }], path)).rejects.toMatchObject({
      code: 'E_LIMIT',
      message: 'sample 0: 65535 x 1 pixels: more than 65500 a side are not decoded',
    })
  })

  it.each(['meta', 'copy', 'release'])('is not stored: a field called %s, which a batch has itself', async (name) => {
    await expect(buildImageCache([{ image: picture, [name]: 1 }], path)).rejects.toMatchObject({
      code: 'E_USAGE',
      message: `a field cannot be called "${name}": batches use that name`,
    })
  })
})
