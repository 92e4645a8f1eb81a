import { booleanOption, knownOptions, positiveInteger, show } from '../../checks.ts'
import { HeadraceError } from '../../errors.ts'
import { Cancellations } from './cancellation.ts'
import { Exchange } from './exchange.ts'
import type { ClientParts } from './parts.ts'
import { Pool } from './pool.ts'
import { authorityOf, bodySize, requestHead, urlOf } from './request-head.ts'
import { Route } from './route.ts'
import { Trust } from './secure.ts'
import { Ticker } from './ticker.ts'
import type { HttpClient, HttpClientOptions, HttpCounters, HttpRequest, HttpResponse, Origin } from './types.ts'

const DEFAULTS: HttpClientOptions = {
  connections: 64,
  connectTimeout: 5_000,
  firstByteTimeout: 30_000,
  stallTimeout: 30_000,
  idleTimeout: 20_000,
  verifyTls: true,
}

const OPTION_NAMES = [...Object.keys(DEFAULTS), 'ca']

/** A day, in milliseconds: more is no time-out. */
const MAX_TIMEOUT = 24 * 3600 * 1000

/** 16 KiB: a head and a small body come in one read. More would be copied more. */
const SCRATCH = 16 * 1024

/**
 * An HTTP/1.1 client for object stores: few origins, many requests, bodies read straight into the caller's memory.
 * Connections are kept alive and carry one request at a time. Defaults: 64 connections, 5 s to connect, 30 s to the
 * first byte, 30 s of stall, 20 s idle, certificates checked. E_USAGE and E_CONFIG for options that are none.
 */
export function openHttpClient(options: Partial<HttpClientOptions> = {}): HttpClient {
  return new Client(checkOptions(options))
}

class Client implements HttpClient {
  readonly #parts: ClientParts
  readonly #pools = new Map<string, Pool>()
  /** The same pools by the objects that requests name them with, which are few: no string is built for a request. */
  readonly #poolOf = new WeakMap<Origin, Pool>()
  #closing: Promise<unknown> | undefined

  constructor(options: HttpClientOptions) {
    const { connectTimeout, firstByteTimeout, stallTimeout, idleTimeout } = options
    this.#parts = {
      options,
      counters: {
        requests: 0,
        connectionsOpened: 0,
        staleConnections: 0,
        bytesSent: 0,
        bytesReceived: 0,
        openConnections: 0,
      },
      cancellations: new Cancellations(),
      trust: new Trust(options.ca, options.verifyTls),
      ticker: new Ticker(Math.min(connectTimeout, firstByteTimeout, stallTimeout, idleTimeout)),
      scratch: Buffer.allocUnsafeSlow(SCRATCH),
    }
  }

  get counters(): HttpCounters {
    return { ...this.#parts.counters }
  }

  request(request: HttpRequest): Promise<HttpResponse> {
    return new Promise((resolve, reject) => {
      if (this.#closing !== undefined)
        throw new HeadraceError('E_STATE', `the client is closed: no ${request.method} any more`)
      if (request.signal?.aborted)
        throw new HeadraceError('E_CANCELLED', `${request.method} ${urlOf(request)}: cancelled`, {
          url: urlOf(request),
          cause: request.signal.reason,
        })
      const pool = this.#poolOf.get(request.origin) ?? this.#findPool(request.origin)
      const size = bodySize(request)
      const head = requestHead(request, pool.route.authority, size)
      this.#parts.counters.requests++
      pool.submit(new Exchange(request, { head, size }, { resolve, reject }, this.#parts.cancellations))
    })
  }

  async close(): Promise<void> {
    this.#closing ??= Promise.all([...this.#pools.values()].map((pool) => pool.close()))
    await this.#closing
  }

  #findPool(origin: Origin): Pool {
    const name = `${origin.protocol}//${authorityOf(origin)}`
    let pool = this.#pools.get(name)
    if (pool === undefined) {
      checkOrigin(origin)
      pool = new Pool(this.#parts, new Route(origin, this.#parts.trust))
      this.#pools.set(name, pool)
    }
    this.#poolOf.set(origin, pool)
    return pool
  }
}

function checkOptions(given: Partial<HttpClientOptions>): HttpClientOptions {
  knownOptions('an HTTP client', given, OPTION_NAMES)
  const options = { ...DEFAULTS, ...given }
  positiveInteger('connections', options.connections)
  positiveInteger('connectTimeout', options.connectTimeout, MAX_TIMEOUT)
  positiveInteger('firstByteTimeout', options.firstByteTimeout, MAX_TIMEOUT)
  positiveInteger('stallTimeout', options.stallTimeout, MAX_TIMEOUT)
  positiveInteger('idleTimeout', options.idleTimeout, MAX_TIMEOUT)
  booleanOption('verifyTls', options.verifyTls)
  if (options.ca !== undefined && typeof options.ca !== 'string')
    throw new HeadraceError('E_USAGE', `ca must be certificates in PEM, but got ${show(options.ca)}`)
  return options
}

function checkOrigin({ protocol, host, port }: Origin): void {
  if (protocol !== 'http:' && protocol !== 'https:')
    throw new HeadraceError('E_USAGE', `an origin's protocol must be "http:" or "https:", but got ${show(protocol)}`)
  if (!/^[A-Za-z0-9._:%-]+$/.test(host))
    throw new HeadraceError('E_USAGE', `an origin's host must be a name or an address, but got ${show(host)}`)
  positiveInteger("an origin's port", port, 65_535)
}
