import { CACHED_READ, native } from '../../native.ts'
import type { GetOptions, ObjectBody, ObjectInfo } from '../types.ts'
import { infoOf } from './walk.ts'

/**
 * Reads of what the page cache holds, on the JavaScript thread: open, read and close then wait for nothing, and cost a
 * fraction of four trips through libuv's threads. A file that is read again and again stays open until the event loop's
 * next turn; its path is looked up by every read, so that one that was replaced is never read in its old version.
 */

/** 256 KiB: copying that much takes about 30 us, during which nothing else happens on the thread. */
const LONGEST = 256 * 1024

/** 1 MiB is read, in about 200 us, before timers and sockets have their turn. */
const TURN_BYTES = 2 ** 20
/** What a read costs beside its bytes, as bytes. */
const READ_COST = 16 * 1024

/** Longer than any file. */
const TO_THE_END = Number.MAX_SAFE_INTEGER

const NUMBERS = Object.keys(CACHED_READ).length

export class CachedReads {
  readonly #numbers = new Float64Array(NUMBERS)
  #info: ObjectInfo | undefined
  /** The numbers that `#info` was made of. */
  readonly #known = new Float64Array(NUMBERS)
  #path = ''
  #spent = 0
  #nextTurn: Promise<void> | undefined

  /** To be awaited before a read where there were many since the event loop's last turn. */
  turn(): Promise<void> | undefined {
    return this.#spent < TURN_BYTES ? undefined : this.#untilNextTurn()
  }

  /** Undefined where it would have to wait, or there is anything else to say than the bytes. */
  read(path: string, key: string, { range, into, ifMatch }: GetOptions): ObjectBody | undefined {
    const length = range?.length ?? TO_THE_END
    const keep = path === this.#path
    this.#path = path
    if (keep && this.#nextTurn === undefined) this.#untilNextTurn()
    const read = native.readCached(path, into, range?.offset ?? 0, length, LONGEST, keep, this.#numbers)
    if (read === -1) return undefined
    const info = this.#infoOf(key)
    if (ifMatch !== undefined && info.etag !== ifMatch) return undefined
    const data = typeof read !== 'number' ? read : into?.length === read ? into : into?.subarray(0, read)
    if (data === undefined) return undefined
    this.#spent += data.length + READ_COST
    return { info, data }
  }

  /** Of one file again and again, the etag is made once. */
  #infoOf(key: string): ObjectInfo {
    const [ino = 0, size = 0, mtimeMs = 0] = this.#numbers
    const info = this.#info
    if (info?.key === key && ino === this.#known[0] && size === this.#known[1] && mtimeMs === this.#known[2])
      return { key, size, etag: info.etag, modified: info.modified }
    this.#known.set(this.#numbers)
    this.#info = infoOf(key, { ino, size, mtimeMs })
    return { ...this.#info }
  }

  #untilNextTurn(): Promise<void> {
    this.#nextTurn ??= new Promise((resolve) => {
      setImmediate(() => {
        this.#spent = 0
        this.#nextTurn = undefined
        native.closeCached()
        resolve()
      })
    })
    return this.#nextTurn
  }
}
