import { show } from '../../checks.ts'
import { fromSystemError, HeadraceError, throwIfAborted } from '../../errors.ts'
import { splitFields } from './fields.ts'
import { readText } from './text.ts'
import { timestampParser } from './timestamp.ts'
import type { OpRecord } from './types.ts'

/** Characters of one record. Keys have 1,024 bytes and errors a few lines; a file that is no log has no lines. */
const MAX_LINE = 1024 * 1024
/** Lines of one record: every one has it looked at again. */
const MAX_CONTINUED = 200
/** Records handed on together: the cost of a promise is shared. */
const BATCH = 1024

/** Names that a column goes by, in lower case; the first is ours. */
const NAMES = {
  index: ['idx'],
  worker: ['thread'],
  op: ['op', 'operation'],
  client: ['client_id'],
  objects: ['n_objects'],
  bytes: ['bytes'],
  endpoint: ['endpoint'],
  url: ['file'],
  error: ['error'],
  start: ['start', 't_start'],
  firstByte: ['first_byte'],
  end: ['end'],
  duration: ['duration_ns'],
  offset: ['offset'],
} as const

type Field = keyof typeof NAMES

/** A value of a row: text of a table, anything of JSON; '' and null are no value. */
type Row = (field: Field) => unknown

function problem(message: string): HeadraceError {
  return new HeadraceError('E_CORRUPT', message)
}

function recordParser(): (row: Row) => OpRecord {
  const parseStart = timestampParser()
  const parseFirst = timestampParser()
  const parseEnd = timestampParser()

  const text = (row: Row, field: Field): string | undefined => {
    const value = row(field)
    if (value === undefined || value === null || value === '') return undefined
    if (typeof value === 'string') return value
    if (typeof value === 'number') return String(value)
    throw problem(`${NAMES[field][0]} must be text, but is ${show(value)}`)
  }
  const count = (row: Row, field: Field): number | undefined => {
    const value = text(row, field)
    if (value === undefined) return undefined
    // Threads of s3dlio are hashes of 64 bits: which is which is all that they say.
    if (!/^\d{1,20}$/.test(value))
      throw problem(`${NAMES[field][0]} must be a number of 0 or more, but is ${show(value)}`)
    return Number(value)
  }
  const time = (row: Row, field: Field, parse: (value: string) => number | undefined): number | undefined => {
    const value = text(row, field)
    if (value === undefined) return undefined
    const parsed = parse(value)
    if (parsed === undefined)
      throw problem(`${NAMES[field][0]} must be a time such as 2026-01-31T12:00:00.123Z, but is ${show(value)}`)
    return parsed
  }

  return (row) => {
    const op = text(row, 'op')?.toUpperCase()
    if (op === undefined) throw problem('op is missing')
    const start = time(row, 'start', parseStart)
    if (start === undefined) throw problem('start is missing')
    const duration = count(row, 'duration')
    const end = time(row, 'end', parseEnd) ?? (duration === undefined ? undefined : start + duration / 1e6)
    if (end === undefined) throw problem('end and duration_ns are missing: one must be there')
    const index = count(row, 'index')
    const client = text(row, 'client')
    const error = text(row, 'error')
    const firstByte = time(row, 'firstByte', parseFirst)
    const offset = count(row, 'offset')
    // Assigned one by one: spreading what may be absent takes four times as long.
    const record: { -readonly [K in keyof OpRecord]: OpRecord[K] } = {
      worker: count(row, 'worker') ?? 0,
      op,
      objects: count(row, 'objects') ?? 1,
      bytes: count(row, 'bytes') ?? 0,
      endpoint: text(row, 'endpoint') ?? '',
      url: text(row, 'url') ?? '',
      start,
      end,
    }
    if (index !== undefined) record.index = index
    if (offset !== undefined) record.offset = offset
    if (client !== undefined) record.client = client
    if (error !== undefined) record.error = error
    if (firstByte !== undefined) record.firstByte = firstByte
    return record
  }
}

/** What the lines of one log are, learnt from the first. */
interface Layout {
  /** Undefined where the line goes on in the next. */
  parse(line: string): OpRecord | undefined
}

function tableLayout(header: string): Layout {
  const delimiter = header.includes('\t') ? '\t' : ','
  const columns = (splitFields(header, delimiter) ?? []).map((name) => name.trim().toLowerCase())
  const at = Object.fromEntries(
    Object.entries(NAMES).map(([field, names]) => [
      field,
      columns.findIndex((name) => (names as readonly string[]).includes(name)),
    ]),
  ) as Record<Field, number>
  const missing = (['op', 'start'] as const).filter((field) => at[field] < 0).map((field) => NAMES[field][0])
  if (missing.length > 0)
    throw problem(
      `not the header of an op-log: it has no column ${missing.join(' and ')}: ${show(header.slice(0, 200))}`,
    )
  const toRecord = recordParser()
  return {
    parse(line) {
      const fields = splitFields(line, delimiter)
      if (fields === undefined) return undefined
      if (fields.length !== columns.length)
        throw problem(`it has ${fields.length} fields, but the header has ${columns.length}`)
      return toRecord((field) => fields[at[field]])
    },
  }
}

