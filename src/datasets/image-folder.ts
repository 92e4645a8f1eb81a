import { createHash } from 'node:crypto'
import { knownOptions } from '../checks.ts'
import { fromSystemError, HeadraceError } from '../errors.ts'
import { imageType } from '../formats/image-type.ts'
import { statOrAbsent } from '../storage/file/directory.ts'
import { isFolderMarker } from '../storage/keys.ts'
import { localDirectory, openStore } from '../storage/open.ts'
import { isSameTime } from '../storage/time.ts'
import type { ObjectInfo, Store, Unlisted } from '../storage/types.ts'
import { absoluteUrl, otherObjects } from './listing.ts'
import { openManifest } from './manifest/open.ts'
import type { DatasetSpec } from './spec.ts'
import type { Dataset, Field, ReadOptions, Sample } from './types.ts'

/** Samples of a folder with one sub-folder a class. */
export type ImageFolderSchema = {
  readonly image: Field<'image'>
  readonly label: Field<'number'> & { readonly dtype: 'int64' }
  readonly path: Field<'string'>
}

const IMAGE_FOLDER_SCHEMA: ImageFolderSchema = {
  image: { kind: 'image' },
  label: { kind: 'number', dtype: 'int64' },
  path: { kind: 'string' },
}

export interface ImageFolderOptions {
  /** URL or path of what `buildManifest` wrote: nothing is listed then, and what is no file is not told of. */
  readonly manifest?: string
  /** What the folder's fingerprint must be: E_STATE where the files are others by now. */
  readonly fingerprint?: string
  readonly signal?: AbortSignal
}

export interface Listed {
  readonly key: string
  readonly size: number
  /** Of a listing; 0 from a manifest. */
  readonly modified: number
  /** From a manifest. */
  readonly etag?: string
  /** Of what is there and is no file that can be read: a link to nothing, a pipe, a folder that may not be listed. */
  readonly fault?: Unlisted
}

/** Links back into a folder they lie in hold nothing new; what else lies in the root and is no folder has no class. */
function isIgnored({ key, code }: Unlisted): boolean {
  return code === 'E_EXISTS' || (code === 'E_UNSUPPORTED' && !key.includes('/'))
}

/** Python's order of strings, and that of UTF-8 bytes: by code point. */
function byCodePoint(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}

function isHidden(key: string): boolean {
  return key.startsWith('.') || key.includes('/.')
}

/**
 * A folder of pictures as a dataset: the first-level folder is the class, files may lie deeper in it. Class ids are
 * the class names' places in code point order; samples are ordered by class, then by path. Anything with a path part
 * that starts with '.' is left out. Names say nothing about what a file is: `read` looks at its bytes. Links are
 * followed. What is there and cannot be read (a link to nothing, a pipe, a folder without permission, a name that is not
 * UTF-8) is a sample, too: one whose `read` says what is wrong.
 */
export class ImageFolder implements Dataset<ImageFolderSchema> {
  readonly schema = IMAGE_FOLDER_SCHEMA
  readonly length: number
  readonly url: string
  /** Class names; a sample's label is its class's index here. */
  readonly classes: readonly string[]
  /** Files that belong to no class because they lie in the folder itself, and links back into a folder they lie in. */
  readonly ignored: readonly string[]
  /** sha256 over every file's path, size and time of change; from a manifest over paths, sizes and etags. */
  readonly fingerprint: string
  readonly spec: DatasetSpec
  readonly #store: Store
  readonly #files: readonly Listed[]
  readonly #labels: Int32Array
  readonly #labelValues: readonly bigint[]
  readonly #largest: number

  /** `stray`: faults that may be a class, or may be none. */
  constructor(
    store: Store,
    classes: ReadonlyMap<string, readonly Listed[]>,
    stray: readonly Listed[],
    ignored: readonly string[],
    spec: Readonly<Record<string, unknown>>,
  ) {
    this.#store = store
    this.url = store.url
    this.classes = [...classes.keys()].sort(byCodePoint)
    this.ignored = ignored
    this.#labelValues = this.classes.map((_, label) => BigInt(label))
    const byClass = this.classes.map((name) => classes.get(name) ?? [])
    this.#files = [...stray, ...byClass.flat()]
    this.length = this.#files.length
    this.#labels = new Int32Array(this.length).fill(-1)
    let next = stray.length
    byClass.forEach((files, label) => {
      this.#labels.fill(label, next, next + files.length)
      next += files.length
    })
    const hash = createHash('sha256')
    let largest = 0
    for (const { key, size, modified, etag } of this.#files) {
      hash.update(`${key}\0${size}\0${etag ?? modified}\n`)
      if (size > largest) largest = size
    }
    this.#largest = largest
    this.fingerprint = hash.digest('hex')
    this.spec = { kind: 'image-folder', ...spec, fingerprint: this.fingerprint }
  }

  describe(id: number): string {
    return this.#files[id]?.key ?? `sample ${id}`
  }

  maxSize(field: string): number {
    return field === 'image' ? this.#largest : 0
  }

  /** Bytes of sample `id`'s file when it was listed. */
  sizeOf(id: number): number | undefined {
    return this.#files[id]?.size
  }

