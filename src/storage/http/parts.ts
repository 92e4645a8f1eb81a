import type { Cancellations } from './cancellation.ts'
import type { Trust } from './secure.ts'
import type { Ticker } from './ticker.ts'
import type { HttpClientOptions, HttpCounters } from './types.ts'

/** What all connections of a client share. */
export interface ClientParts {
  readonly options: HttpClientOptions
  readonly counters: { -readonly [K in keyof HttpCounters]: HttpCounters[K] }
  readonly cancellations: Cancellations
  readonly trust: Trust
  readonly ticker: Ticker
  /** What every socket reads heads into: used up before the next one reads. */
  readonly scratch: Buffer
}
