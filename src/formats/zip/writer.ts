import { pipeline } from 'node:stream/promises'
import { createDeflateRaw } from 'node:zlib'
import { crc32 } from '../../storage/crc.ts'
import { givePiece, PIECE_BYTES, Pieces, takePiece } from '../pieces.ts'
import type { ByteSink } from '../types.ts'
import {
  centralHeader,
  DEFLATED,
  descriptor,
  endOfDirectory,
  localHeader,
  SIZES_FOLLOW,
  STORED,
  type ZipEntry,
} from './headers.ts'

/** Fills `target` with a member's bytes from `offset` on; asked for in order. */
export type MemberFill = (offset: number, target: Uint8Array) => void

/** Writes an archive front to back. */
export class ZipWriter {
  readonly #out: Pieces
  readonly #entries: ZipEntry[] = []
  readonly #zip64: boolean

  /** `zip64`: every member has the field for sizes beyond 4 GiB, as NumPy's have. */
  constructor(sink: ByteSink, zip64: boolean) {
    this.#out = new Pieces(sink)
    this.#zip64 = zip64
  }

  /** A member as it is. Its checksum stands before it: what is longer than a piece is asked for twice. */
  async stored(name: string, size: number, fill: MemberFill): Promise<void> {
    const memory = takePiece()
    let crc = 0
    for (let offset = 0; offset < size; offset += PIECE_BYTES) {
      const piece = memory.subarray(0, Math.min(PIECE_BYTES, size - offset))
      fill(offset, piece)
      crc = crc32(piece, crc)
    }
    const entry = {
      name,
      method: STORED,
      flags: 0,
      crc,
      size,
      storedSize: size,
      offset: this.#out.bytes,
      zip64: this.#zip64,
    } as const
    await this.#out.put(localHeader(entry))
    if (size <= PIECE_BYTES) await this.#out.put(memory.subarray(0, size))
    else await this.#putAll(size, fill)
    givePiece(memory)
    this.#entries.push(entry)
  }

  /** A deflated member. Its sizes are known afterwards and follow it, in wide fields since they may be anything. */
  async deflated(name: string, pieces: Iterable<Uint8Array>, level: number | undefined): Promise<void> {
    const offset = this.#out.bytes
    const begun = {
      name,
      method: DEFLATED,
      flags: SIZES_FOLLOW,
      crc: 0,
      size: 0,
      storedSize: 0,
      offset,
      zip64: true,
    } as const
    await this.#out.put(localHeader(begun))
    const start = this.#out.bytes
    let crc = 0
    let size = 0
    const counted = function* (): Generator<Uint8Array> {
      for (const piece of pieces) {
        crc = crc32(piece, crc)
        size += piece.length
        yield piece
      }
    }
    const deflate = createDeflateRaw(level === undefined ? {} : { level })
    await pipeline(counted, deflate, async (packed: AsyncIterable<Buffer>) => {
      for await (const chunk of packed) await this.#out.put(chunk)
    })
    const entry = { ...begun, crc, size, storedSize: this.#out.bytes - start }
    await this.#out.put(descriptor(entry))
    this.#entries.push(entry)
  }

  async end(): Promise<void> {
    const offset = this.#out.bytes
    for (const entry of this.#entries) await this.#out.put(centralHeader(entry))
    await this.#out.put(endOfDirectory(this.#entries.length, this.#out.bytes - offset, offset))
    await this.#out.end()
  }

  async #putAll(size: number, fill: MemberFill): Promise<void> {
    for (let offset = 0; offset < size; ) {
      if (this.#out.full) await this.#out.flush()
      const room = this.#out.take(size - offset)
      fill(offset, room)
      offset += room.length
    }
  }
}

/** A member's bytes in pieces, each a new one: a stream keeps several. */
export function* piecesOf(size: number, fill: MemberFill): Generator<Uint8Array> {
  for (let offset = 0; offset < size; offset += PIECE_BYTES) {
    const piece = new Uint8Array(Math.min(PIECE_BYTES, size - offset))
    fill(offset, piece)
    yield piece
  }
}

/** Bytes of an archive of stored members. */
export function storedArchiveBytes(members: readonly { name: string; size: number }[], zip64: boolean): number {
  let offset = 0
  const entries = members.map(({ name, size }): ZipEntry => {
    const entry = { name, method: STORED, flags: 0, crc: 0, size, storedSize: size, offset, zip64 } as const
    offset += localHeader(entry).length + size
    return entry
  })
  const directory = entries.reduce((sum, entry) => sum + centralHeader(entry).length, 0)
  return offset + directory + endOfDirectory(entries.length, directory, offset).length
}
