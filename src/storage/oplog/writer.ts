import { constants } from 'node:fs'
import { show } from '../../checks.ts'
import { fromSystemError, HeadraceError } from '../../errors.ts'
import { closeDescriptor, openDescriptor, writeAll } from '../file/descriptor.ts'
import { headOf, type RowFormat, rowFormatter } from './row.ts'
import type { OpRecord, OpSink } from './types.ts'

/** Characters of lines that become one write, and one frame of zstd: small enough to compress in a millisecond. */
const CHUNK = 128 * 1024
/** Chunks that wait for the disk before `record` asks to be waited for: a megabyte of text. */
const MAX_WAITING = 8
/** ms. What is recorded is in the file after so long, whatever happens to the process. */
const FLUSH_INTERVAL = 1000

const NAME = /\.(tsv|ndjson|jsonl)(\.zst)?$/i

export interface OpLogOptions {
  /**
   * Goes on behind what is there, such as the part of another thread: whole chunks, each written at once. Otherwise the
   * file is made anew.
   */
  readonly append?: boolean
  /** Number of the first record without one of its own, and from one to the next; 0 and 1. */
  readonly firstIndex?: number
  readonly indexStep?: number
}

/** The format that a file's name stands for. E_USAGE names those there are. */
function opLogFormat(path: string): { readonly rows: RowFormat; readonly compressed: boolean } {
  const [, rows, zst] = NAME.exec(path) ?? []
  if (rows === undefined)
    throw new HeadraceError(
      'E_USAGE',
      `an op-log must end in .tsv, .ndjson or .jsonl, each also with .zst, but got ${show(path)}`,
    )
  return { rows: rows.toLowerCase() === 'tsv' ? 'tsv' : 'json', compressed: zst !== undefined }
}

/**
 * Writes an op-log: nothing is dropped, memory is bounded if promises of `record` are waited for. Every second, and at
 * `close`, what was recorded goes to the file as lines that are whole, or a frame of zstd of them: a process that is
 * killed leaves a log that can be read up to there.
 */
export class OpLogWriter implements OpSink {
  readonly path: string
  readonly #fd: number
  readonly #format: (record: OpRecord, index: number) => string
  readonly #compress: ((piece: Uint8Array) => Uint8Array) | undefined
  readonly #timer: NodeJS.Timeout
  readonly #indexStep: number
  #nextIndex: number
  #text: string
  #waiting: Uint8Array[] = []
  #writing: Promise<void> | undefined
  #failure: unknown
  #closed = false

  private constructor(
    path: string,
    fd: number,
    compress: ((piece: Uint8Array) => Uint8Array) | undefined,
    { append = false, firstIndex = 0, indexStep = 1 }: OpLogOptions,
  ) {
    const { rows } = opLogFormat(path)
    this.path = path
    this.#fd = fd
    this.#compress = compress
    this.#format = rowFormatter(rows)
    this.#nextIndex = firstIndex
    this.#indexStep = indexStep
    this.#text = append ? '' : headOf(rows)
    // What fails here is kept, and thrown by `record` and `close`.
    this.#timer = setInterval(() => this.flush().catch(() => {}), FLUSH_INTERVAL).unref()
  }

  /** What is at `path` is replaced. E_USAGE for a name that stands for no format. */
  static async open(path: string, options: OpLogOptions = {}): Promise<OpLogWriter> {
    const { compressed } = opLogFormat(path)
    const compress = compressed ? await (await import('../../zstd.ts')).zstdCompressor() : undefined
    const { O_WRONLY, O_CREAT, O_APPEND, O_TRUNC } = constants
    // Always O_APPEND: whoever made the file does not write over what others add.
    const flags = O_WRONLY | O_CREAT | O_APPEND | (options.append === true ? 0 : O_TRUNC)
    try {
      return new OpLogWriter(path, await openDescriptor(path, flags), compress, options)
    } catch (error) {
      throw fromSystemError(error, `cannot write the op-log ${path}`, { path })
    }
  }

  /** Throws what a write before failed with, E_STATE after `close`. */
  record(record: OpRecord): void | Promise<void> {
    if (this.#failure !== undefined) throw this.#failure
    if (this.#closed) throw new HeadraceError('E_STATE', `the op-log ${this.path} is closed`, { path: this.path })
    let index = record.index
    if (index === undefined) {
      index = this.#nextIndex
      this.#nextIndex += this.#indexStep
    }
    this.#text += this.#format(record, index)
    if (this.#text.length >= CHUNK) {
      this.#cut()
      // A failure is told by the next call.
      this.#write().catch(() => {})
    }
    if (this.#waiting.length >= MAX_WAITING) return this.#write()
  }

  /** Resolves once everything recorded so far is in the file. */
  async flush(): Promise<void> {
    this.#cut()
    await this.#write()
    if (this.#failure !== undefined) throw this.#failure
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    clearInterval(this.#timer)
    try {
      await this.flush()
    } finally {
      await closeDescriptor(this.#fd)
    }
  }

  #cut(): void {
    if (this.#text === '') return
    const bytes = Buffer.from(this.#text)
    this.#text = ''
    this.#waiting.push(this.#compress?.(bytes) ?? bytes)
  }

  /** Writes what waits; one at a time, in order. */
  #write(): Promise<void> {
    this.#writing ??= this.#drain().finally(() => {
      this.#writing = undefined
    })
    return this.#writing
  }

  async #drain(): Promise<void> {
    try {
      for (let chunk = this.#waiting.shift(); chunk !== undefined; chunk = this.#waiting.shift())
        await writeAll(this.#fd, chunk)
    } catch (error) {
      this.#waiting = []
      this.#failure = fromSystemError(error, `cannot write the op-log ${this.path}`, { path: this.path })
      throw this.#failure
    }
  }
}
