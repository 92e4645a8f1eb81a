import { readdir, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { knownOptions, positiveInteger } from '../../checks.ts'
import { availableCores } from '../../cores.ts'
import { fromSystemError, HeadraceError, isHeadraceError } from '../../errors.ts'
import { combineCrc32c } from '../../formats/crc32c.ts'
import { native } from '../../native.ts'
import { filesOf, kindOfType, MANIFEST, storageOf } from './layout.ts'
import { hexChecksum, type Manifest, type ManifestField, manifestDamage, readManifest } from './manifest.ts'
import { isBlobTable, isTextTable, NumberColumn, readTable, TextColumn } from './stored-columns.ts'
import { checkPictures, checkSums, firstMisplaced, rowsOf, type SampleProblem, type SampleRows, type Watch } from './verify-samples.ts'

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
  /** Of all files that were looked at. */
  readonly bytes: number
  /** 'checksums': every byte. 'structure': a cache without checksums, so sizes, pointers and JPEG markers only. */
  readonly checked: 'checksums' | 'structure'
  readonly problems: readonly CacheProblem[]
}

/** One call of the addon checksums pieces of this many bytes side by side. */
const PIECE_BYTES = 16 * 1024 * 1024

/** The CRC-32C of a whole file, on the addon's threads. */
async function checksumOf(path: string, threads: number): Promise<number> {
  const map = native.mapFile(path)
  try {
    const pieces = Math.ceil(map.bytes / PIECE_BYTES)
    const offsets = Float64Array.from({ length: pieces }, (_, i) => i * PIECE_BYTES)
    const sizes = offsets.map((offset) => Math.min(PIECE_BYTES, map.bytes - offset))
    const sums = await native.crc32cMapped(map, offsets, sizes, threads)
    return sums.reduce((crc, sum, i) => combineCrc32c(crc, sum, sizes[i] ?? 0), 0)
  } finally {
    native.unmapFile(map)
  }
}

class Verification {
  readonly problems: CacheProblem[] = []
  bytes = 0
  readonly #folder: string
  readonly #manifest: Manifest
  readonly #watch: Watch
  /** Files as large as they must be, and those whose checksum is right, too. */
  readonly #whole = new Set<string>()
  readonly #sound = new Set<string>()
  readonly #keys: TextColumn | undefined

  constructor(folder: string, manifest: Manifest, watch: Watch, keys: TextColumn | undefined) {
    this.#folder = folder
    this.#manifest = manifest
    this.#watch = watch
    this.#keys = keys
  }

  async run(): Promise<void> {
    const { fields } = this.#manifest
    const files = Object.entries(fields).map(([name, { type }]) => filesOf(name, storageOf(kindOfType(type))))
    const own = this.#manifest.headrace !== undefined
    const data = new Set(files.map((file) => file.data))
    const expected = files.flatMap(({ data, table, checksums }) => (own ? [data, table, checksums] : [data, table]))
    const listed = Object.keys(this.#manifest.file_sizes ?? {})
    for (const file of new Set([...listed, ...expected])) if (file !== undefined) await this.#checkFile(file, data.has(file))
    for (const [name, field] of Object.entries(fields)) await this.#checkField(name, field)
  }

  #add(file: string, reason: string, sample?: number): void {
    const key = sample === undefined ? undefined : this.#keyOf(sample)
    this.problems.push({ file, ...(sample === undefined ? {} : { sample }), ...(key === undefined ? {} : { key }), reason })
  }

