import { setMaxListeners } from 'node:events'
import { show } from '../../checks.ts'
import { fromSystemError, HeadraceError, isHeadraceError, throwIfAborted } from '../../errors.ts'
import type { ObjectInfo, ObjectWriter } from '../types.ts'
import { PartBuffer, PartMemory } from './part-memory.ts'
import { type PartLimits, partSizes } from './part-sizes.ts'
import type { RemoteOptions } from './types.ts'

/** A part that an interrupted upload left at the server. */
export interface ExistingPart<P> {
  readonly size: number
  /** What `complete` needs of it. */
  readonly part: P
  /** Whether these bytes, of its size, are what it holds, by the checksum that the server has of it. */
  matches(pieces: readonly Uint8Array[]): boolean
}

/** How a protocol uploads one object. `P`: what `complete` must know of a part (its etag, its block id). */
export interface PartsTarget<P> {
  readonly limits: PartLimits
  /** An object that fits into one part, in one request. */
  putWhole(pieces: readonly Uint8Array[], signal: AbortSignal): Promise<ObjectInfo>
  /** Begins an upload. It has no signal: one that was begun without anyone knowing its id could not be aborted. */
  begin(): Promise<void>
  /** Called for several numbers, from 1, at once. The pieces stay as they are until it is settled. */
  part(number: number, pieces: readonly Uint8Array[], signal: AbortSignal): Promise<P>
  /** Makes the object visible. In the order of the numbers. Without a signal: it either happens or it does not. */
  complete(parts: readonly P[]): Promise<ObjectInfo>
  /** Drops the upload and all its parts; no part is being sent. Not called without a `begin` or `existing` that worked. */
  abort(): Promise<void>
  /** Takes up the latest upload of the same object that was neither completed nor aborted, instead of `begin`. */
  existing?(): Promise<ReadonlyMap<number, ExistingPart<P>> | undefined>
}

export interface PartsWriterOptions extends Pick<RemoteOptions, 'partSize' | 'partsInFlight'> {
  readonly key: string
  /** Bytes that will come, where known. */
  readonly size?: number | undefined
  /**
   * Parts that are at the server already and are the same are not sent again, and a failure leaves the parts there for
   * the next time; only `abort()` drops them.
   */
  readonly resume?: boolean | undefined
  readonly signal?: AbortSignal | undefined
}

/** Failures after which an upload is of no use to anyone who resumes it. */
const FINAL = ['E_EXISTS', 'E_STATE', 'E_LIMIT', 'E_USAGE'] as const

/**
 * Writes an object in parts, several under way at once. Memory: partSize x (partsInFlight + 1); where parts had to grow,
 * fewer are under way, but two parts there are. Each byte is copied once, into its part. An object that fits into one
 * part goes in one request. Calls take effect in the order they were made, whether they are awaited or not.
 */
