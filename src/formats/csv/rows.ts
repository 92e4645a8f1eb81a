import { memorySource } from '../byte-source.ts'
import { forget, keep, touch } from '../kept.ts'
import { Milestones } from '../milestones.ts'
import type { ByteSource } from '../types.ts'
import { type Codec, openText, type TextStream } from './codec.ts'
import type { RowParser } from './numbers.ts'

const NEWLINE = 0x0a
const RETURN = 0x0d
const COMMA = 0x2c

/** 16 MiB of text are kept after the first look: the file is read once. */
const KEPT_BYTES = 16 * 2 ** 20
/** 64 KiB a read where a row is looked for. */
const PIECE = 64 * 1024
/** 4 KiB of the first row tell what its numbers are. */
const SAMPLE_BYTES = 4096

/** What is known of a text after it was gone through once. */
export interface TextFacts {
  readonly rows: number
  /** Of the first row. */
  readonly columns: number
  /** The beginning of the first row. */
  readonly begins: string
}

/** Lines of a stream, one after the other. */
class Lines {
  readonly #stream: TextStream
  #rest: Uint8Array = new Uint8Array(0)

  constructor(stream: TextStream) {
    this.#stream = stream
  }

  /** Gives the line's bytes to `take`, without what ends it; false where there is no further line. */
  async line(take: ((bytes: Uint8Array) => void) | undefined): Promise<boolean> {
    let some = false
    for (;;) {
      if (this.#rest.length === 0) {
        const next = await this.#stream.next()
        if (next === undefined) return some
        this.#rest = next
        continue
      }
      some = true
      const end = this.#rest.indexOf(NEWLINE)
      const bytes = end < 0 ? this.#rest : this.#rest.subarray(0, end)
      this.#rest = end < 0 ? new Uint8Array(0) : this.#rest.subarray(end + 1)
      take?.(bytes.at(-1) === RETURN ? bytes.subarray(0, -1) : bytes)
      if (end >= 0) return true
    }
  }

  close(): void {
    this.#stream.close()
  }
}

/** Rows of a text, compressed or not, any of them in any order. */
export class TextRows {
  readonly facts: TextFacts
  #source: ByteSource
  #codec: Codec
  readonly #milestones: Milestones
  #lines: Lines | undefined
  /** The row that `#lines` gives next. */
  #row = 0
  #turn: Promise<unknown> = Promise.resolve()

  private constructor(source: ByteSource, codec: Codec, milestones: Milestones, facts: TextFacts) {
    this.#source = source
    this.#codec = codec
    this.#milestones = milestones
    this.facts = facts
  }

  /** Goes through the whole text once: only then it is known how many rows there are. */
  static async open(source: ByteSource, codec: Codec): Promise<TextRows> {
    const milestones = new Milestones()
    const stream = await openText(source, codec)
    let kept: Uint8Array[] | undefined = []
    let [rows, columns, bytes, begun] = [0, 0, 0, 0]
    let begins = ''
    try {
      for (let piece = await stream.next(); piece !== undefined; piece = await stream.next()) {
        if (bytes + piece.length > KEPT_BYTES) kept = undefined
        kept?.push(piece)
        if (rows === 0) {
          const end = piece.indexOf(NEWLINE)
          const first = end < 0 ? piece : piece.subarray(0, end)
          columns += commas(first)
          begins += Buffer.from(first.subarray(0, Math.max(0, SAMPLE_BYTES - begins.length))).toString('latin1')
        }
        for (let at = piece.indexOf(NEWLINE); at >= 0; at = piece.indexOf(NEWLINE, at + 1)) {
          milestones.note(rows++, begun)
          begun = bytes + at + 1
        }
        bytes += piece.length
      }
    } finally {
      stream.close()
    }
    if (begun < bytes) milestones.note(rows++, begun)
    const facts = { rows, columns: rows === 0 ? 0 : columns + 1, begins }
    const found = new TextRows(source, codec, milestones, facts)
    if (kept !== undefined) found.#hold(Buffer.concat(kept))
    return found
  }

  /** Reads from memory from now on, as long as there is room for it. */
  #hold(text: Uint8Array): void {
    const [source, codec] = [this.#source, this.#codec]
    this.#source = memorySource(source.name, text)
    this.#codec = 'none'
    keep(this, text.length, () => {
      this.#endLines()
      this.#source = source
      this.#codec = codec
    })
  }

  /** Gives row `row` to the parser. */
  read(row: number, parser: RowParser): Promise<void> {
    const done = this.#turn.then(() => this.#read(row, parser))
    this.#turn = done.catch(() => {})
    return done
  }

  close(): void {
    this.#endLines()
    forget(this)
  }

  #endLines(): void {
    this.#lines?.close()
    this.#lines = undefined
  }

  async #read(row: number, parser: RowParser): Promise<void> {
    touch(this)
    const { index, offset } = this.#codec === 'none' ? this.#milestones.before(row) : { index: 0, offset: 0 }
    if (this.#lines === undefined || this.#row > row || this.#row < index) {
      this.#endLines()
      this.#lines = new Lines(
        this.#codec === 'none' ? textFrom(this.#source, offset) : await openText(this.#source, this.#codec),
      )
      this.#row = index
    }
    // What is given up meanwhile for want of room is read to the end of this row.
    const lines = this.#lines
    try {
      for (let next = this.#row; next < row; next++) await lines.line(undefined)
      await lines.line((bytes) => parser.push(bytes))
      parser.end()
      if (this.#lines === lines) this.#row = row + 1
    } catch (error) {
      this.#endLines()
      throw error
    }
  }
}

function textFrom(source: ByteSource, offset: number): TextStream {
  let at = offset
  return {
    next: async () => {
      if (at >= source.size) return undefined
      const piece = await source.read(at, Math.min(PIECE, source.size - at))
      at += piece.length
      return piece
    },
    close: () => {},
  }
}

function commas(bytes: Uint8Array): number {
  let count = 0
  for (const byte of bytes) if (byte === COMMA) count++
  return count
}
