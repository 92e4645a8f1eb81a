import { chmod, mkdir, symlink, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MemoryStore } from '../../../src/storage/memory.ts'
import { type SyncOptions, syncObjects, type TransferStep } from '../../../src/storage/transfer/index.ts'
import { withoutPrivileges } from '../../unprivileged.ts'
import { bytesOf, failing } from '../conformance.ts'
import { counts, LONG_AGO, putTree, readTree, temporaryFolders, treeOf, writeTree } from './tree.ts'

const temporary = temporaryFolders()

const TREE = { a: '1', 'b/c': '22', 'b/d/e': '333', 'b-': '4', 'b.x': '5' }

async function syncedFolders(): Promise<{ folder: string; again: (options?: SyncOptions) => Promise<object> }> {
  const folder = await temporary()
  await writeTree(join(folder, 'in'), TREE)
  const again = async (options?: SyncOptions) =>
    counts(await syncObjects(join(folder, 'in'), join(folder, 'out'), options))
  expect(await again()).toEqual({ copied: 5, bytes: 8, skipped: 0, deleted: 0, failed: 0 })
  expect(await readTree(join(folder, 'out'))).toEqual(TREE)
  return { folder, again }
}

describe('between local folders', () => {
  test('a second run finds everything the same', async () => {
    const { again } = await syncedFolders()
    expect(await again()).toEqual({ copied: 0, bytes: 0, skipped: 5, deleted: 0, failed: 0 })
  })

  test('what has another size or another time is copied again, also an older one', async () => {
    const { folder, again } = await syncedFolders()
    await writeFile(join(folder, 'in/a'), '12')
    await writeTree(join(folder, 'in'), { 'b/c': '33' }, LONG_AGO - 60_000)
    expect(await again()).toMatchObject({ copied: 2, bytes: 4, skipped: 3 })
    expect(await readTree(join(folder, 'out'))).toEqual({ ...TREE, a: '12', 'b/c': '33' })
    expect(await again()).toMatchObject({ copied: 0, skipped: 5 })
  })

  test('what has only another time is compared, and not copied', async () => {
    const { folder, again } = await syncedFolders()
    await writeTree(join(folder, 'in'), TREE, LONG_AGO + 60_000)
    expect(await again()).toEqual({ copied: 0, bytes: 0, skipped: 5, deleted: 0, failed: 0 })
    await writeTree(join(folder, 'in'), { 'b/c': '23' }, LONG_AGO + 60_000)
    expect(await again()).toMatchObject({ copied: 1, skipped: 4 })
  })

  test('what has the same size and time is compared if checksums are asked for', async () => {
    const { folder, again } = await syncedFolders()
    await writeTree(join(folder, 'in'), { 'b/c': '23' })
    expect(await again()).toMatchObject({ copied: 0, skipped: 5 })
    expect(await again({ checksum: true, dryRun: true })).toMatchObject({ copied: 1, skipped: 4 })
    expect(await again({ checksum: true })).toMatchObject({ copied: 1, skipped: 4 })
    expect(await readTree(join(folder, 'out'))).toEqual({ ...TREE, 'b/c': '23' })
  })

  test('what the source does not have stays, unless delete is given', async () => {
    const { folder, again } = await syncedFolders()
    await writeTree(join(folder, 'out'), { '0': 'x', 'b/c0': 'x', 'gone/deep/er': 'x', zz: 'x' })
    expect(await again()).toMatchObject({ copied: 0, deleted: 0 })
    const steps: TransferStep[] = []
    expect(await again({ delete: true, onStep: (step) => steps.push(step) })).toMatchObject({ copied: 0, deleted: 4 })
    const deleted = steps.flatMap((step) => (step.action === 'delete' ? [step.url] : []))
    expect(deleted).toEqual(['0', 'b/c0', 'gone/deep/er', 'zz'].map((key) => join(folder, 'out', key)))
    expect(await readTree(join(folder, 'out'))).toEqual(TREE)
  })

  test('a dry run tells what would be copied and deleted, and does neither', async () => {
    const { folder, again } = await syncedFolders()
    await writeTree(join(folder, 'out'), { extra: 'x' })
    await writeFile(join(folder, 'in/a'), 'longer')
    const steps: TransferStep[] = []
    await again({ delete: true, dryRun: true, onStep: (step) => steps.push(step) })
    const [from, to] = [join(folder, 'in/a'), join(folder, 'out/a')]
    expect(steps).toContainEqual({ action: 'copy', from, to, size: 6 })
    expect(steps).toContainEqual({ action: 'delete', url: join(folder, 'out/extra') })
    expect(steps).toHaveLength(6)
    expect(await readTree(join(folder, 'out'))).toEqual({ ...TREE, extra: 'x' })
  })

  test('what globs leave out is neither copied nor deleted', async () => {
    const { folder, again } = await syncedFolders()
    await writeTree(join(folder, 'in'), { 'new.tmp': 'x', 'new.jpg': 'x' })
    await writeTree(join(folder, 'out'), { 'old.tmp': 'x', 'old.jpg': 'x' })
    expect(await again({ delete: true, exclude: ['*.tmp'] })).toMatchObject({ copied: 1, deleted: 1 })
    expect(await readTree(join(folder, 'out'))).toEqual({ ...TREE, 'new.jpg': 'x', 'old.tmp': 'x' })
  })

  test('an emptied source empties the destination, but keeps the folder', async () => {
    const { folder } = await syncedFolders()
    await mkdir(join(folder, 'none'))
    await syncObjects(join(folder, 'none'), join(folder, 'out'), { delete: true })
    expect(await readTree(folder)).toMatchObject({ 'none/': '', 'out/': '' })
  })

  test('nothing is deleted under a folder of the source that may not be read', async () => {
    const { folder, again } = await syncedFolders()
    await writeTree(join(folder, 'out'), { 'b/extra': 'x', extra: 'x' })
    for (const path of ['', 'out', 'out/b', 'in']) await chmod(join(folder, path), 0o777)
    await chmod(join(folder, 'in/b'), 0)
    await withoutPrivileges(async () => {
      expect(await again({ delete: true })).toMatchObject({ copied: 0, deleted: 1, failed: 1 })
    })
    await chmod(join(folder, 'in/b'), 0o777)
    expect(await readTree(join(folder, 'out'))).toEqual({ ...TREE, 'b/extra': 'x' })
  })

  test('files behind a link in the destination are not deleted', async () => {
    const { folder, again } = await syncedFolders()
    await writeTree(folder, { 'precious/x': 'mine' })
    await symlink('../precious', join(folder, 'out/link'))
    expect(await again({ delete: true })).toMatchObject({ deleted: 0, failed: 1 })
    expect(await readTree(join(folder, 'precious'))).toEqual({ x: 'mine' })
  })

  test('with a folder that the source lies in, or within it, is refused', async () => {
    const { folder } = await syncedFolders()
    for (const to of ['', 'in', 'in/b'])
      await expect(syncObjects(join(folder, 'in'), join(folder, to), { delete: true })).rejects.toEqual(
        failing('E_USAGE'),
      )
    await expect(syncObjects(join(folder, 'in/a'), join(folder, 'out/a'))).rejects.toEqual(
      failing('E_USAGE', 'only folders'),
    )
    expect(await readTree(join(folder, 'in'))).toEqual(TREE)
  })
})

