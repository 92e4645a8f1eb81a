import { Histogram, type Percentiles, percentilesOf } from '../../histogram.ts'
import type { OpRecord } from './types.ts'

/** Different names of operations that are told apart; a log of any use has a dozen. */
const MAX_OPS = 64
/** Different kinds of errors of one operation. */
const MAX_KINDS = 100
/** Where there are more. */
const OTHER = 'other'
/** Letters of a message that is kept. */
const MAX_MESSAGE = 300
/** Workers that are told apart. */
const MAX_WORKERS = 65_536

/** What a log says of one operation. Rates are over the time from its first start to its last end. */
export interface OpTotals {
  readonly op: string
  readonly count: number
  readonly failed: number
  /** By kind: the code of the error, or its first line without what is in quotes and without numbers. */
  readonly errors: Readonly<Record<string, number>>
  /** By kind, of those that are codes: what the first of these errors said, up to 300 letters of one line. */
  readonly messages: Readonly<Record<string, string>>
  readonly objects: number
  readonly bytes: number
  readonly seconds: number
  /** Of those that succeeded. */
  readonly opsPerSecond: number
  readonly bytesPerSecond: number
  /** Of those that succeeded; null where none did. */
  readonly latencyMs: Percentiles | null
  /** Null where nobody saw a first byte. */
  readonly firstByteMs: Percentiles | null
}

export interface OpLogSummary {
  readonly count: number
  readonly failed: number
  readonly bytes: number
  readonly workers: number
  /** RFC 3339, of the first start; null where there is no record. */
  readonly start: string | null
  /** To the last end. */
  readonly seconds: number
  /** Most frequent first. */
  readonly ops: readonly OpTotals[]
}

/** The kind of an error: its code where it is one of ours. */
export function errorKind(error: string): string {
  const code = /^E_[A-Z_]+/.exec(error)?.[0]
  if (code !== undefined) return code
  const [line = ''] = error.trim().split(/[\r\n]/)
  return line
    .slice(0, 1000)
    .replace(/"[^"]*"|'[^']*'/g, '"…"')
    .replace(/\d+/g, '#')
    .slice(0, 80)
}

/** What stands behind the code of an error of ours. */
function errorMessage(error: string): string | undefined {
  const [, message] = /^E_[A-Z_]+: ([^\r\n]+)/.exec(error.slice(0, MAX_MESSAGE + 100)) ?? []
  return message?.slice(0, MAX_MESSAGE)
}

class Tally {
  readonly op: string
  readonly latency = new Histogram()
  readonly firstByte = new Histogram()
  readonly #errors = new Map<string, number>()
  readonly #messages = new Map<string, string>()
  #count = 0
  #objects = 0
  #bytes = 0
  #start = Number.POSITIVE_INFINITY
  #end = Number.NEGATIVE_INFINITY

  constructor(op: string) {
    this.op = op
  }

  get count(): number {
    return this.#count
  }

  add(record: OpRecord): void {
    const { error, start, firstByte, end, objects, bytes } = record
    this.#count++
    if (start < this.#start) this.#start = start
    if (end > this.#end) this.#end = end
    if (error !== undefined) {
      const kind = errorKind(error)
      const key = this.#errors.has(kind) || this.#errors.size < MAX_KINDS ? kind : OTHER
      this.#errors.set(key, (this.#errors.get(key) ?? 0) + 1)
      const message = this.#messages.has(key) ? undefined : errorMessage(error)
      if (key === kind && message !== undefined) this.#messages.set(key, message)
      return
    }
    this.#objects += objects
    this.#bytes += bytes
    this.latency.record(end - start)
    if (firstByte !== undefined) this.firstByte.record(firstByte - start)
  }

  totals(): OpTotals {
    const succeeded = this.latency.count
    const seconds = Math.max(0, this.#end - this.#start) / 1000
    const perSecond = (value: number) => (seconds === 0 ? 0 : value / seconds)
    return {
      op: this.op,
      count: this.#count,
      failed: this.#count - succeeded,
      errors: Object.fromEntries([...this.#errors].sort(([, a], [, b]) => b - a)),
      messages: Object.fromEntries(this.#messages),
      objects: this.#objects,
      bytes: this.#bytes,
      seconds,
      opsPerSecond: perSecond(succeeded),
      bytesPerSecond: perSecond(this.#bytes),
      latencyMs: percentilesOf(this.latency) ?? null,
      firstByteMs: percentilesOf(this.firstByte) ?? null,
    }
  }
}

/** Adds records up, in memory that does not grow with their number. */
export class OpLogTotals {
  readonly #tallies = new Map<string, Tally>()
  readonly #workers = new Set<string>()
  #start = Number.POSITIVE_INFINITY
  #end = Number.NEGATIVE_INFINITY

  add(record: OpRecord): void {
    const { op, worker, client = '', start, end } = record
    const name = this.#tallies.has(op) || this.#tallies.size < MAX_OPS ? op : OTHER
    let tally = this.#tallies.get(name)
    if (tally === undefined) {
      tally = new Tally(name)
      this.#tallies.set(name, tally)
    }
    tally.add(record)
    if (this.#workers.size < MAX_WORKERS) this.#workers.add(`${worker} ${client}`)
    if (start < this.#start) this.#start = start
    if (end > this.#end) this.#end = end
  }

  summary(): OpLogSummary {
    const ops = this.#byCount().map((tally) => tally.totals())
    const sum = (what: 'count' | 'failed' | 'bytes') => ops.reduce((total, each) => total + each[what], 0)
    return {
      count: sum('count'),
      failed: sum('failed'),
      bytes: sum('bytes'),
      workers: this.#workers.size,
      start: ops.length === 0 ? null : new Date(this.#start).toISOString(),
      seconds: ops.length === 0 ? 0 : Math.max(0, this.#end - this.#start) / 1000,
      ops,
    }
  }

  /** Milliseconds, of what succeeded; most frequent first. */
  latencies(): { readonly op: string; readonly latency: Histogram }[] {
    return this.#byCount().map(({ op, latency }) => ({ op, latency }))
  }

  #byCount(): Tally[] {
    return [...this.#tallies.values()].sort((a, b) => b.count - a.count || (a.op < b.op ? -1 : 1))
  }
}
