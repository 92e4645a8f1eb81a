import { show } from '../../checks.ts'
import { HeadraceError, throwIfAborted } from '../../errors.ts'
import type { ObjectInfo, ObjectWriter, WriterOptions } from '../types.ts'
import type { ThreadMember } from './member.ts'
import type { SharedMemory } from './shared-memory.ts'

/** 1 MiB: what one core copies and the next one sends stays in the caches that they share. */
const PIECE = 2 ** 20
/** Pieces of one chunk that are on their way at once. */
const PIECES = 4

/** Writes through one worker thread. Calls take effect in the order they were made, whether they are awaited or not. */
export class ThreadedWriter implements ObjectWriter {
  readonly #member: ThreadMember
  readonly #memory: SharedMemory
  readonly #key: string
  readonly #options: WriterOptions
  readonly #of: number
  readonly #opened: Promise<unknown>
  readonly #onSignal: () => void
  #state: 'open' | 'closed' | 'aborted, or failed' = 'open'
  #last: Promise<unknown>
  #aborted: Promise<void> | undefined

  constructor(member: ThreadMember, memory: SharedMemory, key: string, options: WriterOptions) {
    this.#member = member
    this.#memory = memory
    this.#key = key
    this.#options = options
    this.#of = member.enter()
    const { signal, trace: _, ...plain } = options
    const call = signal === undefined || signal.aborted ? {} : { signal }
    this.#opened = member.call('writer', { of: this.#of, key, options: plain }, call, this.#of)
    // The first write tells.
    this.#last = this.#opened.catch(() => {})
    this.#onSignal = () => {
      if (signal !== undefined) member.cancel(this.#of, signal)
      void this.abort()
    }
    if (signal?.aborted) this.#onSignal()
    else signal?.addEventListener('abort', this.#onSignal, { once: true })
  }

  write(chunk: Uint8Array): Promise<void> {
    return this.#inTurn(async () => {
      await this.#check('write to')
      if (chunk.buffer instanceof SharedArrayBuffer) await this.#member.call('write', { of: this.#of, chunk })
      else await this.#copied(chunk)
    })
  }

  close(): Promise<ObjectInfo> {
    return this.#inTurn(async () => {
      await this.#check('close')
      try {
        const { info, trace } = await this.#member.call('close', { of: this.#of })
        if (this.#options.trace !== undefined) Object.assign(this.#options.trace, trace)
        this.#end('closed')
        return info
      } catch (error) {
        this.#end('aborted, or failed')
        throwIfAborted(this.#options.signal, `writing ${this.#key}`)
        throw error
      }
    })
  }

  abort(): Promise<void> {
    if (this.#state !== 'open') return this.#aborted ?? Promise.resolve()
    this.#end('aborted, or failed')
    this.#aborted = this.#drop()
    return this.#aborted
  }

  async #drop(): Promise<void> {
    try {
      await this.#opened
    } catch {
      return
    }
    try {
      await this.#member.call('abort', { of: this.#of })
    } catch (error) {
      // A thread that is gone has dropped it.
      if (!this.#member.gone) throw error
    }
  }

  /** A few pieces on their way, so that copying and sending overlap; all have arrived before this returns. */
  async #copied(chunk: Uint8Array): Promise<void> {
    const { signal } = this.#options
    const underWay: Promise<void>[] = []
    try {
      for (let from = 0; from < chunk.length; from += PIECE) {
        if (underWay.length === PIECES) await underWay.shift()
        const piece = chunk.subarray(from, from + PIECE)
        const room = await this.#memory.take(piece.length, signal, `writing ${this.#key}`)
        this.#memory.bytes(room).set(piece)
        const sent = this.#member
          .call('write', { of: this.#of, chunk: room })
          .finally(() => this.#memory.give(room)) as Promise<never>
        sent.catch(() => {})
        underWay.push(sent)
      }
      await Promise.all(underWay)
    } catch (error) {
      throwIfAborted(signal, `writing ${this.#key}`)
      throw error
    } finally {
      await Promise.allSettled(underWay)
    }
  }

  async #check(doing: string): Promise<void> {
    const { signal } = this.#options
    throwIfAborted(signal, `writing ${this.#key}`)
    if (this.#state !== 'open')
      throw new HeadraceError('E_STATE', `cannot ${doing} ${show(this.#key)}: its writer is ${this.#state}`, {
        key: this.#key,
      })
    await this.#opened
  }

  #inTurn<T>(step: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(step)
    this.#last = turn.catch(() => {})
    return turn
  }

  #end(state: 'closed' | 'aborted, or failed'): void {
    if (this.#state !== 'open') return
    this.#state = state
    this.#options.signal?.removeEventListener('abort', this.#onSignal)
    this.#member.leave()
  }
}
