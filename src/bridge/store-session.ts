import { setMaxListeners } from 'node:events'
import type { Socket } from 'node:net'
import { show } from '../checks.ts'
import { HeadraceError } from '../errors.ts'
import { Permits } from '../permits.ts'
import { failureOf } from './failure.ts'
import { encodeHead, type Message, MessageReader } from './store-frames.ts'
import { type Answer, OPERATIONS, type StoreState } from './store-operations.ts'
import { type OptionsByScheme, StorePlaces } from './store-place.ts'
import type { StoreTable } from './store-table.ts'

/** Requests of one connection that are carried out at once, and the bytes that they and their answers may have. */
const MAX_REQUESTS = 256
const MAX_BYTES = 512 * 2 ** 20
/** What a request counts for whose answer has a body: the bytes asked for, or a part. */
const PART = 8 * 2 ** 20
/** Requests and bytes that may wait: beyond, nothing more is read. */
const MAX_WAITING = 1024
const MAX_WAITING_BYTES = 64 * 2 ** 20

/** Answers requests of one client until it hangs up. Whatever it has open then is ended: uploads are aborted. */
export class StoreSession {
  readonly #socket: Socket
  readonly #permits = new Permits(MAX_REQUESTS, MAX_BYTES)
  readonly #stop = new AbortController()
  readonly #state: StoreState
  readonly #reader = new MessageReader((message) => this.#take(message))
  #waiting = 0
  #waitingBytes = 0

  constructor(socket: Socket, table: StoreTable, options: OptionsByScheme) {
    this.#socket = socket
    this.#state = { places: new StorePlaces(table, options), writers: new Map(), listings: new Map() }
    // Every request under way listens.
    setMaxListeners(0, this.#stop.signal)
  }

  /** `first`: what came behind the hello; `over`: fires with the end of the connection. Resolves when nothing is left. */
  async run(first: Uint8Array, over: AbortSignal): Promise<void> {
    const socket = this.#socket
    socket.on('data', (chunk: Buffer) => this.#push(chunk))
    // A client that has said all wants no answer that is not there yet.
    socket.once('end', () => socket.destroy())
    this.#push(first)
    await new Promise<void>((resolve) => {
      if (over.aborted) resolve()
      else over.addEventListener('abort', () => resolve(), { once: true })
    })
    this.#stop.abort(new HeadraceError('E_CANCELLED', 'the client has hung up'))
    const { writers, listings, places } = this.#state
    await Promise.allSettled([
      ...[...writers.values()].map((writer) => writer.abort()),
      ...[...listings.values()].map((entries) => entries.return?.()),
    ])
    places.leave()
  }

  #push(chunk: Uint8Array): void {
    try {
      this.#reader.push(chunk)
    } catch (error) {
      // What follows cannot be told apart any more.
      void this.#send({ id: null, ok: false, ...failureOf(error, 'reading a request') })
      this.#socket.destroySoon()
    }
  }

  #take(message: Message): void {
    const { head, body } = message
    const asked = head.op === 'get' || head.op === 'content' ? Number(head.length ?? PART) || PART : 0
    const bytes = body.length
    this.#waiting++
    this.#waitingBytes += bytes
    this.#pace()
    void this.#permits.run(Math.max(bytes, asked), async () => {
      this.#waiting--
      this.#waitingBytes -= bytes
      this.#pace()
      if (!this.#stop.signal.aborted) await this.#answer(message)
    })
  }

  #pace(): void {
    const full = this.#waiting >= MAX_WAITING || this.#waitingBytes >= MAX_WAITING_BYTES
    if (full) this.#socket.pause()
    else if (this.#socket.isPaused()) this.#socket.resume()
  }

  async #answer({ head, body }: Message): Promise<void> {
    const { id = null, op } = head
    let answer: Answer
    try {
      const operation = typeof op === 'string' && Object.hasOwn(OPERATIONS, op) ? OPERATIONS[op] : undefined
      if (operation === undefined)
        throw new HeadraceError('E_UNSUPPORTED', `stores have no operation ${show(op)}`, {
          hint: `there are ${Object.keys(OPERATIONS).join(', ')}`,
        })
      answer = await operation(this.#state, head, body, { signal: this.#stop.signal })
    } catch (error) {
      await this.#send({ id, ok: false, ...failureOf(error, 'a request to a store') })
      return
    }
    await this.#send({ id, ok: true, value: answer.value }, answer.body)
  }

  /** Resolves when the system has it, so that a client that reads nothing has a bounded number of answers here. */
  #send(head: object, body?: Uint8Array): Promise<void> {
    const socket = this.#socket
    if (socket.destroyed || socket.writableEnded) return Promise.resolve()
    return new Promise((resolve) => {
      const sent = () => resolve()
      const text = encodeHead(head, body?.length ?? 0)
      if (body === undefined || body.length === 0) {
        socket.write(text, sent)
        return
      }
      socket.cork()
      socket.write(text)
      socket.write(body, sent)
      socket.uncork()
    })
  }
}