  /**
   * E_NOT_FOUND where the file has gone and E_STATE where it has changed since it was listed; E_CORRUPT for a file of
   * no bytes and E_UNSUPPORTED for one that is not a picture, or no file; E_ACCESS. All name the path.
   */
  async read(id: number, options: ReadOptions = {}): Promise<Sample> {
    const file = this.#files[id]
    if (file === undefined)
      throw new HeadraceError('E_USAGE', `sample id must be an integer from 0 to ${this.length - 1}, but got ${id}`)
    const where = { url: this.url, key: file.key, sample: id }
    if (file.fault !== undefined) throw new HeadraceError(file.fault.code, `${file.key} ${file.fault.reason}`, where)
    const label = this.#labelValues[this.#labels[id] as number] as bigint
    const { fields, ...call } = options
    if (fields && !fields.includes('image')) return pick({ label, path: file.key }, fields)

    const body = await this.#store.get(file.key, call)
    if (!body) throw new HeadraceError('E_NOT_FOUND', `${file.key} is no longer there`, where)
    if (body.info.size !== file.size || !isSameVersion(body.info, file))
      throw new HeadraceError('E_STATE', `${file.key} has changed since it was listed`, where)
    const image = body.data
    if (image.length === 0) throw new HeadraceError('E_CORRUPT', `${file.key} is an empty file`, where)
    if (imageType(image) === undefined)
      throw new HeadraceError('E_UNSUPPORTED', `${file.key} is not a picture (${beginning(image)})`, where)
    const sample = { image, label, path: file.key }
    return fields ? pick(sample, fields) : sample
  }

  close(): Promise<void> {
    return this.#store.close()
  }
}

function isSameVersion({ etag, modified }: ObjectInfo, file: Listed): boolean {
  return file.etag === undefined ? isSameTime(modified, file.modified) : file.etag === '' || file.etag === etag
}

function beginning(bytes: Uint8Array): string {
  return `it starts with ${Buffer.from(bytes.subarray(0, 8)).toString('hex')}`
}

function pick(sample: Sample, fields: readonly string[]): Sample {
  return Object.fromEntries(Object.entries(sample).filter(([name]) => fields.includes(name)))
}

/** Says what is wrong with a local root before a store takes it for an empty one. */
async function checkRoot(root: string): Promise<void> {
  const path = localDirectory(root)
  if (path === undefined || path === '') return
  const found = await statOrAbsent(path).catch((error) => {
    throw fromSystemError(error, `looking at ${root}`, { path })
  })
  if (found === undefined) throw new HeadraceError('E_NOT_FOUND', `${root} does not exist`, { path })
  if (!found.isDirectory())
    throw new HeadraceError('E_USAGE', `${root} is a file; the source must be a folder with one sub-folder per class`, {
      path,
    })
}

async function* filesOf(
  store: Store,
  signal: AbortSignal | undefined,
  onUnlisted: (found: Unlisted) => void,
): AsyncGenerator<Listed> {
  for await (const entry of store.list('', { onUnlisted, ...(signal && { signal }) })) {
    if (entry.kind !== 'object' || isFolderMarker(entry)) continue
    const { key, size, modified } = entry
    yield { key, size, modified }
  }
}

async function* fromManifest(url: string, signal: AbortSignal | undefined): AsyncGenerator<Listed> {
  const manifest = await openManifest(url, signal ? { signal } : {})
  try {
    for (const { key, size, etag } of manifest.entries()) yield { key, size, etag, modified: 0 }
  } finally {
    manifest.close()
  }
}

/**
 * Opens a folder of pictures, local (a path or file: URL) or in any store. E_NOT_FOUND where it is not there or has no
 * files in class folders, E_USAGE for a file, E_ACCESS where it may not be listed. Listing reads no file.
 */
export async function imageFolder(root: string, options: ImageFolderOptions = {}): Promise<ImageFolder> {
  knownOptions('imageFolder', options, ['manifest', 'fingerprint', 'signal'])
  const { manifest, fingerprint, signal } = options
  await checkRoot(root)
  const store = await openStore(root)
  try {
    const classes = new Map<string, Listed[]>()
    const stray: Listed[] = []
    const ignored: string[] = []
    const faults: Unlisted[] = []
    const add = (file: Listed): void => {
      const slash = file.key.indexOf('/')
      const name = file.key.slice(0, slash)
      const files = slash < 0 ? stray : classes.get(name)
      if (files) files.push(file)
      else classes.set(name, [file])
    }
    const onUnlisted = (found: Unlisted): void => {
      if (isHidden(found.key)) return
      if (isIgnored(found)) ignored.push(found.key)
      else faults.push(found)
    }
    const entries = manifest === undefined ? filesOf(store, signal, onUnlisted) : fromManifest(manifest, signal)
    for await (const file of entries) {
      if (isHidden(file.key)) continue
      if (file.key.includes('/')) add(file)
      else ignored.push(file.key)
    }
    for (const fault of faults) add({ key: fault.key, size: 0, modified: 0, fault })
    if (faults.length > 0)
      for (const files of [stray, ...classes.values()]) files.sort((a, b) => byCodePoint(a.key, b.key))
    if (classes.size === 0 && stray.length === 0) {
      const beside = ignored.length > 0 ? `; ${ignored.length} files lie in the folder itself` : ''
      throw new HeadraceError('E_NOT_FOUND', `${root} has no files in class folders${beside}`, {
        url: store.url,
        hint: 'the layout is ROOT/CLASS/PICTURE; put all pictures into one sub-folder if they have no classes',
      })
    }
    const spec = { url: absoluteUrl(root), ...(manifest !== undefined && { manifest: absoluteUrl(manifest) }) }
    const folder = new ImageFolder(store, classes, stray, ignored.sort(byCodePoint), spec)
    if (fingerprint === undefined || fingerprint === folder.fingerprint) return folder
    throw otherObjects(store.url)
  } catch (error) {
    await store.close()
    throw error
  }
}
