import { setMaxListeners } from 'node:events'
import { show } from '../../checks.ts'
import { HeadraceError, throwIfAborted } from '../../errors.ts'
import { allocate } from '../file/descriptor.ts'
import { cutRange, roomFor } from '../range.ts'
import type { GetOptions, ObjectBody, ObjectInfo, Trace } from '../types.ts'
import type { RemoteOptions, SendOptions } from './types.ts'

/** What the head of an answer to a ranged GET says. */
export interface RangeHead {
  /** Of the whole object; its size is that of Content-Range. */
  readonly info: ObjectInfo
  /** The part that follows: of a 200 all of it. Behind the end of the object its length is 0. */
  readonly offset: number
  readonly length: number
}

export interface RangeRequest extends SendOptions {
  readonly offset: number
  /** Bytes; at least 1. The answer has fewer only where the object ends. */
  readonly length: number
  /** The answer is E_STATE where the object has another etag. */
  readonly ifMatch: string | undefined
  /**
   * Called with the head of an answer that has the bytes, once an attempt, before they are read: where they go, memory of
   * exactly `length` bytes. What it throws ends the attempt.
   */
  readonly place: (head: RangeHead) => Uint8Array
}

/**
 * How a protocol gets a range: one exchange. undefined where the object is not there. A range that begins at or behind
 * the end of the object is no error: its answer (a 416) has length 0 and an `info` that is complete, by a HEAD if need
 * be; `place` is not called then.
 */
export type FetchRange = (request: RangeRequest) => Promise<RangeHead | undefined>

/** 64 MiB: of larger parts a lost connection costs more than the fewer requests save. */
const MAX_PART = 64 * 2 ** 20
/** More than any object has. */
const WHOLE = 2 ** 50
/** Parts for each one under way: beyond, they are made larger. */
const PARTS_PER_LANE = 32

/** Bytes of the further parts of `length` bytes: partSize, doubled while there would be more than 32 for each in flight. */
export function rangedPartSize(length: number, { partSize, partsInFlight }: Parts): number {
  let size = partSize
  while (size * 2 <= MAX_PART && length / size > PARTS_PER_LANE * partsInFlight) size *= 2
  return size
}

type Parts = Pick<RemoteOptions, 'partSize' | 'partsInFlight'>

/** What a caller says of one get wins over what the store was opened with. */
export function partsOf({ parts }: Pick<GetOptions, 'parts'>, own: Parts): Parts {
  return parts === undefined ? own : { partSize: Math.min(parts.size, WHOLE), partsInFlight: parts.inflight }
}

/**
 * Gets an object or a range of it in parts side by side, without asking for its size first: the first part's head tells
 * it, and the others are asked for while that part still arrives. Every part lands where it belongs. All are of one
 * version of the object: E_STATE where it changes meanwhile.
 */
export async function rangedGet(
  key: string,
  options: GetOptions,
  parts: Parts,
  fetchRange: FetchRange,
): Promise<ObjectBody | undefined> {
  return new RangedGet(key, options, parts, fetchRange).run()
}

class RangedGet {
  readonly #key: string
  readonly #options: GetOptions
  readonly #parts: Parts
  /** Parts that the caller chose are as large as it says. */
  readonly #exact: boolean
  readonly #fetch: FetchRange
  readonly #offset: number
  #info: ObjectInfo | undefined
  #data: Uint8Array | undefined
  #rest: Promise<void> | undefined
  #stop: AbortController | undefined
  #failure: { readonly error: unknown } | undefined
  /** Of the parts after the first: the next byte to ask for, from the beginning of the range. */
  #next = 0
  #retries = 0

  constructor(key: string, options: GetOptions, parts: Parts, fetchRange: FetchRange) {
    this.#key = key
    this.#options = options
    this.#parts = partsOf(options, parts)
    this.#exact = options.parts !== undefined
    this.#fetch = fetchRange
    this.#offset = options.range?.offset ?? 0
  }

