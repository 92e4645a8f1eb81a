import http from 'node:http'
import { HeadraceError } from '../../../src/errors.ts'
import type { HttpClient, HttpCounters, HttpRequest, HttpResponse } from '../../../src/storage/http/types.ts'

/** An HttpClient over node:http: real sockets, another implementation than the product's. */
export class SmallHttpClient implements HttpClient {
  readonly #agent: http.Agent
  readonly #timeout: number
  #closed = false
  requests = 0

  constructor({ timeout = 5000 } = {}) {
    this.#agent = new http.Agent({ keepAlive: true })
    this.#timeout = timeout
  }

  get counters(): HttpCounters {
    const openConnections = Object.values(this.#agent.sockets).flat().length
    return {
      requests: this.requests,
      connectionsOpened: 0,
      staleConnections: 0,
      bytesSent: 0,
      bytesReceived: 0,
      openConnections,
    }
  }

  request(request: HttpRequest): Promise<HttpResponse> {
    this.requests++
    const { origin, method, target, headers, body, place, signal } = request
    if (this.#closed) return Promise.reject(new HeadraceError('E_CANCELLED', 'the client was closed'))
    return new Promise((resolve, reject) => {
      const sent = performance.now()
      const refuse = (error: NodeJS.ErrnoException) => {
        if (signal?.aborted) reject(new HeadraceError('E_CANCELLED', 'the request was cancelled', { cause: error }))
        else if (error instanceof HeadraceError) reject(error)
        else reject(new HeadraceError('E_NETWORK', error.message, { cause: error }))
      }
      const length = body?.reduce((sum, piece) => sum + piece.length, 0)
      const outgoing = http.request({
        agent: this.#agent,
        host: origin.host,
        port: origin.port,
        method,
        path: target,
        headers: length === undefined ? headers : { ...headers, 'content-length': `${length}` },
        ...(signal && { signal }),
      })
      outgoing.setTimeout(this.#timeout, () =>
        outgoing.destroy(new HeadraceError('E_TIMEOUT', 'no first byte in time')),
      )
      outgoing.on('error', refuse)
      outgoing.on('response', (incoming) => {
        const firstByte = performance.now()
        // The socket is gone from the message once that has ended.
        const peer = `${incoming.socket.remoteAddress}:${incoming.socket.remotePort}`
        const head = { status: incoming.statusCode ?? 0, headers: incoming.headers as Record<string, string> }
        let target: Uint8Array | undefined
        try {
          target = place?.(head)
        } catch (error) {
          outgoing.destroy(error as Error)
          reject(error as Error)
          return
        }
        const pieces: Uint8Array[] = []
        let at = 0
        incoming.on('data', (piece: Uint8Array) => {
          if (target === undefined) pieces.push(piece)
          else target.set(piece, at)
          at += piece.length
        })
        incoming.on('error', refuse)
        incoming.on('aborted', () => refuse(new HeadraceError('E_CORRUPT', 'the answer ends early')))
        incoming.on('end', () => {
          if (!incoming.complete) return
          const timing = { sent, firstByte, end: performance.now() }
          resolve({ ...head, body: target ?? new Uint8Array(Buffer.concat(pieces)), timing, peer })
        })
      })
      for (const piece of body ?? []) outgoing.write(piece)
      outgoing.end()
    })
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#agent.destroy()
  }
}