function jsonLayout(): Layout {
  const toRecord = recordParser()
  return {
    parse(line) {
      let document: unknown
      try {
        document = JSON.parse(line)
      } catch {
        throw problem(`not JSON: ${show(line.slice(0, 200))}`)
      }
      if (typeof document !== 'object' || document === null || Array.isArray(document))
        throw problem(`not a JSON object: ${show(line.slice(0, 200))}`)
      const values = document as Record<string, unknown>
      return toRecord((field) => {
        const name = NAMES[field].find((each) => Object.hasOwn(values, each))
        return name === undefined ? undefined : values[name]
      })
    },
  }
}

/**
 * Reads the op-logs of headrace, of s3dlio and of MinIO warp: tables with tabs or commas whose header names the
 * columns, or JSON lines; plain, .gz or .zst, told by their content. Lines that begin with `#` are comments.
 */
export class OpLogReader {
  readonly path: string
  #cutOff = false
  #layout: Layout | undefined
  #line = 0

  constructor(path: string) {
    this.path = path
  }

  /** The log ended within a record or a frame, as one does whose writer was killed. Known once it has been read. */
  get cutOff(): boolean {
    return this.#cutOff
  }

  /**
   * Records in the order of the file, some at a time. Memory is bounded. E_CORRUPT, with file and line, for what is no
   * record; but for the end of a log that was cut off, which `cutOff` tells. Every call reads from the beginning.
   */
  async *batches(options: { readonly signal?: AbortSignal } = {}): AsyncGenerator<readonly OpRecord[]> {
    this.#cutOff = false
    this.#layout = undefined
    this.#line = 0
    try {
      yield* this.#read(options.signal)
    } catch (error) {
      throw fromSystemError(error, `cannot read the op-log ${this.path}`, { path: this.path })
    }
  }

  async *#read(signal: AbortSignal | undefined): AsyncGenerator<readonly OpRecord[]> {
    let batch: OpRecord[] = []
    // The beginning of a record whose end has not come, the line that it stands in, and how many it has gone over.
    let rest = ''
    let first = 1
    let continued = 0
    for await (const { text, cutOff } of readText(this.path)) {
      throwIfAborted(signal, `reading ${this.path}`)
      if (cutOff === true) this.#cutOff = true
      const joined = rest + text
      let from = 0
      for (let end = joined.indexOf('\n', rest.length); end >= 0; end = joined.indexOf('\n', end + 1)) {
        this.#line++
        const record = this.#parse(joined.slice(from, end), first)
        if (record === 'goes on') {
          if (++continued > MAX_CONTINUED)
            throw this.#corrupt(first, `a quoted field goes on over more than ${MAX_CONTINUED} lines`)
          continue
        }
        from = end + 1
        first = this.#line + 1
        continued = 0
        if (record === undefined) continue
        batch.push(record)
        if (batch.length < BATCH) continue
        yield batch
        batch = []
      }
      rest = joined.slice(from)
      if (rest.length > MAX_LINE) throw this.#corrupt(first, `more than ${MAX_LINE} characters without an end`)
    }
    const last = rest === '' ? undefined : this.#last(rest, first)
    if (last !== undefined) batch.push(last)
    if (batch.length > 0) yield batch
  }

  /** Comments and blank lines are nothing; so is the header. */
  #parse(text: string, line: number): OpRecord | 'goes on' | undefined {
    const record = text.endsWith('\r') ? text.slice(0, -1) : text
    if (record === '' || record.startsWith('#') || record.trim() === '') return undefined
    try {
      if (this.#layout === undefined) {
        // A byte order mark is decoded away.
        if (!record.startsWith('{')) {
          this.#layout = tableLayout(record)
          return undefined
        }
        this.#layout = jsonLayout()
      }
      return this.#layout.parse(record) ?? 'goes on'
    } catch (error) {
      throw error instanceof HeadraceError ? this.#corrupt(line, error.message) : error
    }
  }

  /** What stands behind the last newline: whole where somebody wrote it without one, else cut off. */
  #last(text: string, line: number): OpRecord | undefined {
    if (this.#cutOff) return undefined
    const hadLayout = this.#layout !== undefined
    try {
      const record = this.#parse(text, line)
      if (record !== 'goes on') return record
    } catch (error) {
      if (!hadLayout) throw error
    }
    this.#cutOff = true
    return undefined
  }

  #corrupt(line: number, reason: string): HeadraceError {
    return new HeadraceError('E_CORRUPT', `${this.path}, line ${line}: ${reason}`, { path: this.path })
  }
}
