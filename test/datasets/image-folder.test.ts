import { execFileSync } from 'node:child_process'
import { chmod, mkdir, mkdtemp, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { imageFolder } from '../../src/datasets/index.ts'
import { awkward, writeFolder } from '../cache/sources.ts'
import { withoutPrivileges } from '../unprivileged.ts'

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

  it('follows links to files and folders, and names those that lead back into a folder they lie in', async () => {
    await writeFolder(root, { 'data/a/1.jpg': jpeg, 'data/a/deep/2.jpg': jpeg, 'elsewhere/3.jpg': jpeg, '4.jpg': jpeg })
    await symlink('../elsewhere', join(root, 'data/b'))
    await symlink('a', join(root, 'data/c'))
    await symlink('../../4.jpg', join(root, 'data/a/4.jpg'))
    await symlink('..', join(root, 'data/a/deep/up'))
    const folder = await imageFolder(join(root, 'data'))
    expect(folder.classes).toEqual(['a', 'b', 'c'])
    expect(Array.from({ length: folder.length }, (_, id) => folder.describe(id))).toEqual([
      'a/1.jpg',
      'a/4.jpg',
      'a/deep/2.jpg',
      'b/3.jpg',
      'c/1.jpg',
      'c/4.jpg',
      'c/deep/2.jpg',
    ])
    expect(folder.ignored).toEqual(['a/deep/up/', 'c/deep/up/'])
  })

  it('has a bad sample for a link to nothing, a pipe, and a name that is not UTF-8', async () => {
    await writeFolder(root, { 'b/1.jpg': jpeg })
    await symlink('nowhere', join(root, 'a'))
    await symlink('nowhere', join(root, 'b/0.jpg'))
    await symlink('nowhere', join(root, 'b/.hidden'))
    execFileSync('mkfifo', [join(root, 'b/2.jpg'), join(root, 'pipe')])
    await writeFile(Buffer.from(`${root}/b/caf\xe9.jpg`, 'latin1'), jpeg)
    await mkdir(Buffer.from(`${root}/\xe9`, 'latin1'))
    const folder = await imageFolder(root)
    expect([folder.classes, folder.ignored]).toEqual([['b', '\ufffd'], ['pipe']])
    const found = await Promise.all(
      Array.from({ length: folder.length }, (_, id) =>
        folder.read(id).then(
          ({ path, label }) => `${path} ${label}`,
          ({ code, message }) => `${code} ${message}`,
        ),
      ),
    )
    expect(found).toEqual([
      'E_NOT_FOUND a is a link to nothing',
      'E_NOT_FOUND b/0.jpg is a link to nothing',
      'b/1.jpg 0',
      'E_UNSUPPORTED b/2.jpg is a named pipe, not a file',
      'E_UNSUPPORTED b/caf\ufffd.jpg has a name that is not UTF-8 (0x636166e92e6a7067)',
      'E_UNSUPPORTED \ufffd/ has a name that is not UTF-8 (0xe9)',
    ])
  })

  it('has a bad sample for a folder that may not be listed; the root itself is E_ACCESS, by name', async () => {
    await writeFolder(root, { 'a/1.jpg': jpeg, 'b/2.jpg': jpeg, 'c/x/3.jpg': jpeg, 'd/4.jpg': jpeg })
    await chmod(root, 0o755)
    await chmod(join(root, 'b'), 0)
    await chmod(join(root, 'c/x'), 0)
    await chmod(join(root, 'd'), 0o644)
    await withoutPrivileges(async () => {
      const folder = await imageFolder(root)
      expect(folder.classes).toEqual(['a', 'b', 'c', 'd'])
      const reads = Array.from({ length: folder.length }, (_, id) => folder.read(id))
      expect((await Promise.allSettled(reads)).map((each) => (each as { reason?: Error }).reason?.message)).toEqual([
        undefined,
        'b/ cannot be listed (EACCES)',
        'c/x/ cannot be listed (EACCES)',
        'd/4.jpg cannot be looked at (EACCES)',
      ])
      expect(await folder.read(1).catch(({ code }) => code)).toBe('E_ACCESS')
    })
    await chmod(root, 0)
    await withoutPrivileges(async () => {
      await expect(imageFolder(root)).rejects.toMatchObject({
        code: 'E_ACCESS',
        message: expect.stringContaining(`cannot list ${root}/: EACCES`),
      })
    })
    for (const folder of ['.', 'b', 'c/x', 'd']) await chmod(join(root, folder), 0o755)
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
    await expect(imageFolder('mem://nothing')).rejects.toThrow('has no files in class folders')
  })
})
