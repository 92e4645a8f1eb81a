import { randomBytes } from 'node:crypto'
import { rmdirSync, rmSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { fromSystemError, HeadraceError } from '../errors.ts'
import { type CoordinatorAddress, formatAddress } from './address.ts'
import { type Frame, MAX_PAYLOAD } from './frame.ts'
import { decodeHello, encodeChallenge, type Hello, isSame, NONCE_BYTES, proofOf, STRANGER_LIMIT } from './handshake.ts'
import { encodeFailure } from './hub.ts'
import { Link, type LinkOwner } from './link.ts'
import { nameRanks } from './names.ts'

/** Who has not shown within this that it belongs here is sent away: milliseconds. */
const HANDSHAKE_TIMEOUT = 10_000
/** Connections of strangers at once, beyond one for each rank. */
const STRANGERS = 64

/** A rank that has come. Whoever takes it over sets `owner`. */
export interface Guest {
  readonly link: Link
  readonly host: string
  owner: LinkOwner
  /** It has gone already, and why. */
  gone?: string
}

export interface ReceptionOptions {
  readonly size: number
  readonly token: Uint8Array
  readonly timeout: number
  readonly signal: AbortSignal | undefined
}

/** Where rank 0 waits for the others. Who does not know the token does not get in, and disturbs nobody. */
export class Reception {
  readonly #options: ReceptionOptions
  readonly #address: CoordinatorAddress
  readonly #server: Server
  readonly #guests = new Map<number, Guest>()
  readonly #strangers = new Set<Socket>()
  #resolve: (guests: readonly Guest[]) => void = () => {}
  #reject: (error: unknown) => void = () => {}

  constructor(address: CoordinatorAddress, options: ReceptionOptions) {
    this.#address = address
    this.#options = options
    this.#server = createServer((socket) => this.#enter(socket))
  }

  /** The guests of ranks 1 and up, once all are here. E_TIMEOUT names those that are not. */
  async run(): Promise<readonly Guest[]> {
    const { timeout, signal, size } = this.#options
    const all = new Promise<readonly Guest[]>((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    // Before anyone listens to it, a signal may have rejected it.
    all.catch(() => {})
    const timer = setTimeout(() => this.#timedOut(), timeout)
    const onAbort = () =>
      this.#reject(new HeadraceError('E_CANCELLED', 'joining was cancelled', { cause: signal?.reason }))
    signal?.addEventListener('abort', onAbort, { once: true })
    try {
      await this.#listen()
      return await all
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      for (const { link } of this.#guests.values()) {
        link.send('failed', encodeFailure(0, `the ${size} ranks did not come together: ${reason}`))
        link.end()
      }
      throw error
    } finally {
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
      this.#shut()
    }
  }

  async #listen(): Promise<void> {
    const address = this.#address
    if (address.kind === 'unix') {
      // What an earlier job left behind.
      rmSync(address.path, { force: true })
      await this.#listenAt({ path: address.path })
      return
    }
    const { host, port } = address
    try {
      await this.#listenAt({ host, port })
    } catch (error) {
      // The address of a router in front of this host: every address will do then.
      if ((error as NodeJS.ErrnoException).code !== 'EADDRNOTAVAIL') throw this.#unusable(error)
      await this.#listenAt({ port }).catch((error) => {
        throw this.#unusable(error)
      })
    }
  }

  #unusable(error: unknown): HeadraceError {
    const name = formatAddress(this.#address)
    const hint =
      '--coordinator HOST:PORT, or MASTER_ADDR and MASTER_PORT, name a port that is free on the host of rank 0'
    const failure = fromSystemError(error, `rank 0 cannot wait for the others at ${name}`, { url: name, hint })
    return new HeadraceError('E_NETWORK', failure.message, failure.details)
  }

  #listenAt(where: { path: string } | { host?: string; port: number }): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(where, () => {
        this.#server.off('error', reject)
        // Without a descriptor left for a connection there is nothing to do but to go on.
        this.#server.on('error', () => {})
        resolve()
      })
    })
  }

  #shut(): void {
    // Takes the socket's file away, too.
    this.#server.close()
    for (const socket of this.#strangers) socket.destroy()
    if (this.#address.kind !== 'unix' || this.#address.folder === undefined) return
    try {
      rmdirSync(this.#address.folder)
    } catch {
      // It is gone already, or somebody has put something there.
    }
  }

  #timedOut(): void {
    const { size, timeout } = this.#options
    const ranks = Array.from({ length: size - 1 }, (_, i) => i + 1).filter((rank) => !this.#guests.has(rank))
    const message = `${nameRanks(ranks)} of ${size} did not come to ${formatAddress(this.#address)} within ${timeout} ms`
    this.#reject(new HeadraceError('E_TIMEOUT', message, { ranks }))
  }

  #enter(socket: Socket): void {
    if (this.#strangers.size >= this.#options.size + STRANGERS) {
      socket.destroy()
      return
    }
    this.#strangers.add(socket)
    const hubNonce = randomBytes(NONCE_BYTES)
    const timer = setTimeout(() => socket.destroy(), HANDSHAKE_TIMEOUT)
    let hello: Hello | undefined
    let guest: Guest | undefined
    const greet = (frame: Frame): void => {
      if (hello === undefined) {
        hello = frame.kind === 'hello' ? decodeHello(frame.payload) : undefined
        if (hello === undefined) link.destroy()
        else link.send('challenge', encodeChallenge(this.#options.token, hello, hubNonce))
        return
      }
      const proof = proofOf(this.#options.token, 'member', hello, hubNonce)
      if (frame.kind !== 'proof' || !isSame(frame.payload, proof)) link.destroy()
      else guest = this.#admit(link, hello)
      if (guest === undefined) return
      clearTimeout(timer)
      this.#strangers.delete(socket)
    }
    const link = new Link(socket, STRANGER_LIMIT, {
      frame: (frame) => (guest === undefined ? greet(frame) : guest.owner.frame(frame)),
      closed: (reason) => guest?.owner.closed(reason),
    })
    socket.once('close', () => {
      clearTimeout(timer)
      this.#strangers.delete(socket)
    })
  }

  #admit(link: Link, { rank, size, host }: Hello): Guest | undefined {
    const refusal =
      size !== this.#options.size
        ? `rank ${rank} believes in ${size} ranks, rank 0 in ${this.#options.size}`
        : rank === 0 || rank >= size
          ? `there is no place for a rank ${rank} of ${size} beside rank 0`
          : this.#guests.has(rank)
            ? `rank ${rank} is there already`
            : undefined
    if (refusal !== undefined) {
      link.send('refused', new TextEncoder().encode(refusal))
      link.end()
      return undefined
    }
    const closed = (reason = 'its process ended') => {
      guest.gone = reason
      const message = `rank ${rank} on ${host} has gone before all ranks were there: ${reason}`
      this.#reject(new HeadraceError('E_PEER', message, { ranks: [rank] }))
    }
    const guest: Guest = { link, host, owner: { frame: () => closed('it spoke out of turn'), closed } }
    this.#guests.set(rank, guest)
    link.limit = MAX_PAYLOAD
    if (this.#guests.size === size - 1)
      this.#resolve(Array.from({ length: size - 1 }, (_, i) => this.#guests.get(i + 1) as Guest))
    return guest
  }
}