describe('with a store whose objects have the time of their upload', () => {
  test('what was changed after the upload goes up, and what came down is the same', async () => {
    const folder = await temporary()
    const store = new MemoryStore('m')
    await writeTree(join(folder, 'in'), TREE)
    // The store of a test that must not depend on the clock: uploads of now, files of long ago.
    await putTree(store, 'in/', TREE)
    const up = async () => counts(await syncObjects(join(folder, 'in'), { store, key: 'in' }))
    expect(await up()).toMatchObject({ copied: 0, skipped: 5 })
    await writeFile(join(folder, 'in/a'), '9')
    const soon = Date.now() / 1000 + 60
    await utimes(join(folder, 'in/a'), soon, soon)
    expect(await up()).toMatchObject({ copied: 1, skipped: 4 })
    expect(await treeOf(store, 'in/')).toEqual({ ...TREE, a: '9' })

    const down = async () => counts(await syncObjects({ store, key: 'in/' }, join(folder, 'back')))
    expect(await down()).toMatchObject({ copied: 5 })
    expect(await down()).toMatchObject({ copied: 0, skipped: 5 })
    await store.put('in/a', bytesOf('8'))
    expect(await down()).toMatchObject({ copied: 1, skipped: 4 })
    expect(await readTree(join(folder, 'back'))).toEqual({ ...TREE, a: '8' })
  })
})

test('makes any destination like any source', async () => {
  const segment = fc.constantFrom('a', 'b', 'a-', 'a.b', 'A', 'é', '\u{1f600}', '\uffee')
  const key = fc
    .array(segment, { minLength: 1, maxLength: 3 })
    .map((parts) => parts.map((part, i) => part + (i < parts.length - 1 ? 'D' : 'F')).join('/'))
  const tree = (minKeys: number) => fc.dictionary(key, fc.constantFrom('x', 'yy'), { minKeys, maxKeys: 12 })
  await fc.assert(
    fc.asyncProperty(tree(1), tree(0), async (from, to) => {
      const store = new MemoryStore('m')
      await putTree(store, 'from/', from)
      await putTree(store, 'from.', { beside: 'x' })
      await putTree(store, 'to/', to)
      const report = await syncObjects({ store, key: 'from' }, { store, key: 'to' }, { delete: true })
      const extra = Object.keys(to).filter((each) => !Object.hasOwn(from, each))
      const differ = Object.keys(from).filter((each) => from[each]?.length !== to[each]?.length)
      // Those of one size are the same here: the destination was written later.
      expect(report).toMatchObject({ deleted: extra.length, copied: differ.length, failed: 0 })
      expect(await treeOf(store, 'to/')).toEqual({ ...from })
    }),
    { numRuns: 100 },
  )
})
