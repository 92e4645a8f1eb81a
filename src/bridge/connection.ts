import { timingSafeEqual } from 'node:crypto'
import type { Socket } from 'node:net'
import { show } from '../checks.ts'
import { HeadraceError } from '../errors.ts'
import { native, type SlabHandle } from '../native.ts'
import { failureOf } from './failure.ts'
import type { Message, Operation } from './types.ts'

export const PROTOCOL = 1

/** A hello may have weights of samples in it. Bytes. */
const MAX_HELLO = 64 * 2 ** 20
/** What a client may send before it has its answer, bytes. */
const MAX_EARLY = 2 ** 16
/** ms */
const HELLO_TIME = 10_000

const NEWLINE = 10

/** Node tells nobody the descriptor of a socket, but keeps it here, on every system and in every version. */
function descriptorOf(socket: Socket): number {
  return (socket as unknown as { readonly _handle?: { readonly fd?: number } })._handle?.fd ?? -1
}

export interface ConnectionSettings {
  readonly token: string
  readonly version: string
  readonly operations: Readonly<Record<string, Operation>>
}

/** A connection from its first byte to its end. Resolves when nothing of it is left; never throws. */
export async function serveConnection(socket: Socket, settings: ConnectionSettings): Promise<void> {
  const over = new AbortController()
  const closed = new Promise<void>((resolve) => socket.once('close', resolve)).then(() => over.abort())
  // Whatever breaks it, it is over; `close` follows.
  socket.on('error', () => {})
  const conversation = new Conversation(socket, over.signal, settings.version)
  try {
    const hello = checkHello(await conversation.hello(), settings)
    const operation = settings.operations[hello.op as string] as Operation
    await operation({
      hello,
      socket,
      signal: over.signal,
      accept: (answer, slab) => conversation.accept(answer, slab),
    })
    socket.destroy()
  } catch (error) {
    conversation.refuse(error)
  }
  await closed
}

/** What is said until an operation takes over. */
class Conversation {
  readonly #socket: Socket
  readonly #signal: AbortSignal
  readonly #version: string
  readonly #early: Buffer[] = []
  #earlyBytes = 0
  #accepted = false
  readonly #keep = (chunk: Buffer) => {
    this.#early.push(chunk)
    this.#earlyBytes += chunk.length
    if (this.#earlyBytes > MAX_EARLY) this.#socket.destroy()
  }

  constructor(socket: Socket, signal: AbortSignal, version: string) {
    this.#socket = socket
    this.#signal = signal
    this.#version = version
  }

  /** The first line; what comes behind it is kept. E_CANCELLED where none comes. */
  hello(): Promise<Buffer> {
    const socket = this.#socket
    return new Promise((resolve, reject) => {
      const pieces: Buffer[] = []
      let bytes = 0
      const timer = setTimeout(() => stop('no hello came'), HELLO_TIME)
      const left = () => stop('the client left')
      const stop = (reason: string) => done(() => reject(new HeadraceError('E_CANCELLED', reason)))
      const done = (settle: () => void) => {
        clearTimeout(timer)
        socket.off('data', take)
        this.#signal.removeEventListener('abort', left)
        socket.on('data', this.#keep)
        settle()
      }
      const take = (chunk: Buffer) => {
        const end = chunk.indexOf(NEWLINE)
        bytes += end < 0 ? chunk.length : end
        if (bytes > MAX_HELLO)
          return done(() => reject(new HeadraceError('E_LIMIT', `a hello may have ${MAX_HELLO} bytes`)))
        pieces.push(end < 0 ? chunk : chunk.subarray(0, end))
        if (end < 0) return
        done(() => resolve(Buffer.concat(pieces)))
        if (end + 1 < chunk.length) this.#keep(chunk.subarray(end + 1))
      }
      socket.on('data', take)
      this.#signal.addEventListener('abort', left, { once: true })
    })
  }

  accept(answer: Message, slab: SlabHandle | undefined): Buffer {
    const socket = this.#socket
    const line = lineOf({ ok: true, protocol: PROTOCOL, version: this.#version, pid: process.pid, ...answer })
    // The first bytes that go out, so that nothing of Node's stands in front of them.
    const sent = slab === undefined ? 0 : native.sendSlab(descriptorOf(socket), slab, line)
    this.#accepted = true
    if (sent < line.length) socket.write(line.subarray(sent))
    socket.off('data', this.#keep)
    return Buffer.concat(this.#early)
  }

  /** Before the answer the client is told why; after it, the end of the connection says all. */
  refuse(error: unknown): void {
    if (this.#accepted || this.#signal.aborted) this.#socket.destroy()
    else {
      this.#socket.end(
        lineOf({ ok: false, protocol: PROTOCOL, version: this.#version, ...failureOf(error, 'connecting') }),
      )
      // A client that does not hang up must not keep it open.
      this.#socket.setTimeout(HELLO_TIME, () => this.#socket.destroy())
    }
  }
}

function lineOf(message: Message): Buffer {
  return Buffer.from(`${JSON.stringify(message)}\n`)
}

function checkHello(line: Buffer, { token, version, operations }: ConnectionSettings): Message {
  let hello: Message
  try {
    hello = JSON.parse(line.toString()) as Message
  } catch (cause) {
    throw new HeadraceError('E_USAGE', 'the hello is not JSON', { cause })
  }
  if (typeof hello !== 'object' || hello === null || Array.isArray(hello))
    throw new HeadraceError('E_USAGE', `the hello must be an object, but got ${show(hello)}`)
  const said = Buffer.from(String(hello.token))
  const wanted = Buffer.from(token)
  if (said.length !== wanted.length || !timingSafeEqual(said, wanted))
    throw new HeadraceError('E_ACCESS', 'the hello has not the token of this engine', {
      hint: 'use the address as the engine printed it; HEADRACE_ENGINE may be of an engine that is gone',
    })
  if (hello.protocol !== PROTOCOL)
    throw new HeadraceError(
      'E_UNSUPPORTED',
      `the client (headrace ${String(hello.version)}) speaks protocol ${show(hello.protocol)} of the bridge, this engine (headrace ${version}) ${PROTOCOL}`,
      { hint: 'install the same version of both' },
    )
  if (typeof hello.op !== 'string' || !Object.hasOwn(operations, hello.op))
    throw new HeadraceError(
      'E_UNSUPPORTED',
      `op must be one of ${Object.keys(operations).join(', ')}, but got ${show(hello.op)}`,
    )
  return hello
}

/** So that a client is served at most by what is its own. */
export function isOwn(socket: Socket): boolean {
  try {
    return native.peerUser(descriptorOf(socket)) === process.getuid?.()
  } catch {
    return false
  }
}
