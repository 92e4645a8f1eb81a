import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach } from 'vitest'
import type { TransferReport } from '../../../src/storage/transfer/types.ts'
import type { Store } from '../../../src/storage/types.ts'
import { bytesOf } from '../conformance.ts'

export type Tree = Readonly<Record<string, string>>

/** Folders that vanish after each test. */
export function temporaryFolders(): () => Promise<string> {
  const made: string[] = []
  afterEach(async () => {
    for (const folder of made.splice(0)) await rm(folder, { recursive: true, force: true })
  })
  return async () => {
    const folder = await mkdtemp(join(tmpdir(), 'headrace-transfer-'))
    made.push(folder)
    return folder
  }
}

/** 2001-09-09, in milliseconds; long ago enough to be no file's own time. */
export const LONG_AGO = 1_000_000_000_123

export async function writeTree(folder: string, tree: Tree, modified = LONG_AGO): Promise<void> {
  for (const [path, text] of Object.entries(tree)) {
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await writeFile(join(folder, path), text)
    await utimes(join(folder, path), modified / 1000, modified / 1000)
  }
}

/** Every file below a folder, with its text; directories that hold nothing as 'name/'. */
export async function readTree(folder: string, below = ''): Promise<Tree> {
  const entries = await readdir(join(folder, below), { withFileTypes: true }).catch(() => [])
  const tree: Record<string, string> = {}
  for (const entry of entries) {
    const path = below + entry.name
    if (!entry.isDirectory()) tree[path] = await readFile(join(folder, path), 'utf8')
    else {
      const inside = await readTree(folder, `${path}/`)
      Object.assign(tree, Object.keys(inside).length === 0 ? { [`${path}/`]: '' } : inside)
    }
  }
  return tree
}

export async function putTree(store: Store, prefix: string, tree: Tree): Promise<void> {
  for (const [key, text] of Object.entries(tree)) await store.put(prefix + key, bytesOf(text))
}

/** Every object of a store, with its text. */
export async function treeOf(store: Store, prefix = ''): Promise<Tree> {
  const tree: Record<string, string> = {}
  for await (const entry of store.list(prefix)) {
    if (entry.kind !== 'object') continue
    tree[entry.key.slice(prefix.length)] = Buffer.from((await store.get(entry.key))?.data ?? []).toString()
  }
  return tree
}

/** A report without the times. */
export function counts({ copied, bytes, skipped, deleted, failed }: TransferReport): Partial<TransferReport> {
  return { copied, bytes, skipped, deleted, failed }
}