  #keyOf(sample: number): string | undefined {
    const known = this.#keys !== undefined && sample >= 0 && sample < this.#manifest.num_samples
    return known ? this.#keys.read(sample) : undefined
  }

  /** Presence and size of every file, and the checksum of all but the samples' own bytes. */
  async #checkFile(file: string, isData: boolean): Promise<void> {
    if (file.includes('/') || file.includes('\0') || file.startsWith('.')) return this.#add(MANIFEST, `names a file ${JSON.stringify(file)}`)
    const path = join(this.#folder, file)
    const found = await stat(path).catch(() => undefined)
    if (!found?.isFile()) return this.#add(file, 'is missing')
    this.bytes += found.size
    const said = this.#manifest.file_sizes?.[file]
    if (said !== undefined && said !== found.size) {
      // of the samples' own bytes `#checkField` says where they end
      if (!isData) this.#add(file, `has ${found.size} bytes, not ${said}`)
      return
    }
    this.#whole.add(file)
    const sum = this.#manifest.headrace?.checksums[file]
    if (isData || sum === undefined) return
    if ((await this.#sumOf(file)) === sum) this.#sound.add(file)
  }

  async #sumOf(file: string): Promise<string> {
    return hexChecksum(await checksumOf(join(this.#folder, file), this.#watch.threads))
  }

  async #checkField(name: string, field: ManifestField): Promise<void> {
    const kind = kindOfType(field.type)
    const storage = storageOf(kind)
    const { data, table, checksums } = filesOf(name, storage)
    const samples = this.#manifest.num_samples
    const own = this.#manifest.headrace !== undefined
    if (data === undefined) {
      if (!this.#whole.has(table)) return
      const opened = await this.#attempt(table, () => NumberColumn.open(this.#folder, name, samples))
      if (opened && own && !this.#sound.has(table)) this.#add(table, 'its checksum is not the one it was written with')
      return
    }
    const rows = this.#whole.has(table)
      ? await this.#attempt(table, async () => {
          const check = storage === 'blob' ? isBlobTable : isTextTable
          const read = await readTable(this.#folder, table, samples, (header) => check(header, samples))
          return rowsOf(new Uint32Array(read.rows), storage === 'blob' ? 6 : 4)
        })
      : undefined
    const size = (await stat(join(this.#folder, data)).catch(() => undefined))?.size
    const said = this.#manifest.file_sizes?.[data] ?? size ?? 0
    if (rows) this.#checkTable(table, rows, said, kind === 'image' && field.image_format !== 'yuv420')
    if (size === undefined) return
    if (!this.#whole.has(data)) this.#shortData(data, rows, size, said)
    if (own) await this.#checkData(data, table, checksums ?? '', rows)
    else if (rows && kind === 'image') await this.#checkForeign(data, rows, field.image_format ?? 'jpeg')
  }

  /** Runs what reads a hostile file; what is wrong with it becomes a problem. */
  async #attempt<T>(file: string, read: () => Promise<T>): Promise<T | undefined> {
    try {
      return await read()
    } catch (error) {
      if (!isHeadraceError(error)) throw error
      this.#add(file, error.message, error.details.sample)
      return undefined
    }
  }

  #checkTable(table: string, rows: SampleRows, dataBytes: number, jpeg: boolean): void {
    const misplaced = firstMisplaced(rows, dataBytes)
    if (this.#manifest.headrace === undefined) {
      for (let id = 0; id < rows.count; id++)
        if (rows.offset(id) + rows.size(id) > dataBytes)
          this.#add(table, `points to bytes ${rows.offset(id)} to ${rows.offset(id) + rows.size(id)} of ${dataBytes}`, id)
      return
    }
    if (this.#sound.has(table)) return
    const where = jpeg ? 'a sample is not where or as large as it says, or its pixels are not as many' : 'a sample is not where it says'
    this.#add(table, `its checksum is not the one it was written with: ${misplaced === undefined ? 'its rows still follow each other' : where}`, misplaced)
  }

  #shortData(data: string, rows: SampleRows | undefined, size: number, said: number): void {
    let first: number | undefined
    for (let id = 0; rows !== undefined && id < rows.count && first === undefined; id++)
      if (rows.offset(id) + rows.size(id) > size) first = id
    this.#add(data, `has ${size} bytes, not ${said}`, first)
  }

  async #checkData(data: string, table: string, checksums: string, rows: SampleRows | undefined): Promise<void> {
    const said = this.#manifest.headrace?.checksums[data]
    const sums = this.#whole.has(checksums) ? await this.#sums(checksums) : undefined
    if (!rows || !sums || !this.#sound.has(table)) {
      // without sound rows a difference cannot be put down to a sample
      if (this.#whole.has(data) && (await this.#sumOf(data)) !== said) this.#add(data, 'its checksum is not the one it was written with')
      if (this.#whole.has(checksums) && !this.#sound.has(checksums)) this.#add(checksums, 'its checksum is not the one it was written with')
      return
    }
    const map = native.mapFile(join(this.#folder, data))
    try {
      const { problems, whole } = await checkSums(map, rows, sums, this.#watch)
      // the file itself is right: it is the checksums that are damaged
      const blame = this.#whole.has(data) && hexChecksum(whole) === said ? checksums : data
      for (const { sample, reason } of problems) this.#add(blame, blame === data ? reason : 'its checksum is damaged, its bytes are not', sample)
      if (problems.length === 0 && this.#whole.has(data) && hexChecksum(whole) !== said) this.#add(data, `has the checksum ${hexChecksum(whole)}, not ${said}`)
      if (!this.#sound.has(checksums) && blame !== checksums) this.#add(checksums, 'its checksum is not the one it was written with')
      else if (!this.#sound.has(checksums) && problems.length === 0) this.#add(checksums, 'its checksum is not the one it was written with')
    } finally {
      native.unmapFile(map)
    }
  }

  async #sums(file: string): Promise<Uint32Array | undefined> {
    const samples = this.#manifest.num_samples
    const table = await this.#attempt(file, () => readTable(this.#folder, file, samples, ({ descr, shape }) => descr === '<u4' && shape.length === 1 && shape[0] === samples))
    return table && new Uint32Array(table.rows)
  }

  async #checkForeign(data: string, rows: SampleRows, encoding: 'jpeg' | 'yuv420'): Promise<void> {
    const map = native.mapFile(join(this.#folder, data))
    try {
      const problems: SampleProblem[] = await checkPictures(map, rows, encoding, this.#watch)
      for (const { sample, reason } of problems) this.#add(data, reason, sample)
    } finally {
      native.unmapFile(map)
    }
  }
}

/**
 * Checks a cache's files: every byte against the checksums that were written with it, naming the samples that are
 * damaged. A cache made by slipstream has none: its sizes, pointers and JPEG markers are checked, and `checked` says so.
 * Damage is reported, not thrown; E_NOT_FOUND where there is no cache at all.
 */
export async function verifyImageCache(path: string, options: VerifyOptions = {}): Promise<VerifyReport> {
  knownOptions('verifyImageCache', options, ['threads', 'onProgress', 'signal'])
  const threads = positiveInteger('threads', options.threads ?? availableCores(), 1024)
  const folder = resolve(path)
  let read: Awaited<ReturnType<typeof readManifest>>
  try {
    read = await readManifest(folder)
  } catch (error) {
    const names = await readdir(folder).catch(() => [])
    if (!isHeadraceError(error) || !names.some((name) => name.endsWith('.npy'))) throw error
    const reason = error.code === 'E_NOT_FOUND' ? 'is missing' : error.message
    return { ok: false, images: 0, bytes: 0, checked: 'structure', problems: [{ file: MANIFEST, reason }] }
  }
  const { manifest, text } = read
  const keys = manifest.fields.path?.type === 'str' ? await TextColumn.open(folder, 'path', manifest.num_samples).catch(() => undefined) : undefined
  const blobs = Object.values(manifest.fields).filter(({ type }) => kindOfType(type) !== 'number').length
  const total = manifest.num_samples
  let looked = 0
  const advance = (samples: number): void => {
    looked += samples
    options.onProgress?.({ images: Math.floor(looked / Math.max(1, blobs)), total })
  }
  try {
    const verification = new Verification(folder, manifest, { threads, signal: options.signal, advance }, keys)
    const damage = manifestDamage(text)
    await verification.run()
    const problems = [...(damage === undefined ? [] : [{ file: MANIFEST, reason: damage }]), ...verification.problems]
    const checked = manifest.headrace === undefined ? 'structure' : 'checksums'
    return { ok: problems.length === 0, images: total, bytes: verification.bytes + Buffer.byteLength(text), checked, problems }
  } catch (error) {
    throw fromSystemError(error, `verifying ${path}`, { path: folder })
  } finally {
    if (keys) native.unmapFile(keys.map)
  }
}
