import { connect as connectPlain, isIP, type OnReadOpts, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectSecurely } from 'node:tls'
import { Addresses } from './addresses.ts'
import { authorityOf } from './request-head.ts'
import type { Trust } from './secure.ts'
import type { Origin } from './types.ts'

/** How one origin is reached. */
export class Route {
  readonly origin: Origin
  /** For the header `host`. */
  readonly authority: string
  readonly addresses: Addresses
  readonly #trust: Trust
  /** Of the last connection over TLS: saves the next one most of the handshake. */
  #session: Buffer | undefined

  constructor(origin: Origin, trust: Trust) {
    this.origin = origin
    this.authority = authorityOf(origin)
    this.addresses = new Addresses(origin.host)
    this.#trust = trust
  }

  /** 'address:port' */
  peerAt(address: string): string {
    return `${isIP(address) === 6 ? `[${address}]` : address}:${this.origin.port}`
  }

  /** A socket that connects to one of the addresses; `ready` once it may be written to. */
  open(address: string, onread: OnReadOpts, ready: () => void): Socket {
    const { protocol, host, port } = this.origin
    if (protocol === 'http:') {
      const socket = connectPlain({ host: address, port, noDelay: true, onread })
      socket.once('connect', ready)
      return socket
    }
    const options: ConnectionOptions & { readonly onread: OnReadOpts } = {
      host: address,
      port,
      // A literal address is no name to ask for; the certificate must be for it all the same.
      servername: isIP(host) > 0 ? '' : host,
      secureContext: this.#trust.context,
      rejectUnauthorized: this.#trust.verifies,
      ALPNProtocols: ['http/1.1'],
      ...(this.#session && { session: this.#session }),
      onread,
    }
    const socket = connectSecurely(options)
    socket.setNoDelay(true)
    socket.once('secureConnect', ready)
    socket.on('session', (session) => {
      this.#session = session
    })
    return socket
  }
}
