import type { FaultKind } from './faults/rules.ts'
import type { Operation } from './request/operation.ts'

/** One request as it went. */
export interface RequestEntry {
  /** Counts from 0, in the order they came. */
  readonly index: number
  readonly operation: Operation | undefined
  readonly method: string
  readonly bucket: string | undefined
  readonly key: string | undefined
  /** Of the answer; undefined where none was sent. */
  readonly status: number | undefined
  /** Of the error that was answered with. */
  readonly code: string | undefined
  readonly fault: FaultKind | undefined
  /** Of the connection: requests that came over one have one. */
  readonly connection: number
  /** Milliseconds from the request's head to the end of its answer. */
  readonly ms: number
}

/** Entries that are kept; the counters go on. */
const KEPT = 10_000

/** What was asked of a server, for tests to look at. */
export class RequestLog {
  #total = 0
  #connections = 0
  readonly #counts = new Map<string, number>()
  readonly #faults = new Map<FaultKind, number>()
  #entries: RequestEntry[] = []

  get total(): number {
    return this.#total
  }

  get connections(): number {
    return this.#connections
  }

  /** The latest, oldest first. One is there once its answer has ended. */
  get entries(): readonly RequestEntry[] {
    return this.#entries
  }

  /** Of one operation, or hit by one kind of fault. */
  count(of: Operation | FaultKind): number {
    return this.#counts.get(of) ?? this.#faults.get(of as FaultKind) ?? 0
  }

  /** Forgets everything but the numbers that indices go on from. */
  clear(): void {
    this.#entries = []
    this.#counts.clear()
    this.#faults.clear()
  }

  /** @internal */
  nextIndex(): number {
    return this.#total++
  }

  /** @internal */
  nextConnection(): number {
    return this.#connections++
  }

  /** @internal */
  add(entry: RequestEntry): void {
    const { operation, fault } = entry
    if (operation !== undefined) this.#counts.set(operation, (this.#counts.get(operation) ?? 0) + 1)
    if (fault !== undefined) this.#faults.set(fault, (this.#faults.get(fault) ?? 0) + 1)
    this.#entries.push(entry)
    if (this.#entries.length >= 2 * KEPT) this.#entries = this.#entries.slice(-KEPT)
  }
}
