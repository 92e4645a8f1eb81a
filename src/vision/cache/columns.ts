import { constants } from 'node:fs'
import { join } from 'node:path'
import type { Field, Schema } from '../../datasets/types.ts'
import { HeadraceError } from '../../errors.ts'
import { native } from '../../native.ts'
import { closeDescriptor, makeFolders, openDescriptor, syncDescriptor } from '../../storage/file/descriptor.ts'
import { highWord, lowWord } from '../../words.ts'
import { AppendFile, type RowType } from './append-file.ts'
import type { Extents } from './extent.ts'
import { BLOB_ROW, BLOB_ROW_BYTES, CHECKSUM, filesOf, isFloat, storageOf, TEXT_ROW, TEXT_ROW_BYTES } from './layout.ts'
import { writeAt } from './write-at.ts'

/** An encoded picture and its pixels. */
export interface StoredImage {
  readonly bytes: Uint8Array
  readonly width: number
  readonly height: number
}

export type StoredValue = StoredImage | Uint8Array | string | number | bigint

/** Emptied if it is there. */
const FRESH = constants.O_RDWR | constants.O_CREAT | constants.O_TRUNC

function setUint64(block: Buffer, value: number, at: number): void {
  block.writeUInt32LE(lowWord(value), at)
  block.writeUInt32LE(highWord(value), at + 4)
}

/** Adds one value to the files of its field. Values fit their field: `prepareSample` has seen to that. */
type Append = (value: StoredValue) => void
type FieldAppend = readonly [field: string, append: Append]

function appendBlob(data: AppendFile, table: AppendFile, checksums: AppendFile): Append {
  return (value) => {
    const blob = value as StoredImage | Uint8Array
    const { bytes, width, height } = blob instanceof Uint8Array ? { bytes: blob, width: 0, height: 0 } : blob
    const crc = native.crc32c(bytes)
    const row = table.room(BLOB_ROW_BYTES)
    setUint64(row.block, data.bytes, row.at)
    setUint64(row.block, bytes.length, row.at + 8)
    row.block.writeUInt32LE(height, row.at + 16)
    row.block.writeUInt32LE(width, row.at + 20)
    data.append(bytes, crc)
    const sum = checksums.room(4)
    sum.block.writeUInt32LE(crc, sum.at)
  }
}

function appendText(data: AppendFile, table: AppendFile, checksums: AppendFile): Append {
  return (value) => {
    const text = value as string
    const bytes = Buffer.byteLength(text)
    const row = table.room(TEXT_ROW_BYTES)
    setUint64(row.block, data.bytes, row.at)
    setUint64(row.block, bytes, row.at + 8)
    let crc: number
    if (data.fits(bytes)) {
      const { block, at } = data.room(bytes)
      block.write(text, at)
      crc = native.crc32c(block.subarray(at, at + bytes))
    } else {
      const chunk = Buffer.from(text)
      crc = native.crc32c(chunk)
      data.append(chunk, crc)
    }
    const sum = checksums.room(4)
    sum.block.writeUInt32LE(crc, sum.at)
  }
}

function appendNumber(table: AppendFile, field: Field): Append {
  if (isFloat(field))
    return (value) => {
      const { block, at } = table.room(8)
      block.writeDoubleLE(value as number, at)
    }
  return (value) => {
    const { block, at } = table.room(8)
    block.writeBigInt64LE(value as bigint, at)
  }
}

/** The files of one field and their row types, in the order of `filesOf`. */
export function fieldFiles(
  name: string,
  field: Field,
): readonly (readonly [file: string, rows: RowType | undefined])[] {
  const storage = storageOf(field.kind)
  const { data, table, checksums } = filesOf(name, storage)
  if (data === undefined || checksums === undefined) return [[table, { descr: isFloat(field) ? '<f8' : '<i8' }]]
  const rows = storage === 'blob' ? { descr: BLOB_ROW } : { descr: TEXT_ROW, columns: 2 }
  return [
    [data, undefined],
    [table, rows],
    [checksums, { descr: CHECKSUM }],
  ]
}

/** The growing files of all fields. Rows wait in memory until `flush`. */
export class Columns {
  readonly #files: readonly AppendFile[]
  readonly #descriptors: readonly number[]
  readonly #append: readonly FieldAppend[]

  private constructor(files: readonly AppendFile[], descriptors: readonly number[], append: readonly FieldAppend[]) {
    this.#files = files
    this.#descriptors = descriptors
    this.#append = append
  }

  /** Opens (or makes) the files in `folder`; with `from`, goes on after these extents. */
  static async open(folder: string, schema: Schema, from?: Extents): Promise<Columns> {
    await makeFolders(folder)
    const files: AppendFile[] = []
    const descriptors: number[] = []
    const append: FieldAppend[] = []
    try {
      for (const [name, field] of Object.entries(schema)) {
        const own: AppendFile[] = []
        for (const [file, rows] of fieldFiles(name, field)) {
          const fd = await openDescriptor(join(folder, file), from === undefined ? FRESH : constants.O_RDWR)
          descriptors.push(fd)
          own.push(new AppendFile(file, fd, rows, from?.[file]))
        }
        files.push(...own)
        append.push([name, appendOf(name, field, own)])
      }
    } catch (error) {
      await Promise.all(descriptors.map((fd) => closeDescriptor(fd)))
      throw error
    }
    return new Columns(files, descriptors, append)
  }

  get pendingBytes(): number {
    return this.#files.reduce((sum, file) => sum + file.pendingBytes, 0)
  }

  /** One value a field, in the order of the schema. */
  add(row: readonly StoredValue[]): void {
    this.#append.forEach(([name, append], i) => {
      const value = row[i]
      if (value === undefined) throw new HeadraceError('E_STATE', `field ${name} has no value`)
      append(value)
    })
  }

  /** Writes what is in memory. Rows added while it runs belong to the next flush; one flush at a time. */
  async flush(): Promise<Extents> {
    const taken = this.#files.map((file) => [file.name, file.take()] as const)
    await Promise.all(
      taken.map(([, { write }]) => (write ? writeAt(write.fd, write.chunks, write.position) : undefined)),
    )
    return Object.fromEntries(taken.map(([name, { extent }]) => [name, extent]))
  }

  /** After the last flush: writes the headers and makes all files durable. Whole sizes and checksums. */
  async finish(count: number): Promise<Extents> {
    const whole = await Promise.all(this.#files.map(async (file) => [file.name, await file.finish(count)] as const))
    await Promise.all(this.#descriptors.map((fd) => syncDescriptor(fd)))
    return Object.fromEntries(whole)
  }

  async close(): Promise<void> {
    await Promise.all(this.#descriptors.map((fd) => closeDescriptor(fd)))
  }
}

function appendOf(name: string, field: Field, files: readonly AppendFile[]): Append {
  const [first, table, checksums] = files
  if (first === undefined) throw new HeadraceError('E_STATE', `field ${name} has no files`)
  if (table === undefined || checksums === undefined) return appendNumber(first, field)
  return storageOf(field.kind) === 'blob' ? appendBlob(first, table, checksums) : appendText(first, table, checksums)
}
