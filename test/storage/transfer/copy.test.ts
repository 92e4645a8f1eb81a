import { createHash, randomBytes } from 'node:crypto'
import { chmod, mkdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { describe, expect, test } from 'vitest'
import { HeadraceError } from '../../../src/errors.ts'
import { MemoryStore } from '../../../src/storage/memory.ts'
import { openStore } from '../../../src/storage/open.ts'
import { copyObjects, type TransferFailure, type TransferStep } from '../../../src/storage/transfer/index.ts'
import { layer } from '../../../src/storage/wrappers/layer.ts'
import { withoutPrivileges } from '../../unprivileged.ts'
import { bytesOf, failing } from '../conformance.ts'
import { counts, LONG_AGO, putTree, readTree, temporaryFolders, treeOf, writeTree } from './tree.ts'

const temporary = temporaryFolders()

const PHOTOS = { 'cats/a.jpg': 'cat', 'cats/b.jpg': 'other cat', 'dogs/a.jpg': 'dog', README: 'about' }

describe('a folder', () => {
  test.each([
    ['photos', 'out'],
    ['photos/', 'out/'],
    ['./photos', 'new/deep/out'],
  ])('%s to %s: what is in it lands under the destination, there or not', async (from, to) => {
    const folder = await temporary()
    await writeTree(join(folder, 'photos'), PHOTOS)
    const report = await copyObjects(join(folder, from), join(folder, to), { recursive: true })
    expect(counts(report)).toEqual({ copied: 4, bytes: 20, skipped: 0, deleted: 0, failed: 0 })
    expect(await readTree(join(folder, to))).toEqual(PHOTOS)
    const again = await copyObjects(join(folder, from), join(folder, to), { recursive: true })
    expect(counts(again)).toEqual(counts(report))
    expect(await readTree(join(folder, to))).toEqual(PHOTOS)
  })

  test('goes from store to store in both directions, and within one', async () => {
    const folder = await temporary()
    const store = new MemoryStore('a')
    await writeTree(folder, PHOTOS)
    await copyObjects(folder, { store, key: 'in' }, { recursive: true })
    expect(await treeOf(store, 'in/')).toEqual(PHOTOS)
    await copyObjects({ store, key: 'in' }, { store, key: 'twice/' }, { recursive: true })
    expect(await treeOf(store, 'twice/')).toEqual(PHOTOS)
    await copyObjects({ store, key: '' }, { store: new MemoryStore('b'), key: '' }, { recursive: true })
    await copyObjects({ store, key: 'twice/' }, join(folder, 'back'), { recursive: true })
    expect(await readTree(join(folder, 'back'))).toEqual(PHOTOS)
  })

  test('keeps the time of local files, and gives that of objects to local files', async () => {
    const folder = await temporary()
    await writeTree(folder, { 'in/a': 'x' })
    await copyObjects(join(folder, 'in'), join(folder, 'out'), { recursive: true })
    expect(Math.trunc((await stat(join(folder, 'out/a'))).mtimeMs)).toBe(LONG_AGO)
    const store = new MemoryStore('m')
    await store.put('b', bytesOf('y'), { modified: LONG_AGO + 5 })
    await copyObjects({ store, key: 'b' }, join(folder, 'out/'))
    expect(Math.trunc((await stat(join(folder, 'out/b'))).mtimeMs)).toBe(LONG_AGO + 5)
  })

  test('globs choose by what stands behind the folder, or by the name where they have no slash', async () => {
    const folder = await temporary()
    await writeTree(join(folder, 'in'), { ...PHOTOS, 'cats/.hidden.jpg': 'h', 'cats/x.tmp': 't', 'a b/c+d.jpg': 'odd' })
    const copied = async (include: string[], exclude: string[] = []) => {
      const steps: string[] = []
      const onStep = (step: TransferStep) => void (step.action === 'copy' && steps.push(relative(folder, step.from)))
      await copyObjects(join(folder, 'in'), join(folder, 'out'), {
        recursive: true,
        dryRun: true,
        include,
        exclude,
        onStep,
      })
      return steps.map((path) => path.slice('in/'.length)).sort()
    }
    expect(await copied(['*.jpg'])).toEqual([
      'a b/c+d.jpg',
      'cats/.hidden.jpg',
      'cats/a.jpg',
      'cats/b.jpg',
      'dogs/a.jpg',
    ])
    expect(await copied(['cats/*.jpg'])).toEqual(['cats/.hidden.jpg', 'cats/a.jpg', 'cats/b.jpg'])
    expect(await copied(['**/a.*', 'README'])).toEqual(['README', 'cats/a.jpg', 'dogs/a.jpg'])
    expect(await copied(['*.jpg'], ['.*', 'dogs/**'])).toEqual(['a b/c+d.jpg', 'cats/a.jpg', 'cats/b.jpg'])
    expect(await copied(['*.{tmp,png}'])).toEqual(['cats/x.tmp'])
    expect(await copied(['nothing'])).toEqual([])
    await expect(copied([''])).rejects.toEqual(failing('E_USAGE', 'include', '""'))
  })

  test('without recursive is refused, and so is what is not there', async () => {
    const folder = await temporary()
    await writeTree(folder, { 'in/a': 'x' })
    for (const from of ['in', 'in/'])
      await expect(copyObjects(join(folder, from), join(folder, 'out'))).rejects.toEqual(
        failing('E_USAGE', 'is a folder'),
      )
    const store = new MemoryStore('m')
    await putTree(store, '', { 'd/a': 'x' })
    for (const key of ['d', 'd/'])
      await expect(copyObjects({ store, key }, folder)).rejects.toEqual(
        failing('E_USAGE', `mem://m/${key} is a folder`),
      )
    for (const key of ['nothing', 'nothing/', 'd/b', 'd/a/'])
      await expect(copyObjects({ store, key }, folder, { recursive: true })).rejects.toEqual(
        failing('E_NOT_FOUND', `mem://m/${key}`),
      )
    await expect(copyObjects(join(folder, 'no'), folder)).rejects.toEqual(failing('E_NOT_FOUND', join(folder, 'no')))
  })

  test('of a name that an object has, too, must end with a slash', async () => {
    const store = new MemoryStore('m')
    const to = new MemoryStore('to')
    await putTree(store, '', { d: 'object', 'd/a': 'below' })
    const from = (key: string) => ({ store, key })
    await expect(copyObjects(from('d'), { store: to, key: '' }, { recursive: true })).rejects.toEqual(
      failing('E_USAGE', 'mem://m/d is an object and a folder'),
    )
    await copyObjects(from('d/'), { store: to, key: 'folder' }, { recursive: true })
    await copyObjects(from('d'), { store: to, key: 'object' })
    expect(await treeOf(to)).toEqual({ 'folder/a': 'below', object: 'object' })
  })

  test('may be empty', async () => {
    const folder = await temporary()
    await mkdir(join(folder, 'in'))
    const report = await copyObjects(join(folder, 'in'), join(folder, 'out'), { recursive: true })
    expect(counts(report)).toEqual({ copied: 0, bytes: 0, skipped: 0, deleted: 0, failed: 0 })
  })
})

describe('an object', () => {
  test('gets the destination as its name, or keeps its own in a folder', async () => {
    const folder = await temporary()
    await writeTree(folder, { a: 'x', 'there/': '' }).catch(() => mkdir(join(folder, 'there'), { recursive: true }))
    const store = new MemoryStore('m')
    const from = join(folder, 'a')
    await copyObjects(from, join(folder, 'b'))
    await copyObjects(from, join(folder, 'there'))
    await copyObjects(from, join(folder, 'new/'))
    await copyObjects(from, { store, key: '' })
    await copyObjects(from, { store, key: 'k' })
    await copyObjects(from, { store, key: 'd/' })
    expect(await readTree(folder)).toEqual({ a: 'x', b: 'x', 'there/a': 'x', 'new/a': 'x' })
    expect(await treeOf(store)).toEqual({ a: 'x', k: 'x', 'd/a': 'x' })
  })

  test('of any size arrives as it is: empty, of less, one and several parts', async () => {
    const folder = await temporary()
    const store = new MemoryStore('m')
    for (const size of [0, 1, 999, 1000, 1001, 4000, 10_001]) {
      const bytes = randomBytes(size)
      await writeFile(join(folder, 'in'), bytes)
      const options = { partSize: 1000, windowBytes: 3000 }
      expect((await copyObjects(join(folder, 'in'), { store, key: 'k' }, options)).bytes).toBe(size)
      await copyObjects({ store, key: 'k' }, join(folder, 'out'), options)
      expect(await readFile(join(folder, 'out'))).toEqual(bytes)
    }
  })

  test('larger than memory would hold goes through in parts', async () => {
    const folder = await temporary()
    const bytes = randomBytes(70 * 2 ** 20)
    await writeFile(join(folder, 'in'), bytes)
    const store = new MemoryStore('m')
    const seen: number[] = []
    const report = await copyObjects(
      join(folder, 'in'),
      { store, key: 'k' },
      { onProgress: ({ bytes: n }) => seen.push(n) },
    )
    expect(report).toMatchObject({ copied: 1, bytes: bytes.length })
    expect(seen.at(-1)).toBe(bytes.length)
    const digest = (data: Uint8Array) => createHash('sha256').update(data).digest('hex')
    expect(digest((await store.get('k'))?.data ?? new Uint8Array())).toBe(digest(bytes))
  })

  test('that is a link to nothing is a failure of its own', async () => {
    const folder = await temporary()
    await writeTree(folder, { 'in/a': 'x', 'in/b': 'y' })
    await symlink('gone', join(folder, 'in/c'))
    const failures: TransferFailure[] = []
    const report = await copyObjects(join(folder, 'in'), join(folder, 'out'), {
      recursive: true,
      onFailure: (failure) => failures.push(failure),
    })
    expect(counts(report)).toEqual({ copied: 2, bytes: 2, skipped: 0, deleted: 0, failed: 1 })
    expect(report.failures).toEqual([
      { url: join(folder, 'in/c'), code: 'E_NOT_FOUND', message: expect.stringContaining('is a link to nothing') },
    ])
    expect(failures).toEqual(report.failures)
    await expect(
      copyObjects(join(folder, 'in'), join(folder, 'out'), { recursive: true, onError: 'throw' }),
    ).rejects.toEqual(failing('E_NOT_FOUND', 'in/c'))
  })
})

describe('several sources', () => {
  test('go into one folder', async () => {
    const folder = await temporary()
    await writeTree(folder, { 'a/x': '1', 'b/y': '2', z: '3' })
    const from = ['a', 'b', 'z'].map((name) => join(folder, name))
    await copyObjects(from, join(folder, 'out/'), { recursive: true })
    expect(await readTree(join(folder, 'out'))).toEqual({ x: '1', y: '2', z: '3' })
  })

  test('need a folder to go to', async () => {
    const folder = await temporary()
    await writeTree(folder, { a: '1', b: '2' })
    const from = [join(folder, 'a'), join(folder, 'b')]
    await expect(copyObjects(from, join(folder, 'out'))).rejects.toEqual(failing('E_USAGE', 'need a folder'))
    await expect(copyObjects([], join(folder, 'out'))).rejects.toEqual(failing('E_USAGE', 'at least one'))
  })

  test.each([
    [['a/x', 'b/x'], 'x'],
    [['a', 'b'], 'x'],
    [['a', 'b/x'], 'x'],
    [['a', 'a'], 'only-a'],
    [['c', 'd'], 'deep/er/z'],
  ])('%j of which two would become %s are refused before anything is written', async (names, both) => {
    const folder = await temporary()
    await writeTree(folder, {
      'a/x': '1',
      'a/only-a': '1',
      'b/x': '2',
      'b/only-b': '2',
      'c/deep/er/z': '3',
      'c/deep/a': '3',
      'd/deep/er/z': '4',
    })
    const from = names.map((name) => join(folder, name))
    await expect(copyObjects(from, join(folder, 'out/'), { recursive: true })).rejects.toEqual(
      failing('E_USAGE', 'would both become', join(folder, 'out', both)),
    )
    expect(await readTree(join(folder, 'out'))).toEqual({})
  })

  test('that collide only in what globs leave out do not collide', async () => {
    const folder = await temporary()
    await writeTree(folder, { 'a/x': '1', 'a/y': '1', 'b/x': '2', 'b/z': '2' })
    const from = [join(folder, 'a'), join(folder, 'b')]
    await copyObjects(from, join(folder, 'out'), { recursive: true, exclude: ['x'] })
    expect(await readTree(join(folder, 'out'))).toEqual({ y: '1', z: '2' })
  })
})

describe('what would read its own output is refused', () => {
  test.each([
    ['a', 'a'],
    ['a', 'a/b'],
    ['a', 'link/b'],
    ['link', 'a/new/b'],
  ])('folder %s to %s', async (from, to) => {
    const folder = await temporary()
    await writeTree(folder, { 'a/x': '1' })
    await symlink('a', join(folder, 'link'))
    await expect(copyObjects(join(folder, from), join(folder, to), { recursive: true })).rejects.toEqual(
      failing('E_USAGE', 'the one lies in the other'),
    )
    expect(await readTree(join(folder, 'a'))).toEqual({ x: '1' })
  })

  test('an object onto itself', async () => {
    const folder = await temporary()
    await writeTree(folder, { 'a/x': '1' })
    await symlink('a', join(folder, 'link'))
    for (const to of ['a/x', 'a', 'a/', 'link', 'link/x'])
      await expect(copyObjects(join(folder, 'a/x'), join(folder, to))).rejects.toEqual(failing('E_USAGE', 'to itself'))
    const store = new MemoryStore('m')
    await putTree(store, '', { 'd/a': 'x' })
    for (const key of ['d/a', 'd/'])
      await expect(copyObjects({ store, key: 'd/a' }, { store, key })).rejects.toEqual(failing('E_USAGE', 'to itself'))
  })

  test('a folder into the folder it lies in copies all but what would overwrite the rest of it', async () => {
    const folder = await temporary()
    await writeTree(folder, { 'a/x': '1', 'a/a/y': '2', 'ab/z': '3' })
    const report = await copyObjects(join(folder, 'a'), folder, { recursive: true })
    expect(report.failures).toEqual([
      { url: join(folder, 'a/a/y'), code: 'E_USAGE', message: expect.stringContaining('would be written over') },
    ])
    expect(await readTree(folder)).toEqual({ x: '1', 'a/x': '1', 'a/a/y': '2', 'ab/z': '3' })
  })
})

describe('failures of single objects', () => {
  test('do not keep the others from arriving, and are told one by one', async () => {
    const folder = await temporary()
    await writeTree(folder, { 'in/a': '1', 'in/b/c': '2', 'in/d': '3', 'out/b': 'in the way' })
    const report = await copyObjects(join(folder, 'in'), join(folder, 'out'), { recursive: true })
    expect(report).toMatchObject({ copied: 2, failed: 1 })
    expect(report.failures).toEqual([
      {
        url: join(folder, 'in/b/c'),
        code: 'E_EXISTS',
        message: expect.stringContaining('is an object, not a directory'),
      },
    ])
    expect(await readTree(join(folder, 'out'))).toEqual({ a: '1', b: 'in the way', d: '3' })
  })

  test('are kept to the first 1,000, and counted beyond', async () => {
    const store = new MemoryStore('m')
    for (let i = 0; i < 1200; i++) await store.put(`k/${i}`, bytesOf('x'))
    const folder = await temporary()
    await writeTree(folder, { 'out/k': 'in the way' })
    let told = 0
    const report = await copyObjects({ store, key: '' }, join(folder, 'out'), {
      recursive: true,
      onFailure: () => told++,
    })
    expect([report.failed, report.failures.length, told]).toEqual([1200, 1000, 1200])
  })

  test('keys that cannot be a path never leave the destination', async () => {
    const folder = await temporary()
    const store = new MemoryStore('m')
    await putTree(store, 'in/', { ['n'.repeat(256)]: 'long', good: 'x', '.headrace-1-0123456789ab.tmp': 'pending' })
    const report = await copyObjects({ store, key: 'in' }, join(folder, 'out'), { recursive: true })
    expect(report).toMatchObject({ copied: 1, failed: 2 })
    expect(report.failures.map(({ code }) => code)).toEqual(['E_USAGE', 'E_USAGE'])
    expect(await readTree(folder)).toEqual({ 'out/good': 'x' })
  })

  test('a folder that may not be read is one', async () => {
    const folder = await temporary()
    await writeTree(folder, { 'in/a': '1', 'in/closed/b': '2' })
    await chmod(folder, 0o777)
    await chmod(join(folder, 'in/closed'), 0)
    await withoutPrivileges(async () => {
      const report = await copyObjects(join(folder, 'in'), join(folder, 'out'), { recursive: true })
      expect(report).toMatchObject({ copied: 1, failed: 1 })
      expect(report.failures[0]).toMatchObject({ url: join(folder, 'in/closed/'), code: 'E_ACCESS' })
    })
    await chmod(join(folder, 'in/closed'), 0o777)
  })
})

describe('a dry run', () => {
  test('tells every step and writes nothing', async () => {
    const folder = await temporary()
    await writeTree(join(folder, 'in'), PHOTOS)
    const steps: TransferStep[] = []
    const report = await copyObjects(join(folder, 'in'), join(folder, 'out'), {
      recursive: true,
      dryRun: true,
      onStep: (step) => steps.push(step),
    })
    expect(steps.map(({ action }) => action)).toEqual(['copy', 'copy', 'copy', 'copy'])
    expect(steps).toContainEqual({
      action: 'copy',
      from: join(folder, 'in/cats/b.jpg'),
      to: join(folder, 'out/cats/b.jpg'),
      size: 9,
    })
    expect(counts(report)).toEqual({ copied: 4, bytes: 20, skipped: 0, deleted: 0, failed: 0 })
    expect(await readTree(folder)).toEqual(Object.fromEntries(Object.entries(PHOTOS).map(([k, v]) => [`in/${k}`, v])))
  })
})

describe('progress and cancelling', () => {
  test('progress ends with all objects and bytes', async () => {
    const folder = await temporary()
    await writeTree(join(folder, 'in'), PHOTOS)
    const seen: object[] = []
    await copyObjects(join(folder, 'in'), join(folder, 'out'), { recursive: true, onProgress: (p) => seen.push(p) })
    expect(seen.at(-1)).toMatchObject({ objects: 4, bytes: 20, totalObjects: 4, totalBytes: 20, failed: 0 })
  })

  test('a signal ends it with E_CANCELLED and leaves no half of an object', async () => {
    const folder = await temporary()
    await writeFile(join(folder, 'in'), randomBytes(3_000_000))
    const controller = new AbortController()
    const store = new MemoryStore('m')
    await copyObjects(join(folder, 'in'), { store, key: 'k' })
    const copy = copyObjects({ store, key: 'k' }, join(folder, 'out/k'), {
      partSize: 1000,
      signal: controller.signal,
      onProgress: ({ bytes }) => bytes > 0 && controller.abort(),
    })
    await expect(copy).rejects.toEqual(failing('E_CANCELLED'))
    expect(await readTree(join(folder, 'out'))).toEqual({})
  })

  test('what a callback throws comes out as it is', async () => {
    const folder = await temporary()
    await writeTree(folder, { 'in/a': 'x' })
    const mine = new Error('mine')
    const options = {
      recursive: true,
      onStep: () => {
        throw mine
      },
    }
    await expect(copyObjects(join(folder, 'in'), join(folder, 'out'), options)).rejects.toBe(mine)
  })
})

test('options are checked', async () => {
  await expect(copyObjects('/a', '/b', { jobs: 0 })).rejects.toEqual(failing('E_USAGE', 'jobs', 'got 0'))
  await expect(copyObjects('/a', '/b', { partSize: 1.5 })).rejects.toEqual(failing('E_USAGE', 'partSize', '1.5'))
  await expect(copyObjects('/a', '/b', { recursve: true } as object)).rejects.toEqual(failing('E_USAGE', '"recursve"'))
  await expect(copyObjects('/a', '/b', { onStep: 'x' as never })).rejects.toEqual(failing('E_USAGE', 'onStep', '"x"'))
  await expect(copyObjects(7 as never, '/b')).rejects.toEqual(failing('E_USAGE', 'a place must be', '7'))
  await expect(copyObjects('ftp://h/a', '/b')).rejects.toEqual(failing('E_UNSUPPORTED', 'ftp://'))
})

describe('a server that is not there', () => {
  test('ends a copy of many objects after 20 in a row, and says so in one line', async () => {
    const folder = await temporary()
    const names = Array.from({ length: 200 }, (_, i) => [`in/${i}`, 'x'] as const)
    await writeTree(folder, Object.fromEntries(names))
    const options = { endpoint: 'http://127.0.0.1:1', anonymous: true, attempts: 1 }
    const store = await openStore('s3://bucket', options)
    const failures: TransferFailure[] = []
    const copying = copyObjects(
      join(folder, 'in'),
      { store, key: 'p' },
      { recursive: true, jobs: 4, onFailure: (failure) => failures.push(failure) },
    )
    await expect(copying).rejects.toEqual(
      failing('E_NETWORK', 'gave up after 20 objects in a row that could not be reached (20 failed, 0 done'),
    )
    // Those that were under way are told, too.
    expect(failures.length).toBeGreaterThanOrEqual(20)
    expect(failures.length).toBeLessThan(20 + 4)
    await store.close()
  })

  test('is not given up where others are reached in between', async () => {
    const folder = await temporary()
    await writeTree(folder, Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`in/${i + 10}`, 'x'] as const)))
    const inner = new MemoryStore('m')
    let calls = 0
    const store = layer(inner, inner.spec, {
      put: async (key, body, call) => {
        if (++calls % 15 !== 0) throw new HeadraceError('E_NETWORK', `cannot put ${key}: reset`)
        return inner.put(key, body, call)
      },
    })
    const report = await copyObjects(join(folder, 'in'), { store, key: 'p' }, { recursive: true, jobs: 1 })
    expect(counts(report)).toMatchObject({ copied: 4, failed: 56 })
  })
})
