import { createHash } from 'node:crypto'
import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Endpoint } from '../../../src/storage/remote/types.ts'

export interface ServerRequest {
  readonly method: string
  readonly path: string
  readonly headers: http.IncomingHttpHeaders
  readonly body: Buffer
}

type Handler = (request: ServerRequest, response: http.ServerResponse, incoming: http.IncomingMessage) => void

/** A server that does what a test says, on a port of its own; it counts what it is asked. */
export class TestServer {
  readonly #server: http.Server
  readonly requests: ServerRequest[] = []
  handler: Handler = (_, response) => void response.writeHead(204).end()
  /** Kept when it closes. */
  port = 0
  active = 0
  mostActive = 0

  constructor() {
    this.#server = http.createServer((incoming, response) => {
      this.mostActive = Math.max(this.mostActive, ++this.active)
      response.on('close', () => this.active--)
      const pieces: Buffer[] = []
      incoming.on('data', (piece) => pieces.push(piece))
      incoming.on('error', () => {})
      incoming.on('end', () => {
        const { method = '', url: path = '', headers } = incoming
        const request = { method, path, headers, body: Buffer.concat(pieces) }
        this.requests.push(request)
        this.handler(request, response, incoming)
      })
    })
  }

  async listen(port = 0): Promise<this> {
    this.#server.listen(port, '127.0.0.1')
    await once(this.#server, 'listening')
    this.port = (this.#server.address() as AddressInfo).port
    return this
  }

  get endpoint(): Endpoint {
    return { origin: { protocol: 'http:', host: '127.0.0.1', port: this.port }, basePath: '' }
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    if (!this.#server.listening) return
    this.#server.close()
    await once(this.#server, 'close')
  }
}

export function etagOf(bytes: Uint8Array): string {
  return `"${createHash('md5').update(bytes).digest('hex')}"`
}

/** Answers a GET as a server of objects does: Range, If-Match, 416. */
export function answerRange({ headers }: ServerRequest, response: http.ServerResponse, bytes: Uint8Array): void {
  const etag = etagOf(bytes)
  if (headers['if-match'] !== undefined && headers['if-match'] !== etag) return void response.writeHead(412).end()
  const [, from = '0', to = `${bytes.length - 1}`] = /^bytes=(\d+)-(\d*)$/.exec(headers.range ?? '') ?? []
  if (headers.range === undefined) return void response.writeHead(200, { etag }).end(bytes)
  if (Number(from) >= bytes.length)
    return void response.writeHead(416, { 'content-range': `bytes */${bytes.length}`, etag }).end()
  const last = Math.min(Number(to), bytes.length - 1)
  const part = bytes.subarray(Number(from), last + 1)
  response.writeHead(206, {
    etag,
    'content-range': `bytes ${from}-${last}/${bytes.length}`,
    'content-length': part.length,
  })
  response.end(part)
}
