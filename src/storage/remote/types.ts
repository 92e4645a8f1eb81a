import type { HttpRequest, HttpResponse, Origin } from '../http/types.ts'
import type { Trace } from '../types.ts'

/** What the object protocols (s3, az, gs) share: one request with all its attempts. */

/** One of the servers that hold the same content. */
export interface Endpoint {
  readonly origin: Origin
  /** What stands before every path: '' or '/base'. */
  readonly basePath: string
}

export interface Exchange<T> {
  /** For messages: 'get s3://bucket/key'. */
  readonly doing: string
  readonly url: string
  readonly key?: string
  /** Builds the request anew for every attempt: signatures carry the time and the host. */
  build(endpoint: Endpoint): HttpRequest | Promise<HttpRequest>
  /**
   * What the answer says. Throws a HeadraceError for a failure, also one inside a 200; its code decides on another
   * attempt (E_NETWORK, E_TIMEOUT, E_THROTTLED, E_SERVER, E_CHECKSUM, E_CORRUPT may pass; others never do). Throws `Again` where the
   * request was built on a wrong assumption (region, clock, token) that is mended now.
   */
  read(response: HttpResponse): T
  /** Safe to repeat after it may have taken effect. */
  readonly idempotent: boolean
}

/** Not a failure: the next attempt is built differently. Counted, so that it cannot go on for ever. */
export class Again extends Error {
  readonly because: string
  constructor(because: string) {
    super(because)
    this.because = because
  }
}

export interface SendOptions {
  readonly signal?: AbortSignal
  readonly trace?: Trace
}

/** Sends exchanges: chooses an endpoint, waits for its turn, retries, slows down where a server asks for it. */
export interface Session {
  send<T>(exchange: Exchange<T>, options?: SendOptions): Promise<T>
  report(): SessionReport
  close(): Promise<void>
}

export interface EndpointReport {
  readonly endpoint: string
  readonly requests: number
  readonly failures: number
  readonly bytesSent: number
  readonly bytesReceived: number
  /** Now. */
  readonly active: number
  readonly healthy: boolean
}

export interface SessionReport {
  readonly endpoints: readonly EndpointReport[]
  readonly retries: number
  /** Requests that may be under way at once now: less than the option where a server said to slow down. */
  readonly concurrency: number
}

/** Options of every store behind HTTP. Times are milliseconds. */
export interface RemoteOptions {
  /** Requests under way at once, connections per address; 64. */
  readonly concurrency: number
  /** Attempts of one request, the first among them; 5. */
  readonly attempts: number
  /** Full jitter: a wait is drawn from 0 to min(maxDelay, baseDelay x 2^n). 100 and 20,000. */
  readonly baseDelay: number
  readonly maxDelay: number
  /** 5,000 / 30,000 / 30,000 / 20,000; see HttpClientOptions. */
  readonly connectTimeout: number
  readonly firstByteTimeout: number
  readonly stallTimeout: number
  readonly idleTimeout: number
  /** Bytes of a ranged GET and of a part of an upload; 8 MiB. */
  readonly partSize: number
  /** Parts of one object under way at once; 8. Memory of an upload: partSize x (partsInFlight + 1). */
  readonly partsInFlight: number
  /** How a request finds its endpoint where there are several. */
  readonly balance: 'round-robin' | 'least-busy'
  readonly ca?: string
  readonly verifyTls: boolean
}
