import { randomBytes } from 'node:crypto'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { type ErrorCode, type ErrorDetails, HeadraceError, isHeadraceError, throwIfAborted } from '../errors.ts'
import { type CoordinatorAddress, formatAddress } from './address.ts'
import type { Receiver, Uplink } from './communicator.ts'
import { type Collective, type Frame, MAX_PAYLOAD } from './frame.ts'
import { encodeHello, type Hello, NONCE_BYTES, openChallenge, proofOf, STRANGER_LIMIT } from './handshake.ts'
import { decodeFailure, encodeFailure } from './hub.ts'
import { Link } from './link.ts'

/** Until rank 0 listens, it is asked again and again: milliseconds between. */
const FIRST_PAUSE = 10
const LAST_PAUSE = 250
/** Whoever listens there says something within this, or is no coordinator: milliseconds. */
const ANSWER_TIMEOUT = 10_000
/** Rank 0 knows who is missing, and says so before its own time is over; members wait so much longer: milliseconds. */
const GRACE = 2000
/** For the other side to take note of a farewell: milliseconds. */
const FAREWELL = 1000

export interface MemberOptions {
  readonly rank: number
  readonly size: number
  readonly host: string
  readonly token: Uint8Array
  readonly timeout: number
  readonly signal: AbortSignal | undefined
}

/** The uplink of ranks 1 and up: a link, on which first the handshake goes, then the calls. */
class Membership implements Uplink {
  readonly #address: CoordinatorAddress
  readonly #options: MemberOptions
  readonly #link: Link
  readonly #hello: Hello
  readonly #whenJoined: Promise<readonly string[]>
  #receiver: Receiver | undefined
  /** What came while there was no receiver yet. */
  readonly #early: ((receiver: Receiver) => void)[] = []
  #resolve: (hosts: readonly string[]) => void = () => {}
  #reject: (error: HeadraceError) => void = () => {}
  #phase: 'hello' | 'proof' | 'in' | 'left' | 'over' = 'hello'
  #farewell: (() => void) | undefined

  constructor(socket: Socket, address: CoordinatorAddress, options: MemberOptions) {
    this.#address = address
    this.#options = options
    const { rank, size, host } = options
    this.#hello = { rank, size, host, nonce: randomBytes(NONCE_BYTES) }
    this.#whenJoined = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    this.#link = new Link(socket, STRANGER_LIMIT, {
      frame: (frame) => this.#frame(frame),
      closed: (reason) => this.#closed(reason),
    })
    this.#link.send('hello', encodeHello(this.#hello))
  }

  /** The hosts of all ranks, once all are there. */
  async joined(deadline: number): Promise<readonly string[]> {
    const { signal, size } = this.#options
    const name = formatAddress(this.#address)
    const onAbort = () => this.#fail('E_CANCELLED', 'joining was cancelled', { cause: signal?.reason })
    signal?.addEventListener('abort', onAbort, { once: true })
    const silence = setTimeout(() => {
      if (this.#phase === 'hello') this.#fail('E_PEER', `what listens at ${name} is no coordinator of this job`)
    }, ANSWER_TIMEOUT)
    const end = setTimeout(
      () => this.#fail('E_TIMEOUT', `the ${size} ranks did not come together at ${name} in time`),
      Math.max(0, deadline + GRACE - performance.now()),
    )
    try {
      return await this.#whenJoined
    } finally {
      clearTimeout(silence)
      clearTimeout(end)
      signal?.removeEventListener('abort', onAbort)
    }
  }

  deliver(receiver: Receiver): void {
    this.#receiver = receiver
    for (const tell of this.#early.splice(0)) tell(receiver)
  }

  call(collective: Collective, sequence: number, part: Uint8Array): void {
    this.#link.send('call', part, collective, sequence)
  }

  who(sequence: number): void {
    this.#link.send('who', undefined, 'barrier', sequence)
  }

  fail(reason: string): void {
    this.#link.send('failed', encodeFailure(this.#options.rank, reason))
  }

  leave(): Promise<void> {
    if (this.#phase === 'over') return Promise.resolve()
    this.#phase = 'left'
    this.#link.send('leave')
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#farewell?.(), FAREWELL)
      this.#farewell = () => {
        clearTimeout(timer)
        this.#phase = 'over'
        this.#link.destroy()
        resolve()
      }
    })
  }

  #tell(tell: (receiver: Receiver) => void): void {
    if (this.#receiver === undefined) this.#early.push(tell)
    else tell(this.#receiver)
  }

  #fail(code: ErrorCode, message: string, details: ErrorDetails = {}): void {
    this.#phase = 'over'
    this.#link.destroy()
    this.#reject(new HeadraceError(code, message, { url: formatAddress(this.#address), ...details }))
  }

  #frame(frame: Frame): void {
    switch (this.#phase) {
      case 'hello':
        this.#answer(frame)
        break
      case 'proof':
        this.#enter(frame)
        break
      case 'in':
        this.#receive(frame)
        break
      default:
    }
  }

  #answer({ kind, payload }: Frame): void {
    const { token } = this.#options
    const hubNonce = kind === 'challenge' ? openChallenge(payload, token, this.#hello) : undefined
    if (hubNonce !== undefined) {
      this.#phase = 'proof'
      this.#link.limit = MAX_PAYLOAD
      this.#link.send('proof', proofOf(token, 'member', this.#hello, hubNonce))
      return
    }
    const name = formatAddress(this.#address)
    this.#fail('E_ACCESS', `what listens at ${name} is no coordinator of this job: it has another token`, {
      hint: 'HEADRACE_TOKEN must be the same on all ranks',
    })
  }

  #enter({ kind, payload }: Frame): void {
    const text = new TextDecoder().decode(payload)
    const hosts = kind === 'welcome' ? hostsIn(text, this.#options.size) : undefined
    if (hosts !== undefined) {
      this.#phase = 'in'
      this.#link.unref()
      this.#resolve(hosts)
    } else if (kind === 'refused') {
      this.#fail('E_CONFIG', `rank 0 refused this rank: ${text}`)
    } else {
      this.#fail('E_PEER', kind === 'failed' ? decodeFailure(payload).reason : 'rank 0 sent what it never sends')
    }
  }

  #receive({ kind, collective, sequence, payload }: Frame): void {
    switch (kind) {
      case 'done':
        this.#tell((receiver) => receiver.done(collective, sequence, payload))
        break
      case 'missing': {
        const ranks = Array.from(new Uint32Array(payload.buffer, 0, payload.length >> 2))
        this.#tell((receiver) => receiver.missing(sequence, ranks))
        break
      }
      case 'failed': {
        const { rank, reason } = decodeFailure(payload)
        this.#tell((receiver) => receiver.failed(rank, reason))
        break
      }
      default:
        this.#phase = 'over'
        this.#link.destroy()
        this.#tell((receiver) => receiver.failed(0, 'rank 0 sent what it never sends'))
    }
  }

  #closed(reason: string | undefined): void {
    const text = `rank 0, which brings the ranks together, has gone: ${reason ?? 'its process ended'}`
    switch (this.#phase) {
      case 'hello':
        // Full, or about to end: worth another try.
        this.#fail('E_NETWORK', text)
        break
      case 'proof':
        this.#fail('E_PEER', text, { ranks: [0] })
        break
      case 'left':
        this.#farewell?.()
        break
      default:
        this.#phase = 'over'
        this.#tell((receiver) => receiver.failed(0, text))
    }
  }
}

