import { execFileSync } from 'node:child_process'
import { mkdir, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { MemoryStore } from '../../../src/storage/memory.ts'
import { removeObjects, type TransferStep } from '../../../src/storage/transfer/index.ts'
import { bytesOf, failing } from '../conformance.ts'
import { counts, putTree, readTree, temporaryFolders, treeOf, writeTree } from './tree.ts'

const temporary = temporaryFolders()

describe('removing from a store', () => {
  test('an object, and only that', async () => {
    const store = new MemoryStore('m')
    await putTree(store, '', { a: '1', 'a/b': '2', ab: '3' })
    expect(counts(await removeObjects({ store, key: 'a' }))).toEqual({
      copied: 0,
      bytes: 0,
      skipped: 0,
      deleted: 1,
      failed: 0,
    })
    expect(await treeOf(store)).toEqual({ 'a/b': '2', ab: '3' })
  })

  test('a folder, and not what only begins like it', async () => {
    const store = new MemoryStore('m')
    await putTree(store, '', { 'a/b': '1', 'a/c/d': '2', 'a-b/c': '3', ab: '4' })
    expect(await removeObjects({ store, key: 'a' }, { recursive: true })).toMatchObject({ deleted: 2 })
    expect(await treeOf(store)).toEqual({ 'a-b/c': '3', ab: '4' })
  })

  test('more than fit into one batch', async () => {
    const store = new MemoryStore('m')
    for (let i = 0; i < 5500; i++) await store.put(`k/${i}`, bytesOf(''))
    const seen: object[] = []
    const report = await removeObjects({ store, key: 'k/' }, { recursive: true, onProgress: (p) => seen.push(p) })
    expect(report.deleted).toBe(5500)
    expect(seen.at(-1)).toMatchObject({ objects: 5500, totalObjects: 5500 })
    expect(await treeOf(store)).toEqual({})
  })

  test('by globs, and in a dry run not at all', async () => {
    const store = new MemoryStore('m')
    await putTree(store, 'd/', { 'a.tmp': '1', 'b/c.tmp': '2', 'b/c.jpg': '3' })
    const steps: TransferStep[] = []
    const options = { recursive: true, include: ['*.tmp'] }
    await removeObjects({ store, key: 'd' }, { ...options, dryRun: true, onStep: (step) => steps.push(step) })
    expect(steps).toEqual(['a.tmp', 'b/c.tmp'].map((key) => ({ action: 'delete', url: `mem://m/d/${key}` })))
    expect(await removeObjects({ store, key: 'd' }, options)).toMatchObject({ deleted: 2 })
    expect(await treeOf(store)).toEqual({ 'd/b/c.jpg': '3' })
  })

  test('a whole bucket needs force', async () => {
    const store = new MemoryStore('m')
    await putTree(store, '', { a: '1', 'b/c': '2' })
    await expect(removeObjects({ store, key: '' }, { recursive: true })).rejects.toEqual(
      failing('E_USAGE', 'mem://m/ is a whole bucket'),
    )
    expect(Object.keys(await treeOf(store))).toEqual(['a', 'b/c'])
    await removeObjects({ store, key: '' }, { recursive: true, force: true })
    expect(await treeOf(store)).toEqual({})
  })

  test('what is not there, and a folder without recursive, is refused before anything is deleted', async () => {
    const store = new MemoryStore('m')
    await putTree(store, '', { a: '1', 'b/c': '2' })
    const at = (...keys: string[]) => keys.map((key) => ({ store, key }))
    await expect(removeObjects(at('a', 'nothing'))).rejects.toEqual(failing('E_NOT_FOUND', 'mem://m/nothing'))
    await expect(removeObjects(at('a', 'b'))).rejects.toEqual(failing('E_USAGE', 'mem://m/b is a folder'))
    expect(Object.keys(await treeOf(store))).toEqual(['a', 'b/c'])
  })
})

describe('removing local files', () => {
  test('a folder with everything in it: empty folders, pipes, links, but not what links lead to', async () => {
    const folder = await temporary()
    await writeTree(folder, { 'd/a': '1', 'd/b/c': '2', 'precious/x': 'mine', beside: 'x' })
    await mkdir(join(folder, 'd/empty/deep'), { recursive: true })
    await symlink('../precious', join(folder, 'd/link'))
    await symlink('../precious/x', join(folder, 'd/b/file-link'))
    await symlink('nowhere', join(folder, 'd/dangling'))
    execFileSync('mkfifo', [join(folder, 'd/pipe')])
    expect(await removeObjects(join(folder, 'd'), { recursive: true })).toMatchObject({ deleted: 6, failed: 0 })
    expect(await readTree(folder)).toEqual({ 'precious/x': 'mine', beside: 'x' })
  })

  test('a link to a folder goes, the folder stays', async () => {
    const folder = await temporary()
    await writeTree(folder, { 'precious/x': 'mine' })
    await symlink('precious', join(folder, 'link'))
    expect(await removeObjects(join(folder, 'link'), { recursive: true })).toMatchObject({ deleted: 1, failed: 0 })
    expect(await readTree(folder)).toEqual({ 'precious/x': 'mine' })
  })

  test('by globs keeps the rest, and the folders that hold it', async () => {
    const folder = await temporary()
    await writeTree(folder, { 'd/a.tmp': '1', 'd/b/c.tmp': '2', 'd/b/c.jpg': '3', 'd/e/f.tmp': '4' })
    await removeObjects(join(folder, 'd'), { recursive: true, include: ['*.tmp'] })
    expect(await readTree(folder)).toEqual({ 'd/b/c.jpg': '3' })
  })

  test('the root of the file system never', async () => {
    await expect(removeObjects('/', { recursive: true, force: true })).rejects.toEqual(
      failing('E_USAGE', '/ is the root of a file system'),
    )
  })
})
