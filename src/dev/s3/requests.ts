import type { FaultKind } from './faults/rules.ts'
import type { Operation } from './request/operation.ts'

/** One request as it went; while it goes, what is known so far. */
export interface RequestEntry {
  /** Counts from 0, in the order they came. */
  readonly index: number
  /** Of the connection: requests that came over one have one. */
  readonly connection: number
  readonly method: string
  readonly operation?: Operation
  readonly bucket?: string
  readonly key?: string
  readonly fault?: FaultKind
  /** Of the answer; absent where none was sent. */
  readonly status?: number
  /** Of the error that was answered with. */
  readonly code?: string
  /** From the request's head to the end of its answer. */
  readonly ms?: number
}

/** An entry while its request goes. */
export type OpenEntry = { -readonly [K in keyof RequestEntry]: RequestEntry[K] }

/** Entries that are kept; the counters go on. */
const KEPT = 10_000

/** What was asked of a server, for tests to look at. */
export class RequestLog {
  #total = 0
  #connections = 0
  readonly #counts = new Map<Operation | FaultKind, number>()
  #entries: OpenEntry[] = []

  get total(): number {
    return this.#total
  }

  get connections(): number {
    return this.#connections
  }

  /** The latest, oldest first, those that go on among them. */
  get entries(): readonly RequestEntry[] {
    return this.#entries
  }

  /** Of one operation, or hit by one kind of fault. */
  count(of: Operation | FaultKind): number {
    return this.#counts.get(of) ?? 0
  }

  /** Forgets everything but the numbers that indices go on from. */
  clear(): void {
    this.#entries = []
    this.#counts.clear()
  }

  /** @internal */
  nextConnection(): number {
    return this.#connections++
  }

  /** @internal */
  begin(method: string, connection: number): OpenEntry {
    const entry: OpenEntry = { index: this.#total++, connection, method }
    this.#entries.push(entry)
    if (this.#entries.length >= 2 * KEPT) this.#entries = this.#entries.slice(-KEPT)
    return entry
  }

  /** @internal Counts what is known of a request before it is carried out. */
  tally(entry: OpenEntry): void {
    const { operation, fault } = entry
    if (operation !== undefined) this.#counts.set(operation, (this.#counts.get(operation) ?? 0) + 1)
    if (fault !== undefined) this.#counts.set(fault, (this.#counts.get(fault) ?? 0) + 1)
  }
}
