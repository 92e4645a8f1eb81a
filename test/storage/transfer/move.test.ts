import fs from 'node:fs'
import { chmod, symlink } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test, vi } from 'vitest'
import { MemoryStore } from '../../../src/storage/memory.ts'
import { moveObjects } from '../../../src/storage/transfer/index.ts'
import { layer } from '../../../src/storage/wrappers/layer.ts'
import { withoutPrivileges } from '../../unprivileged.ts'
import { failing } from '../conformance.ts'
import { counts, putTree, readTree, temporaryFolders, treeOf, writeTree } from './tree.ts'

const temporary = temporaryFolders()

const TREE = { a: '1', 'b/c': '22', 'b/d/e': '333' }

describe('moving', () => {
  test('a local folder leaves nothing of it', async () => {
    const folder = await temporary()
    await writeTree(folder, { 'in/a': '1', 'in/b/c': '22', 'in/b/d/e': '333', beside: 'x' })
    const report = await moveObjects(join(folder, 'in'), join(folder, 'out'), { recursive: true })
    expect(counts(report)).toEqual({ copied: 3, bytes: 6, skipped: 0, deleted: 3, failed: 0 })
    expect(await readTree(folder)).toEqual({ 'out/a': '1', 'out/b/c': '22', 'out/b/d/e': '333', beside: 'x' })
  })

  test('between stores and within one leaves the originals of what is left out', async () => {
    const folder = await temporary()
    const store = new MemoryStore('m')
    await putTree(store, 'in/', { ...TREE, 'keep.txt': 'k' })
    await moveObjects({ store, key: 'in' }, { store, key: 'on' }, { recursive: true, exclude: ['*.txt'] })
    expect(await treeOf(store)).toEqual({ 'in/keep.txt': 'k', 'on/a': '1', 'on/b/c': '22', 'on/b/d/e': '333' })
    await moveObjects({ store, key: 'on/' }, join(folder, 'out'), { recursive: true })
    expect(await treeOf(store)).toEqual({ 'in/keep.txt': 'k' })
    expect(await readTree(join(folder, 'out'))).toEqual(TREE)
  })

  test('one object gives it another name, and keeps the folder it was in', async () => {
    const folder = await temporary()
    await writeTree(folder, { 'in/a': '1' })
    await moveObjects(join(folder, 'in/a'), join(folder, 'out'))
    expect(await readTree(folder)).toEqual({ out: '1', 'in/': '' })
  })

  test('several sources at once', async () => {
    const folder = await temporary()
    await writeTree(folder, { 'p/x': '1', 'q/y': '2', z: '3' })
    const from = ['p', 'q', 'z'].map((name) => join(folder, name))
    expect(await moveObjects(from, join(folder, 'out/'), { recursive: true })).toMatchObject({ copied: 3, deleted: 3 })
    expect(await readTree(folder)).toEqual({ 'out/x': '1', 'out/y': '2', 'out/z': '3' })
  })

  test('onto itself, or into itself, is refused and loses nothing', async () => {
    const folder = await temporary()
    await writeTree(folder, { 'in/a': '1' })
    await symlink('in', join(folder, 'link'))
    const tries = [
      ['in/a', 'link/a'],
      ['link/a', 'in'],
      ['in', 'link'],
      ['in', 'in/deeper'],
    ] as const
    for (const [from, to] of tries)
      await expect(moveObjects(join(folder, from), join(folder, to), { recursive: true })).rejects.toEqual(
        failing('E_USAGE'),
      )
    expect(await readTree(join(folder, 'in'))).toEqual({ a: '1' })
  })

  test('what cannot be written stays', async () => {
    const folder = await temporary()
    await writeTree(folder, { 'in/a': '1', 'in/b/c': '2', 'out/b': 'in the way' })
    const report = await moveObjects(join(folder, 'in'), join(folder, 'out'), { recursive: true })
    expect(report).toMatchObject({ copied: 1, deleted: 1, failed: 1 })
    expect(await readTree(folder)).toEqual({ 'in/b/c': '2', 'out/a': '1', 'out/b': 'in the way' })
  })

  test('what is reached through a link to a folder is copied, and stays where it is', async () => {
    const folder = await temporary()
    await writeTree(folder, { 'in/a': '1', 'elsewhere/x': 'mine' })
    await symlink('../elsewhere', join(folder, 'in/link'))
    const report = await moveObjects(join(folder, 'in'), join(folder, 'out'), { recursive: true })
    expect(report).toMatchObject({ copied: 2, deleted: 1, failed: 1 })
    expect(report.failures[0]).toMatchObject({ code: 'E_UNSUPPORTED', url: join(folder, 'in/link/x') })
    expect(await readTree(join(folder, 'elsewhere'))).toEqual({ x: 'mine' })
    expect(await readTree(join(folder, 'out'))).toEqual({ a: '1', 'link/x': 'mine' })
  })

  test('what cannot be deleted is a failure, with its copy made', async () => {
    const folder = await temporary()
    await writeTree(folder, { 'in/a': '1' })
    await chmod(folder, 0o777)
    await chmod(join(folder, 'in'), 0o555)
    await withoutPrivileges(async () => {
      const report = await moveObjects(join(folder, 'in'), join(folder, 'out'), { recursive: true })
      expect(report).toMatchObject({ copied: 1, deleted: 0, failed: 1 })
      expect(report.failures[0]).toMatchObject({ code: 'E_ACCESS', url: join(folder, 'in/a') })
    })
    expect(await readTree(folder)).toEqual({ 'in/a': '1', 'out/a': '1' })
  })

  test('deletes an original soon after its copy was verified, however long others take', async () => {
    const inside = new MemoryStore('m')
    await putTree(inside, 'in/', { a: '1', b: '2' })
    let leftThen: readonly string[] = []
    const store = layer(inside, inside.spec, {
      get: async (key, call) => {
        if (key === 'in/b') {
          await sleep(1300)
          leftThen = Object.keys(await treeOf(inside, 'in/'))
        }
        return inside.get(key, call)
      },
    })
    await moveObjects({ store, key: 'in' }, { store: new MemoryStore('n'), key: '' }, { recursive: true })
    expect(leftThen).toEqual(['b'])
    expect(await treeOf(inside, 'in/')).toEqual({})
  })

  test('a local original goes once its copy is on the device, its bytes, its name and those of new directories', async () => {
    const folder = await temporary()
    await writeTree(folder, { 'in/a': '1', 'in/b/c': '22' })
    const there = () => ['in/a', 'in/b/c', 'out/x/a', 'out/x/b/c'].filter((path) => fs.existsSync(join(folder, path)))
    const synced: string[] = []
    const { fsync } = fs
    vi.spyOn(fs, 'fsync').mockImplementation((fd, done) => {
      const path = relative(folder, fs.readlinkSync(`/proc/self/fd/${fd}`))
      if (!path.startsWith('..')) synced.push(`${path.replace(/\.headrace-.*/, 'pending')}: ${there().join(' ')}`)
      fsync(fd, done)
    })
    const report = await moveObjects(join(folder, 'in'), join(folder, 'out/x'), { recursive: true, jobs: 1 })
    vi.restoreAllMocks()
    expect(counts(report)).toMatchObject({ copied: 2, deleted: 2, failed: 0 })
    expect(await readTree(folder)).toEqual({ 'out/x/a': '1', 'out/x/b/c': '22' })
    const both = 'in/a in/b/c out/x/a out/x/b/c'
    expect(synced.slice(0, 2)).toEqual(['out/x/pending: in/a in/b/c', 'out/x/b/pending: in/a in/b/c out/x/a'])
    expect(synced.slice(2, 6).sort()).toEqual([`: ${both}`, `out/x/b: ${both}`, `out/x: ${both}`, `out: ${both}`])
    // Then the originals go, and with them their directories.
    expect(new Set(synced.slice(6))).toEqual(new Set([': out/x/a out/x/b/c']))
  })

  test('a dry run moves nothing', async () => {
    const folder = await temporary()
    await writeTree(folder, { 'in/a': '1' })
    expect(await moveObjects(join(folder, 'in'), join(folder, 'out'), { recursive: true, dryRun: true })).toMatchObject(
      {
        copied: 1,
        deleted: 0,
      },
    )
    expect(await readTree(folder)).toEqual({ 'in/a': '1' })
  })
})
