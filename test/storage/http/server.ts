import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { createServer as createSecureServer, type TlsOptions } from 'node:tls'
import type { HttpRequest, Origin } from '../../../src/storage/http/types.ts'

/** One request as it came, and the socket to answer on. */
export interface Received {
  readonly head: string
  readonly body: Buffer
  readonly socket: Socket
  /** Which connection, and which request on it, both from 0. */
  readonly connection: number
  readonly request: number
}

/** A server that writes exactly what it is told to, over TCP or TLS. */
export class ExactServer {
  readonly #server: Server
  readonly sockets = new Set<Socket>()
  readonly received: Received[] = []
  connections = 0
  onConnection: (socket: Socket) => void = () => {}
  /** Called once the head of a connection's first request is there, before its body is. */
  onHead: (socket: Socket) => void = () => {}

  private constructor(server: Server) {
    this.#server = server
  }

  static async start(
    answer: (received: Received) => void,
    { tls, host = '127.0.0.1', port = 0 }: { tls?: TlsOptions; host?: string; port?: number } = {},
  ): Promise<ExactServer> {
    const server = tls === undefined ? createServer({ noDelay: true }) : createSecureServer(tls)
    const exact = new ExactServer(server)
    server.on(tls === undefined ? 'connection' : 'secureConnection', (socket: Socket) => exact.#serve(socket, answer))
    server.on('tlsClientError', () => {})
    server.listen(port, host)
    await once(server, 'listening')
    return exact
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  origin(protocol: Origin['protocol'] = 'http:', host = '127.0.0.1'): Origin {
    return { protocol, host, port: this.port }
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy()
    this.#server.close()
    await once(this.#server, 'close')
  }

  #serve(socket: Socket, answer: (received: Received) => void): void {
    const connection = this.connections++
    let request = 0
    let isHeard = false
    let pieces: Buffer[] = []
    /** Bytes of the pieces, and how many there must be for another look at them. */
    let size = 0
    let wanted = 0
    this.sockets.add(socket)
    this.onConnection(socket)
    socket.on('error', () => {})
    socket.on('close', () => this.sockets.delete(socket))
    socket.on('data', (data: Buffer) => {
      pieces.push(data)
      size += data.length
      while (size >= wanted) {
        const pending = Buffer.concat(pieces)
        pieces = [pending]
        const end = pending.indexOf('\r\n\r\n')
        if (end < 0) return
        const head = pending.toString('latin1', 0, end + 4)
        if (!isHeard) this.onHead(socket)
        isHeard = true
        const length = Number(/^content-length: (\d+)\r$/im.exec(head)?.[1] ?? 0)
        wanted = end + 4 + length
        if (size < wanted) return
        const body = Buffer.from(pending.subarray(end + 4, end + 4 + length))
        pieces = [pending.subarray(wanted)]
        size -= wanted
        wanted = 0
        const received = { head, body, socket, connection, request: request++ }
        this.received.push(received)
        answer(received)
      }
    })
  }
}

export function get(origin: Origin, more: Partial<HttpRequest> = {}): HttpRequest {
  return { method: 'GET', origin, target: '/k', headers: {}, idempotent: true, ...more }
}

/** An answer of known length. */
export function sized(body: string | Uint8Array, ...fields: string[]): Buffer {
  const bytes = Buffer.from(body)
  const head = ['HTTP/1.1 200 OK', `Content-Length: ${bytes.length}`, ...fields, '', ''].join('\r\n')
  return Buffer.concat([Buffer.from(head, 'latin1'), bytes])
}

export function textOf(body: Uint8Array): string {
  return Buffer.from(body).toString('latin1')
}

export function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds))
}
