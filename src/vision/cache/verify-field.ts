import { join } from 'node:path'
import { isHeadraceError } from '../../errors.ts'
import { native } from '../../native.ts'
import { filesOf, frequenciesFile, type ImageEncoding, kindOfType, storageOf } from './layout.ts'
import { hexChecksum, type Manifest, type ManifestField } from './manifest.ts'
import { NumberColumn } from './stored-columns.ts'
import { isBlobTable, isTextTable, readTable } from './stored-table.ts'
import { checksumOf, type FileProblem, type FileStates, WRONG_CHECKSUM } from './verify-files.ts'
import { checkPictures, checkSums, firstMisplaced, rowsOf, type SampleRows, type Watch } from './verify-samples.ts'

/** Checks one field's files beyond their sizes, naming samples where that can be done. */
export class FieldVerification {
  readonly problems: FileProblem[] = []
  readonly #folder: string
  readonly #samples: number
  readonly #own: Manifest['headrace']
  readonly #files: FileStates
  readonly #watch: Watch

  constructor(folder: string, manifest: Manifest, files: FileStates, watch: Watch) {
    this.#folder = folder
    this.#samples = manifest.num_samples
    this.#own = manifest.headrace
    this.#files = files
    this.#watch = watch
  }

  async check(name: string, field: ManifestField, dataBytes: number | undefined): Promise<void> {
    const kind = kindOfType(field.type)
    const storage = storageOf(kind)
    const { data, table, checksums } = filesOf(name, storage)
    if (data === undefined) return this.#checkNumbers(name, table)
    const rows = await this.#readRows(table, storage === 'text' ? 'text' : 'blob')
    const encoding = kind === 'image' ? (field.image_format ?? 'jpeg') : undefined
    if (rows) {
      const size = this.#files.sizes.get(data)
      if (size !== undefined && !this.#files.complete.has(data)) this.#reportCut(data, rows, size, dataBytes ?? size)
      await this.#checkTable(table, data, rows, dataBytes ?? size ?? 0, encoding)
    } else if (!this.#files.complete.has(data) && this.#files.sizes.has(data)) {
      this.problems.push({ file: data, reason: `has ${this.#files.sizes.get(data)} bytes, not ${dataBytes}` })
    }
    const frequencies = frequenciesFile(name)
    if (
      field.form === 'compact' &&
      this.#files.complete.has(frequencies) &&
      this.#own &&
      !this.#files.sound.has(frequencies)
    )
      this.problems.push({ file: frequencies, reason: WRONG_CHECKSUM })
    if (!this.#files.sizes.has(data)) return
    if (this.#own) await this.#checkData(data, table, checksums ?? '', rows)
    else if (rows && encoding) await this.#checkPictures(data, rows, encoding)
  }

  /** Runs what reads a hostile file; what is wrong with it becomes a problem. */
  async #attempt<T>(file: string, read: () => Promise<T>): Promise<T | undefined> {
    if (!this.#files.complete.has(file)) return undefined
    try {
      return await read()
    } catch (error) {
      if (!isHeadraceError(error)) throw error
      this.problems.push({ file, reason: error.message })
      return undefined
    }
  }

  async #checkNumbers(name: string, table: string): Promise<void> {
    const opened = await this.#attempt(table, () => NumberColumn.open(this.#folder, name, this.#samples))
    if (opened && this.#own && !this.#files.sound.has(table))
      this.problems.push({ file: table, reason: WRONG_CHECKSUM })
  }

  #readRows(table: string, storage: 'blob' | 'text'): Promise<SampleRows | undefined> {
    return this.#attempt(table, async () => {
      const check = storage === 'blob' ? isBlobTable : isTextTable
      const { rows } = await readTable(this.#folder, table, this.#samples, (header) => check(header, this.#samples))
      return rowsOf(new Uint32Array(rows), storage === 'blob' ? 6 : 4)
    })
  }

  #reportCut(data: string, rows: SampleRows, size: number, said: number): void {
    for (let sample = 0; sample < rows.count; sample++) {
      if (rows.offset(sample) + rows.size(sample) <= size) continue
      const reason = `the file has ${size} bytes, not ${said}: this is the first sample that is cut off`
      this.problems.push({ file: data, sample, reason })
      return
    }
    this.problems.push({ file: data, reason: `has ${size} bytes, not ${said}` })
  }

  async #checkTable(
    table: string,
    data: string,
    rows: SampleRows,
    dataBytes: number,
    encoding: ImageEncoding | undefined,
  ): Promise<void> {
    if (this.#own === undefined) {
      for (let id = 0; id < rows.count; id++) {
        const end = rows.offset(id) + rows.size(id)
        if (end > dataBytes)
          this.problems.push({
            file: table,
            sample: id,
            reason: `points to bytes ${rows.offset(id)} to ${end} of ${dataBytes}`,
          })
      }
      return
    }
    if (this.#files.sound.has(table)) return
    let sample = firstMisplaced(rows, dataBytes)
    if (sample === undefined && encoding !== undefined && this.#files.complete.has(data)) {
      // every sample is where it should be: then one has other pixels than its row says
      const watch = { ...this.#watch, advance: () => undefined }
      sample = (await this.#withMap(data, (map) => checkPictures(map, rows, encoding, watch)))[0]?.sample
    }
    this.problems.push({ file: table, ...(sample === undefined ? {} : { sample }), reason: WRONG_CHECKSUM })
  }

  async #checkData(data: string, table: string, checksums: string, rows: SampleRows | undefined): Promise<void> {
    const { complete, sound } = this.#files
    const said = this.#own?.checksums[data]
    const sums = await this.#attempt(checksums, async () => {
      const read = await readTable(
        this.#folder,
        checksums,
        this.#samples,
        ({ descr, shape }) => descr === '<u4' && shape.length === 1 && shape[0] === this.#samples,
      )
      return new Uint32Array(read.rows)
    })
    const sumsDamaged = complete.has(checksums) && !sound.has(checksums)
    if (!rows || !sums || !sound.has(table)) {
      // without sound rows a difference cannot be put down to a sample
      if (sumsDamaged && sums) this.problems.push({ file: checksums, reason: WRONG_CHECKSUM })
      if (complete.has(data) && (await checksumOf(join(this.#folder, data), this.#watch.threads)) !== said)
        this.problems.push({ file: data, reason: WRONG_CHECKSUM })
      return
    }
    const { problems, whole } = await this.#withMap(data, (map) => checkSums(map, rows, sums, this.#watch))
    const dataSound = complete.has(data) && hexChecksum(whole) === said
    for (const { sample, reason } of problems)
      this.problems.push(
        dataSound
          ? { file: checksums, sample, reason: 'its checksum is damaged, its bytes are not' }
          : { file: data, sample, reason },
      )
    if (problems.length > 0) return
    if (sumsDamaged) this.problems.push({ file: checksums, reason: WRONG_CHECKSUM })
    if (complete.has(data) && !dataSound) this.problems.push({ file: data, reason: WRONG_CHECKSUM })
  }

  async #checkPictures(data: string, rows: SampleRows, encoding: ImageEncoding): Promise<void> {
    const problems = await this.#withMap(data, (map) => checkPictures(map, rows, encoding, this.#watch))
    for (const { sample, reason } of problems) this.problems.push({ file: data, sample, reason })
  }

  async #withMap<T>(file: string, use: (map: ReturnType<typeof native.mapFile>) => Promise<T>): Promise<T> {
    const map = native.mapFile(join(this.#folder, file))
    try {
      return await use(map)
    } finally {
      native.unmapFile(map)
    }
  }
}