export class PartsWriter<P> implements ObjectWriter {
  readonly #target: PartsTarget<P>
  readonly #options: PartsWriterOptions
  readonly #sizeOf: (n: number) => number
  readonly #memory: PartMemory
  readonly #stop = new AbortController()
  readonly #onSignal = () => {
    this.#stop.abort(this.#options.signal?.reason)
    this.#inTurn(() => this.#drop()).catch(() => {})
  }
  readonly #parts: P[] = []
  #existing: ReadonlyMap<number, ExistingPart<P>> | undefined
  #buffer: PartBuffer
  /** Of the part that is being filled. */
  #number = 1
  #written = 0
  /** Bytes of the parts before. */
  #sent = 0
  #inFlight = 0
  #wake: (() => void) | undefined
  #begun = false
  /** Whether the parts that are at the server stay there if this fails. */
  #keep: boolean
  #failure: { readonly error: unknown } | undefined
  #state: 'open' | 'publishing' | 'closed' | 'dropped' = 'open'
  #last: Promise<unknown> = Promise.resolve()

  /** E_LIMIT where the size is more than an object may have. */
  constructor(target: PartsTarget<P>, options: PartsWriterOptions) {
    const { key, partSize, size, signal } = options
    this.#target = target
    this.#options = options
    this.#sizeOf = partSizes(key, partSize, size, target.limits)
    this.#memory = new PartMemory(key)
    this.#keep = options.resume === true
    // Where the size is known there is memory for a part when its first byte comes.
    this.#buffer = new PartBuffer(key, size === undefined ? this.#sizeOf(1) : 0)
    // Every part under way listens.
    setMaxListeners(0, this.#stop.signal)
    signal?.addEventListener('abort', this.#onSignal, { once: true })
  }

  write(chunk: Uint8Array): Promise<void> {
    return this.#inTurn(async () => {
      this.#check('write to')
      this.#written += chunk.length
      this.#checkSize(this.#written > (this.#options.size ?? Infinity))
      for (let from = 0; from < chunk.length; ) {
        if (this.#buffer.full) await this.#nextPart()
        from += this.#buffer.append(chunk, from)
      }
      if (this.#begun && this.#buffer.filled > 0 && this.#buffer.full) await this.#sendPart()
    })
  }

  /**
   * All of the object, of the size that was announced, instead of `write` and `close`. Parts are sent from where they
   * lie: nothing is copied, and the body must stay as it is until the promise resolves.
   */
  async put(body: Uint8Array): Promise<ObjectInfo> {
    await this.#inTurn(async () => {
      this.#check('write to')
      this.#written += body.length
      this.#checkSize(this.#written !== this.#options.size)
      for (let from = 0; from < body.length; ) {
        if (this.#buffer.filled > 0) await this.#sendPart()
        this.#buffer = PartBuffer.over(this.#options.key, body.subarray(from, from + this.#sizeOf(this.#number)))
        from += this.#buffer.filled
      }
    })
    return this.close()
  }

  close(): Promise<ObjectInfo> {
    return this.#inTurn(async () => {
      this.#check('close')
      this.#checkSize(this.#options.size !== undefined && this.#written !== this.#options.size)
      const info = await this.#publish()
      this.#end('closed')
      return info
    })
  }

  abort(): Promise<void> {
    if (this.#state === 'open') {
      this.#keep = false
      this.#stop.abort()
    }
    return this.#inTurn(() => this.#drop())
  }

  async #publish(): Promise<ObjectInfo> {
    if (!this.#begun) {
      this.#state = 'publishing'
      return this.#target.putWhole(this.#buffer.pieces(), this.#stop.signal)
    }
    if (this.#buffer.filled > 0) await this.#sendPart()
    await this.#until(0)
    this.#state = 'publishing'
    return this.#target.complete(this.#parts)
  }

  /** Memory for more. That the object does not fit into its first part is known only now. */
  async #nextPart(): Promise<void> {
    if (this.#buffer.filled > 0) await this.#sendPart()
    const left = (this.#options.size ?? Infinity) - this.#sent
    this.#buffer = this.#memory.take(Math.min(this.#sizeOf(this.#number), left))
  }

  /** Lets the filled part go as soon as there is room for another one. */
  async #sendPart(): Promise<void> {
    if (!this.#begun) await this.#begin()
    const { partSize, partsInFlight, key } = this.#options
    const { maxParts, maxObject } = this.#target.limits
    if (this.#number > maxParts)
      throw new HeadraceError('E_LIMIT', `${key}: an object has at most ${maxParts} parts and ${maxObject} bytes`, {
        key,
      })
    const buffer = this.#buffer
    const bound = Math.floor((partSize * (partsInFlight + 1)) / buffer.size) - 1
    await this.#until(Math.max(1, Math.min(partsInFlight, bound)) - 1)
    this.#inFlight++
    void this.#part(this.#number, buffer)
    this.#number++
    this.#sent += buffer.filled
    this.#buffer = new PartBuffer(key, 0)
  }

  async #part(number: number, buffer: PartBuffer): Promise<void> {
    try {
      const pieces = buffer.pieces()
      const there = this.#existing?.get(number)
      const same = there !== undefined && there.size === buffer.filled && there.matches(pieces)
      this.#parts[number - 1] = same ? there.part : await this.#target.part(number, pieces, this.#stop.signal)
      this.#memory.giveBack(buffer)
    } catch (error) {
      this.#failure ??= { error }
      this.#stop.abort(error)
    } finally {
      this.#inFlight--
      this.#wake?.()
    }
  }

  async #begin(): Promise<void> {
    throwIfAborted(this.#stop.signal, `writing ${this.#options.key}`)
    if (this.#options.resume === true) this.#existing = await this.#target.existing?.()
    if (this.#existing === undefined) await this.#target.begin()
    this.#begun = true
  }

  /** Until at most so many parts are under way. Throws what one of them failed with. */
  async #until(atMost: number): Promise<void> {
    while (this.#inFlight > atMost && this.#failure === undefined) await this.#oneLess()
    if (this.#failure !== undefined) throw this.#failure.error
  }

  #oneLess(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve
    })
  }

  /** A failed step drops the upload: what is left of it could never be closed into a whole object. */
  #inTurn<T>(step: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(async () => {
      try {
        return await step()
      } catch (error) {
        if (FINAL.some((code) => isHeadraceError(error, code))) this.#keep = false
        await this.#drop().catch(() => {})
        throwIfAborted(this.#options.signal, `writing ${this.#options.key}`)
        throw fromSystemError(error, `cannot write ${show(this.#options.key)}`, { key: this.#options.key })
      }
    })
    this.#last = turn.catch(() => {})
    return turn
  }

  #check(doing: string): void {
    const { key, signal } = this.#options
    throwIfAborted(signal, `writing ${key}`)
    if (this.#state !== 'open')
      throw new HeadraceError(
        'E_STATE',
        `cannot ${doing} ${show(key)}: its writer is ${this.#state === 'closed' ? 'closed' : 'aborted, or failed'}`,
        { key },
      )
    if (this.#failure !== undefined) throw this.#failure.error
  }

  #checkSize(wrong: boolean): void {
    const { key, size } = this.#options
    if (wrong)
      throw new HeadraceError('E_STATE', `${key}: ${size} bytes were announced, but ${this.#written} came`, { key })
  }

  async #drop(): Promise<void> {
    if (this.#state === 'closed' || this.#state === 'dropped') return
    this.#end('dropped')
    this.#stop.abort()
    while (this.#inFlight > 0) await this.#oneLess()
    if (this.#begun && !this.#keep) await this.#target.abort()
  }

  #end(state: 'closed' | 'dropped'): void {
    this.#state = state
    this.#memory.drop()
    this.#buffer = new PartBuffer(this.#options.key, 0)
    this.#options.signal?.removeEventListener('abort', this.#onSignal)
  }
}