  async run(): Promise<ObjectBody | undefined> {
    const { range, ifMatch, signal, trace, into } = this.#options
    throwIfAborted(signal, 'get')
    const asked = range?.length === 0 ? 1 : Math.min(range?.length ?? Infinity, this.#parts.partSize)
    const first: RangeRequest = {
      offset: this.#offset,
      length: asked,
      ifMatch,
      place: (head) => this.#placeFirst(head, asked),
      ...(trace && { trace }),
    }
    let head: RangeHead | undefined
    try {
      head = await this.#fetch(signal === undefined ? first : { ...first, signal })
    } catch (error) {
      this.#fail(error)
    }
    await this.#rest
    if (this.#failure !== undefined) throw this.#failure.error
    if (head === undefined) return undefined
    if (trace !== undefined && this.#retries > 0) trace.retries = (trace.retries ?? 0) + this.#retries
    if (this.#info !== undefined && this.#data !== undefined) return { info: this.#info, data: this.#data }
    // Behind the end: there is nothing of it, or the range is refused.
    const { length } = cutRange(range, head.info.size, this.#key)
    if (length > 0) throw this.#corrupt(`no bytes came from ${this.#offset} of ${head.info.size}`)
    return { info: head.info, data: into?.subarray(0, 0) ?? new Uint8Array() }
  }

  #placeFirst(head: RangeHead, asked: number): Uint8Array {
    const { info } = head
    const { length } = cutRange(this.#options.range, info.size, this.#key)
    // A server that knows no ranges gives everything, which will do where everything is wanted.
    const whole = head.offset === 0 && head.length === info.size && this.#offset === 0 && length === info.size
    const expected = Math.min(asked, info.size - this.#offset)
    if (!whole && (head.offset !== this.#offset || head.length !== expected)) throw this.#mismatch(head, expected)
    if (this.#info === undefined) this.#begin(info, length, head.length)
    else this.#sameVersion(info)
    // Of an empty range a byte was asked for, since a range cannot be empty in HTTP.
    if (length === 0) return new Uint8Array(head.length)
    return this.#room(0, head.length)
  }

  /** Room for all, and the other parts on their way. */
  #begin(info: ObjectInfo, length: number, first: number): void {
    const { into } = this.#options
    this.#data = into === undefined ? allocate(length, this.#key) : roomFor(into, length, this.#key)
    this.#info = info
    if (first >= length) return
    this.#next = first
    const stop = new AbortController()
    this.#stop = stop
    // Every part under way listens.
    setMaxListeners(0, stop.signal)
    const { signal } = this.#options
    const onAbort = () => stop.abort(signal?.reason)
    signal?.addEventListener('abort', onAbort, { once: true })
    const size = this.#exact ? this.#parts.partSize : rangedPartSize(length - first, this.#parts)
    const lanes = Math.min(this.#parts.partsInFlight, Math.ceil((length - first) / size))
    this.#rest = Promise.all(Array.from({ length: lanes }, () => this.#lane(size, length, stop.signal))).then(() =>
      signal?.removeEventListener('abort', onAbort),
    )
  }

  async #lane(size: number, length: number, signal: AbortSignal): Promise<void> {
    try {
      while (this.#next < length) {
        throwIfAborted(signal, `get of ${this.#key}`)
        const at = this.#next
        const count = Math.min(size, length - at)
        this.#next += count
        await this.#part(at, count, signal)
      }
    } catch (error) {
      this.#fail(error)
    }
  }

  async #part(at: number, count: number, signal: AbortSignal): Promise<void> {
    const offset = this.#offset + at
    const trace: Trace = {}
    const place = (head: RangeHead) => {
      this.#sameVersion(head.info)
      if (head.offset !== offset || head.length !== count) throw this.#mismatch(head, count, offset)
      return this.#room(at, count)
    }
    const head = await this.#fetch({
      offset,
      length: count,
      ifMatch: this.#info?.etag || undefined,
      place,
      signal,
      trace,
    })
    this.#retries += trace.retries ?? 0
    if (head === undefined) throw this.#changed('it is gone')
    if (head.length !== count) throw this.#changed(`it has ${head.info.size} bytes`)
  }

  #room(at: number, count: number): Uint8Array {
    const data = this.#data ?? new Uint8Array()
    return data.length === count ? data : data.subarray(at, at + count)
  }

  #sameVersion(info: ObjectInfo): void {
    const first = this.#info
    if (first === undefined || (info.etag === first.etag && info.size === first.size)) return
    throw this.#changed(`its etag is ${show(info.etag)} and not ${show(first.etag)} any more`)
  }

  /** The first failure counts; what else is under way ends by it. */
  #fail(error: unknown): void {
    this.#failure ??= { error }
    this.#stop?.abort(error)
  }

  #changed(how: string): HeadraceError {
    return new HeadraceError('E_STATE', `${this.#key} has changed while it was read: ${how}`, { key: this.#key })
  }

  #mismatch(head: RangeHead, length: number, offset = this.#offset): HeadraceError {
    const answer = `${head.length} bytes from ${head.offset} of ${head.info.size}`
    return this.#corrupt(`${length} bytes from ${offset} were asked for, but ${answer} came`)
  }

  #corrupt(what: string): HeadraceError {
    return new HeadraceError('E_CORRUPT', `${this.#key}: ${what}`, { key: this.#key, offset: this.#offset })
  }
}
