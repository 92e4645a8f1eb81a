import { readdir } from 'node:fs/promises'
import { resolve } from 'node:path'
import { knownOptions, positiveInteger, progressOption } from '../../checks.ts'
import { availableCores } from '../../cores.ts'
import { fromSystemError, isHeadraceError } from '../../errors.ts'
import { native } from '../../native.ts'
import { localPath } from '../../storage/file/local-path.ts'
import { filesOf, kindOfType, MANIFEST, storageOf } from './layout.ts'
import { type Manifest, manifestDamage, readManifest } from './manifest.ts'
import { TextColumn } from './stored-columns.ts'
import { FieldVerification } from './verify-field.ts'
import { type FileProblem, verifyFiles } from './verify-files.ts'

export interface CacheProblem {
  /** The file's name in the cache. */
  readonly file: string
  readonly sample?: number
  /** The sample's path, where the cache has one. */
  readonly key?: string
  readonly reason: string
}

export interface VerifyProgress {
  readonly images: number
  readonly total: number
}

export interface VerifyOptions {
  /** Threads that compute checksums. Available cores. */
  readonly threads?: number
  readonly onProgress?: (progress: VerifyProgress) => void
  readonly signal?: AbortSignal
}

export interface VerifyReport {
  readonly ok: boolean
  readonly images: number
  /** Of all files that are there. */
  readonly bytes: number
  /** 'checksums': every byte. 'structure': a cache without checksums, so sizes, pointers and JPEG markers only. */
  readonly checked: 'checksums' | 'structure'
  readonly problems: readonly CacheProblem[]
}

async function hasTables(folder: string): Promise<boolean> {
  const names = await readdir(folder).catch((): string[] => [])
  return names.some((name) => name.endsWith('.npy'))
}

async function openKeys(folder: string, manifest: Manifest): Promise<TextColumn | undefined> {
  if (manifest.fields.path?.type !== 'str') return undefined
  // a damaged one is reported with the other files
  return TextColumn.open(folder, 'path', manifest.num_samples).catch(() => undefined)
}

async function verifyAll(
  folder: string,
  manifest: Manifest,
  options: VerifyOptions,
): Promise<{ bytes: number; problems: FileProblem[] }> {
  const { signal } = options
  const onProgress = progressOption(options.onProgress)
  const threads = positiveInteger('threads', options.threads ?? availableCores(), 1024)
  const fields = Object.entries(manifest.fields)
  const withData = fields.filter(([, { type }]) => kindOfType(type) !== 'number').length
  const total = manifest.num_samples
  let looked = 0
  const advance = (samples: number): void => {
    looked += samples
    onProgress?.({ images: Math.floor(looked / Math.max(1, withData)), total })
  }
  const files = await verifyFiles(folder, manifest, threads)
  const verification = new FieldVerification(folder, manifest, files, { threads, signal, advance })
  for (const [name, field] of fields) {
    const { data } = filesOf(name, storageOf(kindOfType(field.type)))
    await verification.check(name, field, data === undefined ? undefined : manifest.file_sizes?.[data])
  }
  return { bytes: files.bytes, problems: [...files.problems, ...verification.problems] }
}

/**
 * Checks a cache's files: every byte against the checksums that were written with it, naming the samples that are
 * damaged. A cache made by slipstream has none: its sizes, pointers and JPEG markers are checked, and `checked` says so.
 * Damage is reported, not thrown; E_NOT_FOUND where there is no cache at all.
 */
export async function verifyImageCache(path: string, options: VerifyOptions = {}): Promise<VerifyReport> {
  knownOptions('verifyImageCache', options, ['threads', 'onProgress', 'signal'])
  const folder = resolve(localPath('a cache', path))
  let read: Awaited<ReturnType<typeof readManifest>>
  try {
    read = await readManifest(folder)
  } catch (error) {
    if (!isHeadraceError(error) || !(await hasTables(folder))) throw error
    const reason = error.code === 'E_NOT_FOUND' ? 'is missing' : error.message
    return { ok: false, images: 0, bytes: 0, checked: 'structure', problems: [{ file: MANIFEST, reason }] }
  }
  const { manifest, text } = read
  const keys = await openKeys(folder, manifest)
  try {
    const damage = manifestDamage(text)
    const { bytes, problems } = await verifyAll(folder, manifest, options)
    const all = damage === undefined ? problems : [{ file: MANIFEST, reason: damage }, ...problems]
    return {
      ok: all.length === 0,
      images: manifest.num_samples,
      bytes: bytes + Buffer.byteLength(text),
      checked: manifest.headrace === undefined ? 'structure' : 'checksums',
      problems: all.map((problem: FileProblem) => {
        const key = problem.sample === undefined ? undefined : keys?.nameOf(problem.sample)
        return key === undefined ? problem : { ...problem, key }
      }),
    }
  } catch (error) {
    throw fromSystemError(error, `verifying ${path}`, { path: folder })
  } finally {
    if (keys) native.unmapFile(keys.map)
  }
}