function hostsIn(text: string, size: number): readonly string[] | undefined {
  try {
    const hosts: unknown = JSON.parse(text)
    const isList = Array.isArray(hosts) && hosts.length === size && hosts.every((host) => typeof host === 'string')
    return isList ? hosts : undefined
  } catch {
    return undefined
  }
}

function dial(address: CoordinatorAddress, signal: AbortSignal | undefined, deadline: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(
      address.kind === 'unix' ? { path: address.path } : { host: address.host, port: address.port, noDelay: true },
    )
    const onAbort = () => socket.destroy(new Error('cancelled'))
    const onEnd = () => socket.destroy(new Error('no answer to the connection'))
    const timer = setTimeout(onEnd, Math.max(0, deadline - performance.now()))
    signal?.addEventListener('abort', onAbort, { once: true })
    const settle = () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
    }
    const onConnect = () => {
      settle()
      socket.off('error', onError)
      resolve(socket)
    }
    const onError = (error: Error) => {
      settle()
      socket.off('connect', onConnect)
      reject(error)
    }
    socket.once('connect', onConnect)
    socket.once('error', onError)
  })
}

/** Finds rank 0 and waits there until all ranks are. */
export async function joinAsMember(
  address: CoordinatorAddress,
  options: MemberOptions,
): Promise<{ readonly uplink: Uplink; readonly hosts: readonly string[] }> {
  const { signal, timeout } = options
  const deadline = performance.now() + timeout
  const name = formatAddress(address)
  for (let pause = FIRST_PAUSE; ; pause = Math.min(2 * pause, LAST_PAUSE)) {
    throwIfAborted(signal, 'joining')
    try {
      const membership = new Membership(await dial(address, signal, deadline), address, options)
      return { hosts: await membership.joined(deadline), uplink: membership }
    } catch (cause) {
      throwIfAborted(signal, 'joining')
      if (isHeadraceError(cause) && cause.code !== 'E_NETWORK') throw cause
      if (performance.now() + pause >= deadline) {
        const why = cause instanceof Error ? cause.message : String(cause)
        const hint = 'rank 0 listens there once it has started; --coordinator HOST:PORT names another place'
        const message = `rank 0 was not to be found at ${name} within ${timeout} ms: ${why}`
        throw new HeadraceError('E_TIMEOUT', message, { url: name, hint, cause, ranks: [0] })
      }
      await sleep(pause, undefined, signal ? { signal } : {}).catch(() => {})
    }
  }
}
