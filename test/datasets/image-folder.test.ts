import { mkdtemp, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { imageFolder } from '../../src/datasets/index.ts'
import { awkward, writeFolder } from '../cache/sources.ts'

let root: string
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'headrace-folder-'))
})
afterEach(() => rm(root, { recursive: true, force: true }))

const jpeg = awkward('odd_17x9.jpg')
const png = awkward('tiny_1x1.png')

async function paths(): Promise<string[]> {
  const folder = await imageFolder(root)
  return Array.from({ length: folder.length }, (_, id) => folder.describe(id))
}

describe('an image folder', () => {
  it('has its first-level folders as classes, by name in code point order, however deep the files lie', async () => {
    await writeFolder(root, {
      'dog/x/y/1.jpg': jpeg,
      'dog/2.jpg': jpeg,
      'cat/3.jpg': jpeg,
      'cat-big/4.jpg': png,
      'Zebra/5': jpeg,
      'ünder/6.jpg': jpeg,
      '\u{1f600}/7.jpg': jpeg,
      '\uffee/8.jpg': jpeg,
    })
    const folder = await imageFolder(root)
    expect(folder.classes).toEqual(['Zebra', 'cat', 'cat-big', 'dog', 'ünder', '\uffee', '\u{1f600}'])
    const samples = await Promise.all(Array.from({ length: folder.length }, (_, id) => folder.read(id)))
    expect(samples.map(({ label, path }) => [label, path])).toEqual([
      [0n, 'Zebra/5'],
      [1n, 'cat/3.jpg'],
      [2n, 'cat-big/4.jpg'],
      [3n, 'dog/2.jpg'],
      [3n, 'dog/x/y/1.jpg'],
      [4n, 'ünder/6.jpg'],
      [5n, '\uffee/8.jpg'],
      [6n, '\u{1f600}/7.jpg'],
    ])
    expect(samples[2]?.image).toEqual(new Uint8Array(png))
  })

  it('leaves out everything hidden and reports files that lie in no class', async () => {
    await writeFolder(root, {
      'a/1.jpg': jpeg,
      'a/.2.jpg': jpeg,
      '.b/3.jpg': jpeg,
      'a/.c/4.jpg': jpeg,
      'LICENSES.md': 'text',
      '.hidden': 'x',
      '5.jpg': jpeg,
    })
    expect(await paths()).toEqual(['a/1.jpg'])
    expect((await imageFolder(root)).ignored).toEqual(['5.jpg', 'LICENSES.md'])
  })

  it('tells pictures by their bytes: others are errors that name the path', async () => {
    await writeFolder(root, { 'a/1.jpg': 'this is text', 'a/2.txt': jpeg, 'a/3.jpg': '' })
    const folder = await imageFolder(root)
    await expect(folder.read(0)).rejects.toMatchObject({
      code: 'E_UNSUPPORTED',
      message: 'a/1.jpg is not a picture (it starts with 7468697320697320)',
      details: { key: 'a/1.jpg', sample: 0 },
    })
    expect(await folder.read(1)).toEqual({ image: new Uint8Array(jpeg), label: 0n, path: 'a/2.txt' })
    await expect(folder.read(2)).rejects.toMatchObject({ code: 'E_CORRUPT', message: 'a/3.jpg is an empty file' })
    await expect(folder.read(3)).rejects.toMatchObject({ code: 'E_USAGE' })
    await expect(folder.read(-1)).rejects.toMatchObject({ code: 'E_USAGE' })
  })

  it('reads no file for fields that need none', async () => {
    await writeFolder(root, { 'a/1.jpg': 'this is text' })
    const folder = await imageFolder(root)
    expect(await folder.read(0, { fields: ['label', 'path'] })).toEqual({ label: 0n, path: 'a/1.jpg' })
    expect(await folder.read(0, { fields: ['path'] })).toEqual({ path: 'a/1.jpg' })
  })

  it('notices files that go or change after they were listed', async () => {
    await writeFolder(root, { 'a/1.jpg': jpeg, 'a/2.jpg': jpeg, 'a/3.jpg': jpeg })
    const folder = await imageFolder(root)
    await rm(join(root, 'a/1.jpg'))
    await writeFile(join(root, 'a/2.jpg'), png)
    await utimes(join(root, 'a/3.jpg'), 1, 1)
    await expect(folder.read(0)).rejects.toMatchObject({ code: 'E_NOT_FOUND', message: 'a/1.jpg is no longer there' })
    await expect(folder.read(1)).rejects.toMatchObject({
      code: 'E_STATE',
      message: 'a/2.jpg has changed since it was listed',
    })
    await expect(folder.read(2)).rejects.toMatchObject({ code: 'E_STATE' })
  })

  it('has a fingerprint that changes with a name, a size or a time, and with nothing else', async () => {
    await writeFolder(root, { 'a/1.jpg': jpeg, 'b/2.jpg': jpeg })
    for (const path of ['a/1.jpg', 'b/2.jpg']) await utimes(join(root, path), 1000, 1000)
    const first = (await imageFolder(root)).fingerprint
    await writeFolder(root, { 'LICENSES.md': 'ignored', 'a/.hidden': 'x' })
    expect((await imageFolder(root)).fingerprint).toBe(first)
    await utimes(join(root, 'b/2.jpg'), 1001, 1001)
    const later = (await imageFolder(root)).fingerprint
    expect(later).not.toBe(first)
    await writeFile(join(root, 'b/2.jpg'), png)
    await utimes(join(root, 'b/2.jpg'), 1001, 1001)
    expect((await imageFolder(root)).fingerprint).not.toBe(later)
  })

  it('knows the size of its largest file', async () => {
    await writeFolder(root, { 'a/1.jpg': jpeg, 'b/2.jpg': png })
    const folder = await imageFolder(root)
    expect([folder.maxSize('image'), folder.sizeOf(0), folder.sizeOf(1)]).toEqual([
      jpeg.length,
      jpeg.length,
      png.length,
    ])
  })

  it('without a file in a class is not found', async () => {
    await writeFolder(root, { '1.jpg': jpeg })
    await expect(imageFolder(root)).rejects.toMatchObject({
      code: 'E_NOT_FOUND',
      message: `${root} has no files in class folders; 1 files lie in the folder itself`,
    })
    for (const nothing of [join(root, 'nothing'), `file://${root}/nothing`])
      await expect(imageFolder(nothing)).rejects.toMatchObject({
        code: 'E_NOT_FOUND',
        message: `${nothing} does not exist`,
      })
    await expect(imageFolder(join(root, '1.jpg'))).rejects.toMatchObject({
      code: 'E_USAGE',
      message: `${root}/1.jpg is a file; the source must be a folder with one sub-folder per class`,
    })
    await expect(imageFolder('')).rejects.toMatchObject({ code: 'E_USAGE' })
    await expect(imageFolder('memory://nothing')).rejects.toThrow('has no files in class folders')
  })
})
