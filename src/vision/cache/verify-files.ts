import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { combineCrc32c } from '../../crc32c.ts'
import { native } from '../../native.ts'
import { filesOf, frequenciesFile, kindOfType, MANIFEST, storageOf } from './layout.ts'
import { hexChecksum, type Manifest } from './manifest.ts'

/** Something that is wrong with a file, or with one sample's part of it. */
export interface FileProblem {
  readonly file: string
  readonly sample?: number
  readonly reason: string
}

/** What is known of a cache's files before their samples are looked at. */
export interface FileStates {
  readonly problems: readonly FileProblem[]
  /** Of all files that are there. */
  readonly bytes: number
  /** Sizes of the files that are there. */
  readonly sizes: ReadonlyMap<string, number>
  /** Files that are as large as the manifest says. */
  readonly complete: ReadonlySet<string>
  /** Complete files whose checksum is right; the samples' own bytes are not looked at here. */
  readonly sound: ReadonlySet<string>
}

export const WRONG_CHECKSUM = 'does not have the checksum that it was written with'

/** One call of the addon checksums pieces of this many bytes side by side. */
const PIECE_BYTES = 16 * 1024 * 1024

/** The CRC-32C of a whole file as the manifest writes it, computed on the addon's threads. */
export async function checksumOf(path: string, threads: number): Promise<string> {
  const map = native.mapFile(path)
  try {
    const pieces = Math.ceil(map.bytes / PIECE_BYTES)
    const offsets = Float64Array.from({ length: pieces }, (_, i) => i * PIECE_BYTES)
    const sizes = offsets.map((offset) => Math.min(PIECE_BYTES, map.bytes - offset))
    const sums = await native.crc32cMapped(map, offsets, sizes, threads)
    return hexChecksum(sums.reduce((crc, sum, i) => combineCrc32c(crc, sum, sizes[i] ?? 0), 0))
  } finally {
    native.unmapFile(map)
  }
}

/** Presence and size of every file that the cache must have, and the checksum of all but the samples' own bytes. */
export async function verifyFiles(folder: string, manifest: Manifest, threads: number): Promise<FileStates> {
  const own = manifest.headrace
  const problems: FileProblem[] = []
  const sizes = new Map<string, number>()
  const complete = new Set<string>()
  const sound = new Set<string>()
  const names = new Set(Object.keys(manifest.file_sizes ?? {}))
  const data = new Set<string>()
  for (const [name, { type, form }] of Object.entries(manifest.fields)) {
    const files = filesOf(name, storageOf(kindOfType(type)))
    if (files.data !== undefined) data.add(files.data)
    const frequencies = form === 'compact' ? frequenciesFile(name) : undefined
    for (const file of [files.data, files.table, own && files.checksums, frequencies])
      if (file !== undefined) names.add(file)
  }

  for (const file of names) {
    if (/[/\\\0]|^\./.test(file)) {
      problems.push({ file: MANIFEST, reason: `names a file ${JSON.stringify(file)}` })
      continue
    }
    const path = join(folder, file)
    const found = await stat(path).catch(() => undefined)
    if (!found?.isFile()) {
      problems.push({ file, reason: found ? 'is not a regular file' : 'is missing' })
      continue
    }
    sizes.set(file, found.size)
    const said = manifest.file_sizes?.[file] ?? found.size
    if (said === found.size) complete.add(file)
    // where samples are cut off is said once their places are known
    else if (!data.has(file)) problems.push({ file, reason: `has ${found.size} bytes, not ${said}` })
    if (complete.has(file) && !data.has(file) && own?.checksums[file] === (await checksumOf(path, threads)))
      sound.add(file)
  }
  const bytes = [...sizes.values()].reduce((sum, size) => sum + size, 0)
  return { problems, bytes, sizes, complete, sound }
}
