import { combineCrc32c } from '../../crc32c.ts'
import { type NpyDescr, npyHeader } from '../../formats/npy.ts'
import { native } from '../../native.ts'
import type { Extent } from './extent.ts'
import { writeAt } from './write-at.ts'

/** What an .npy file's header says about its rows. */
export interface RowType {
  readonly descr: NpyDescr
  /** Elements a row: absent where the array has one axis only. */
  readonly columns?: number
}

/** Bytes on their way to a file. */
export interface PendingWrite {
  readonly fd: number
  readonly chunks: readonly Uint8Array[]
  readonly position: number
}

/** Small appends are collected in blocks of this many bytes. */
const BLOCK_BYTES = 64 * 1024

export function headerOf(rows: RowType | undefined, count: number): Uint8Array {
  if (rows === undefined) return new Uint8Array(0)
  return npyHeader(rows.descr, rows.columns === undefined ? [count] : [count, rows.columns])
}

/**
 * A file that only grows: appended bytes wait in memory until `take`, the caller writes them. Room for an .npy header
 * is left at the start and filled by `finish`, when the number of rows is known. Keeps the checksum of what it was given.
 */
export class AppendFile {
  readonly name: string
  readonly #fd: number
  readonly #rows: RowType | undefined
  readonly #headerBytes: number
  #bytes: number
  #crc: number
  #pending: Uint8Array[] = []
  #pendingBytes = 0
  #block = Buffer.allocUnsafeSlow(BLOCK_BYTES)
  // the part of the block that is filled and not yet pending
  #start = 0
  #end = 0

  constructor(name: string, fd: number, rows: RowType | undefined, from: Extent = { bytes: 0, crc: 0 }) {
    this.name = name
    this.#fd = fd
    this.#rows = rows
    this.#headerBytes = headerOf(rows, 0).length
    this.#bytes = from.bytes
    this.#crc = from.crc
  }

  /** Bytes after the header, those in memory included. */
  get bytes(): number {
    return this.#bytes + this.#end - this.#start
  }

  get pendingBytes(): number {
    return this.#pendingBytes + this.#end - this.#start
  }

  /** Appends bytes that the caller no longer changes, by reference; `crc` is their CRC-32C. */
  append(chunk: Uint8Array, crc: number): void {
    this.#seal()
    this.#push(chunk, crc)
  }

  /** Room for `bytes` (at most BLOCK_BYTES) more: the block, to be filled from the offset that is returned. */
  room(bytes: number): { readonly block: Buffer; readonly at: number } {
    if (this.#end + bytes > BLOCK_BYTES) {
      this.#seal()
      this.#block = Buffer.allocUnsafeSlow(BLOCK_BYTES)
      this.#start = 0
      this.#end = 0
    }
    const at = this.#end
    this.#end += bytes
    return { block: this.#block, at }
  }

  fits(bytes: number): boolean {
    return bytes <= BLOCK_BYTES
  }

  /** Hands over what is in memory, and says how far the file has come once it is written. */
  take(): { readonly extent: Extent; readonly write: PendingWrite | undefined } {
    this.#seal()
    const chunks = this.#pending
    const position = this.#headerBytes + this.#bytes - this.#pendingBytes
    this.#pending = []
    this.#pendingBytes = 0
    const write = chunks.length === 0 ? undefined : { fd: this.#fd, chunks, position }
    return { extent: { bytes: this.#bytes, crc: this.#crc }, write }
  }

  /** Writes the header; everything appended must have been written. The whole file's size and checksum. */
  async finish(count: number): Promise<Extent> {
    const header = headerOf(this.#rows, count)
    await writeAt(this.#fd, header.length === 0 ? [] : [header], 0)
    const crc = combineCrc32c(native.crc32c(header), this.#crc, this.#bytes)
    return { bytes: header.length + this.#bytes, crc }
  }

  #seal(): void {
    const chunk = this.#block.subarray(this.#start, this.#end)
    this.#start = this.#end
    if (chunk.length > 0) this.#push(chunk, native.crc32c(chunk))
  }

  #push(chunk: Uint8Array, crc: number): void {
    if (chunk.length === 0) return
    this.#pending.push(chunk)
    this.#pendingBytes += chunk.length
    this.#bytes += chunk.length
    this.#crc = combineCrc32c(this.#crc, crc, chunk.length)
  }
}
