import { createHash, randomUUID } from 'node:crypto'
import { mkdir, open, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { cacheFolder } from '../../cache-folder.ts'
import { fromSystemError, HeadraceError, isHeadraceError, throwIfAborted } from '../../errors.ts'
import { type ColumnArray, Columns, columnPieces } from '../../formats/columns.ts'
import { localDirectory, locate, openStore } from '../../storage/open.ts'
import type { Shards } from './shards.ts'

/** Where the samples of shards lie: found out once, and kept. */
export interface IndexContent {
  /** JSON. */
  readonly about: Readonly<Record<string, unknown>>
  readonly columns: Readonly<Record<string, ColumnArray>>
}

export interface IndexQuestion {
  /** Of the dataset; with the format of the index, so that another version makes its own. */
  readonly kind: string
  readonly shards: Shards
  /** What else decides what the index says. */
  readonly also?: string
  /** A file or object that keeps it, in place of one in the cache folder. */
  readonly index: string | undefined
  readonly signal: AbortSignal | undefined
}

/** Shards that are looked through at once. */
const TOGETHER = 8

/** Runs `scan` for every shard, several at a time; the results in order. */
export async function scanShards<T>(
  shards: Shards,
  signal: AbortSignal | undefined,
  scan: (shard: number) => Promise<T>,
): Promise<T[]> {
  const results: T[] = new Array(shards.all.length)
  let next = 0
  let failed = false
  const work = async (): Promise<void> => {
    while (next < results.length && !failed) {
      const shard = next++
      throwIfAborted(signal, 'looking through shards')
      try {
        results[shard] = await scan(shard)
      } catch (error) {
        failed = true
        throw error
      }
    }
  }
  const workers = await Promise.allSettled(Array.from({ length: Math.min(TOGETHER, results.length) }, work))
  const broken = workers.find((worker) => worker.status === 'rejected')
  if (broken !== undefined) throw broken.reason
  return results
}

/**
 * The index of shards: the one that is kept, if it is of these shards, or one that `build` makes, which is kept then.
 * Where the cache folder cannot be written it is in memory; where `index` cannot, that is an error.
 */
export async function shardIndex(question: IndexQuestion, build: () => Promise<IndexContent>): Promise<Columns> {
  const { kind, shards, also = '', index } = question
  const of = createHash('sha256').update(`${kind}\0${shards.fingerprint}\0${also}`).digest('hex')
  const path = join(cacheFolder(), 'indexes', `${kind}-${of.slice(0, 32)}.index`)
  const kept = index === undefined ? openKept(path, of) : await openNamed(index, path, of, question.signal)
  if (kept !== undefined) return kept
  const { about, columns } = await build()
  const pieces = columnPieces({ ...about, of }, columns)
  if (index !== undefined) await keepNamed(index, pieces, question.signal)
  if (index === undefined || localDirectory(index) === undefined) {
    const written = await writeFile(path, pieces).then(
      () => true,
      () => false,
    )
    return written ? Columns.map(path) : Columns.inMemory(pieces, 'an index')
  }
  return Columns.map(localDirectory(index) as string)
}

/** undefined where there is none, or one of something else. */
function openKept(path: string, of: string): Columns | undefined {
  let columns: Columns
  try {
    columns = Columns.map(path)
  } catch {
    return undefined
  }
  if (columns.about.of === of) return columns
  columns.close()
  return undefined
}

/** An index in a store is copied to the cache folder at its first use. */
async function openNamed(
  index: string,
  path: string,
  of: string,
  signal: AbortSignal | undefined,
): Promise<Columns | undefined> {
  const local = localDirectory(index)
  if (local !== undefined) return openKept(local, of)
  const cached = openKept(path, of)
  if (cached !== undefined) return cached
  const { root, options, key } = locate(index)
  const store = await openStore(root, options)
  try {
    const body = await store.get(key, signal ? { signal } : {})
    if (body === undefined) return undefined
    const columns = Columns.inMemory([body.data], index)
    if (columns.about.of !== of) return undefined
    const written = await writeFile(path, [body.data]).then(
      () => true,
      () => false,
    )
    return written ? Columns.map(path) : columns
  } catch (error) {
    // What is there and is no index is replaced as a stale one is.
    if (isHeadraceError(error, 'E_CORRUPT')) return undefined
    throw error
  } finally {
    await store.close()
  }
}

async function keepNamed(index: string, pieces: readonly Uint8Array[], signal: AbortSignal | undefined): Promise<void> {
  const local = localDirectory(index)
  if (local !== undefined) return writeFile(local, pieces)
  const { root, options, key, isFolder } = locate(index)
  if (isFolder) throw new HeadraceError('E_USAGE', `index must name a file, but got the folder ${index}`)
  const store = await openStore(root, options)
  try {
    const writer = store.writer(key, signal ? { signal } : {})
    try {
      for (const piece of pieces) await writer.write(piece)
      await writer.close()
    } catch (error) {
      await writer.abort()
      throw error
    }
  } finally {
    await store.close()
  }
}

/** Whole or not at all: several processes may write the same one. */
async function writeFile(path: string, pieces: readonly Uint8Array[]): Promise<void> {
  const pending = `${path}.${randomUUID()}.tmp`
  try {
    await mkdir(dirname(path), { recursive: true })
    const file = await open(pending, 'wx', 0o644)
    try {
      for (const piece of pieces) await file.writeFile(piece)
    } finally {
      await file.close()
    }
    await rename(pending, path)
  } catch (error) {
    await rm(pending, { force: true }).catch(() => {})
    throw fromSystemError(error, `writing the index ${path}`, { path })
  }
}
