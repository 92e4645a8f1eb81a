/** What is asked of an HTTP server and what comes back, as plain data. Protocols build these; the client moves them. */

/** Where a request goes; an address that a host resolves to is chosen by the connection pool. */
export interface Origin {
  readonly protocol: 'http:' | 'https:'
  /** A name or a literal address, IPv6 without brackets. */
  readonly host: string
  readonly port: number
}

export type Method = 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE'

/** Names in lower case. `host` and `content-length` are the client's to write unless they stand here. */
export type HeaderFields = Readonly<Record<string, string>>

export interface HttpHead {
  readonly status: number
  /** Names in lower case; fields that came more than once are joined by ', '. */
  readonly headers: HeaderFields
}

export interface HttpRequest {
  readonly method: Method
  readonly origin: Origin
  /** Path and query as they stand in the request line, encoded already. */
  readonly target: string
  readonly headers: HeaderFields
  /** Sent as it is, one piece after the other, without being copied: unchanged until the answer is there. */
  readonly body?: readonly Uint8Array[]
  /**
   * Where the body of an answer lands, asked once its head is there: memory of exactly the body's length. Without it,
   * or where it says undefined, the body is collected, up to `maxBody` bytes. What it throws ends the exchange. It is
   * not asked where there is no body at all (HEAD, 204, 304). The system writes to the memory: it must be neither
   * detached nor freed before the promise is settled, and nothing is written to it afterwards.
   */
  readonly place?: (head: HttpHead) => Uint8Array | undefined
  /** Bytes; E_LIMIT above. 16 MiB where absent. */
  readonly maxBody?: number
  /** May be sent again on another connection where a kept-alive one turns out to be dead before anything came back. */
  readonly idempotent: boolean
  readonly signal?: AbortSignal
}

/** Milliseconds of `performance.now()`. */
export interface HttpTiming {
  /** The request's first byte was about to be written. */
  readonly sent: number
  /** The head of the answer began to arrive. */
  readonly firstByte: number
  readonly end: number
}

export interface HttpResponse extends HttpHead {
  readonly body: Uint8Array
  readonly timing: HttpTiming
  /** The peer, 'address:port'. */
  readonly peer: string
}

export interface HttpClientOptions {
  /** Open at once to one origin; more requests wait. */
  readonly connections: number
  /** Milliseconds: to a usable connection, TLS included. */
  readonly connectTimeout: number
  /** Milliseconds from the last byte sent to the first byte of the answer. */
  readonly firstByteTimeout: number
  /** Milliseconds without progress in either direction while a body moves. */
  readonly stallTimeout: number
  /** Milliseconds a connection may lie idle before it is closed: below what servers allow. */
  readonly idleTimeout: number
  /** PEM. Trusted besides the system's own. */
  readonly ca?: string
  /** false: certificates are not checked. Only ever by the user's own word. */
  readonly verifyTls: boolean
}

export interface HttpCounters {
  readonly requests: number
  readonly connectionsOpened: number
  /** Requests that found their kept-alive connection dead and were sent again. */
  readonly staleConnections: number
  readonly bytesSent: number
  readonly bytesReceived: number
  /** Now. */
  readonly openConnections: number
}

/**
 * Errors: E_NETWORK (refused, reset, name not found, TLS), E_TIMEOUT (names which), E_CANCELLED, E_CORRUPT (an answer
 * that is not HTTP, or ends early), E_LIMIT, E_USAGE (a request that cannot be written as it stands), E_STATE (the client
 * is closed). Statuses are not errors, redirects are not followed: both are the protocol's.
 */
export interface HttpClient {
  request(request: HttpRequest): Promise<HttpResponse>
  readonly counters: HttpCounters
  /** Ends what is under way (E_CANCELLED) and closes every connection. */
  close(): Promise<void>
}
