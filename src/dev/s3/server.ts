import http from 'node:http'
import https from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { HeadraceError } from '../../errors.ts'
import { exchange, type Host, type Incoming } from './exchange.ts'
import { Wire } from './wire.ts'

interface Connection {
  readonly number: number
  /** Fires when it ends. */
  readonly signal: AbortSignal
  /** Its latest exchange. */
  last: Promise<void>
}

function peerOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`
}

/** Connections of an HTTP server, with what belongs to each. */
export class HttpFront {
  readonly #server: http.Server
  readonly #host: Host
  readonly #onDefect: (error: unknown) => void
  /** TCP's sockets by the peer's address: under TLS nothing else leads to them. */
  readonly #raw = new Map<string, Socket>()
  readonly #connections = new WeakMap<Socket, Connection>()
  readonly #running = new Set<Promise<void>>()

  constructor(host: Host, tls: https.ServerOptions | undefined, onDefect: (error: unknown) => void) {
    this.#host = host
    this.#onDefect = onDefect
    const options: http.ServerOptions = { keepAliveTimeout: 60_000, requestTimeout: 0, noDelay: true }
    this.#server = tls === undefined ? http.createServer(options) : https.createServer({ ...options, ...tls })
    this.#server.on('connection', (socket: Socket) => this.#accept(socket))
    this.#server.on('request', (message, response) => this.#run(message, response, false))
    this.#server.on('checkContinue', (message, response) => this.#run(message, response, true))
    this.#server.on('clientError', (_, socket) => {
      if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n')
    })
  }

  /** The port. E_NETWORK or E_ACCESS where it cannot be had. */
  listen(host: string, port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      const failed = (error: NodeJS.ErrnoException) => {
        const code = error.code === 'EACCES' ? 'E_ACCESS' : 'E_NETWORK'
        const hint = 'port 0 takes any that is free'
        reject(new HeadraceError(code, `cannot listen at ${host}:${port}: ${error.message}`, { cause: error, hint }))
      }
      this.#server.once('error', failed)
      this.#server.listen(port, host, () => {
        this.#server.off('error', failed)
        resolve((this.#server.address() as AddressInfo).port)
      })
    })
  }

  /** Ends every connection and waits until nothing runs any more. */
  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve))
    for (const socket of this.#raw.values()) socket.destroy()
    await closed
    await Promise.all(this.#running)
  }

  #accept(socket: Socket): void {
    const peer = peerOf(socket)
    const ended = new AbortController()
    this.#raw.set(peer, socket)
    const number = this.#host.log.nextConnection()
    this.#connections.set(socket, { number, signal: ended.signal, last: Promise.resolve() })
    socket.once('close', () => {
      if (this.#raw.get(peer) === socket) this.#raw.delete(peer)
      ended.abort()
    })
  }

  /** One after the other on a connection: what a request changed, the next one sees. */
  #run(message: http.IncomingMessage, response: http.ServerResponse, expects: boolean): void {
    const { socket } = message
    const raw = this.#raw.get(peerOf(socket))
    const connection = raw === undefined ? undefined : this.#connections.get(raw)
    if (raw === undefined || connection === undefined) return
    const running = connection.last
      .then(() => this.#exchange({ message, response, expects }, raw, connection))
      .catch(this.#onDefect)
    connection.last = running
    this.#running.add(running)
    void running.finally(() => this.#running.delete(running))
  }

  async #exchange(asked: Pick<Incoming, 'message' | 'response' | 'expects'>, raw: Socket, connection: Connection) {
    const { message } = asked
    // It came behind one that ended the connection.
    if (connection.signal.aborted) return
    const started = performance.now()
    const entry = this.#host.log.begin(message.method ?? '', connection.number)
    const wire = new Wire(message.socket, raw, connection.signal)
    await exchange(this.#host, { ...asked, wire, entry }, this.#onDefect)
    entry.ms = performance.now() - started
  }
}
