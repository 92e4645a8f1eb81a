import { HeadraceError } from '../../errors.ts'
import { ChunkedBody } from './chunked.ts'
import { type BodyLength, bodyLength, CHUNKED, hasNoBody, staysOpen, UNTIL_CLOSE } from './framing.ts'
import { type AnswerHead, corrupt, excerpt, parseHead } from './head.ts'
import { Landing, ThrownByCaller } from './landing.ts'
import type { HttpRequest } from './types.ts'

/** Bytes; what servers allow for requests is a quarter of it at most. */
const MAX_HEAD = 64 * 1024

/** Answers of 1xx before the one that counts. */
const MAX_INTERIM = 32

const DEFAULT_MAX_BODY = 16 * 2 ** 20

const HEAD_END = Buffer.from('\r\n\r\n', 'latin1')

type Reading = 'head' | 'sized' | 'chunked' | 'until-close' | 'done'

/**
 * Reads answers from a connection, one at a time: says where the next bytes should be read into, and takes them there.
 * Heads are read into scratch memory, which readers share (what is in it is used up at once); of bodies only what came
 * together with the head is copied.
 */
export class AnswerReader {
  readonly #scratch: Buffer
  readonly #landing = new Landing()
  readonly #chunks = new ChunkedBody()
  #reading: Reading = 'done'
  #request: HttpRequest | undefined
  #length: BodyLength = 0
  /** Bytes that have yet to come, of a body of known length. */
  #left = 0
  /** The start of a head that did not come in one piece. */
  #partialHead: Buffer | undefined
  #partialLength = 0
  #interim = 0
  #isDirect = false
  #head: AnswerHead | undefined
  #body: Uint8Array | undefined
  /** Bytes came that belong to no answer. */
  hasSurplus = false

  constructor(scratch: Buffer) {
    this.#scratch = scratch
  }

  /** The next answer is to this request. */
  begin(request: HttpRequest): void {
    this.#request = request
    this.#reading = 'head'
    this.#interim = 0
    this.#head = undefined
    this.#body = undefined
  }

  get isDone(): boolean {
    return this.#reading === 'done'
  }

  /** Nothing of the answer is here yet, or of the one after an interim one. */
  get isWaiting(): boolean {
    return this.#reading === 'head' && this.#partialHead === undefined
  }

  /** The final head, once it is here. */
  get head(): AnswerHead | undefined {
    return this.#head
  }

  /** Once `isDone`. */
  get body(): Uint8Array {
    return this.#body ?? new Uint8Array(0)
  }

  /** Whether another answer may follow on the connection. */
  get staysOpen(): boolean {
    return this.#head !== undefined && !this.hasSurplus && staysOpen(this.#head, this.#length)
  }

  /** Lets go of everything. */
  clear(): void {
    this.#reading = 'done'
    this.#request = undefined
    this.#head = undefined
    this.#body = undefined
    this.#partialHead = undefined
    this.#landing.clear()
  }

  /** Where the next bytes are to be read into; never empty. */
  buffer(): Uint8Array {
    const direct = this.#directRoom()
    this.#isDirect = direct !== undefined
    return direct ?? this.#scratch
  }

  /** So many bytes were read into the last `buffer()`. Throws HeadraceError, or ThrownByCaller. */
  received(count: number): void {
    if (!this.#isDirect) {
      this.#take(this.#scratch, 0, count)
      return
    }
    this.#landing.landed(count)
    if (this.#reading === 'sized') {
      this.#left -= count
      if (this.#left === 0) this.#finish()
    } else if (this.#reading === 'chunked') {
      this.#chunks.landed(count)
    }
  }

  /** The server has closed: the end of a body that is as long as that, of others E_CORRUPT. */
  ended(): void {
    if (this.#reading === 'until-close') this.#finish()
    else if (this.#reading === 'head') throw corrupt('the connection was closed within the head of the answer')
    else if (this.#reading === 'sized')
      throw corrupt(`the connection was closed ${this.#left} bytes before the end of the body`)
    else if (this.#reading === 'chunked') throw corrupt('the connection was closed before the last chunk of the body')
  }

  #directRoom(): Uint8Array | undefined {
    switch (this.#reading) {
      case 'sized':
        return this.#landing.room(this.#left)
      case 'until-close':
        return this.#landing.room(Number.MAX_SAFE_INTEGER)
      case 'chunked': {
        // A small chunk is cheaper copied than read apart from the line before the next.
        const left = this.#chunks.dataLeft
        return left >= this.#scratch.length ? this.#landing.room(left) : undefined
      }
      default:
        return undefined
    }
  }

  #take(source: Buffer, from: number, to: number): void {
    if (this.#reading === 'head') {
      this.#takeHead(source, from, to)
    } else if (this.#reading === 'chunked') {
      const end = this.#chunks.take(source, from, to, this.#landing)
      if (this.#chunks.isComplete) this.#finish()
      if (end < to) this.hasSurplus = true
    } else if (this.#reading === 'until-close') {
      this.#landing.copy(source, from, to)
    } else if (this.#reading === 'sized') {
      const end = Math.min(to, from + this.#left)
      this.#landing.copy(source, from, end)
      this.#left -= end - from
      if (this.#left === 0) this.#finish()
      if (end < to) this.hasSurplus = true
    } else if (to > from) {
      this.hasSurplus = true
    }
  }

  #takeHead(read: Buffer, start: number, stop: number): void {
    let source = read
    let from = start
    let to = stop
    let searched = from
    const partial = this.#partialHead
    if (partial !== undefined) {
      searched = Math.max(0, this.#partialLength - 3)
      source = this.#keepHead(read, from, to)
      from = 0
      to = this.#partialLength
    }
    // What lies behind `to` is of other reads: an end that is found there, or half of it, is none.
    const end = source.indexOf(HEAD_END, searched)
    if (end < 0 || end + HEAD_END.length > to) {
      if (to - from > MAX_HEAD) throw new HeadraceError('E_LIMIT', `the head of the answer is over ${MAX_HEAD} bytes`)
      checkPartial(source, from, Math.max(from, searched), to)
      if (partial === undefined && to > from) this.#keepHead(source, from, to)
      return
    }
    if (end - from > MAX_HEAD) throw new HeadraceError('E_LIMIT', `the head of the answer is over ${MAX_HEAD} bytes`)
    this.#partialHead = undefined
    this.#partialLength = 0
    this.#startBody(parseHead(source.toString('latin1', from, end)))
    this.#take(source, end + HEAD_END.length, to)
  }

  /** Keeps the start of a head out of the scratch memory. */
  #keepHead(source: Buffer, from: number, to: number): Buffer {
    const length = this.#partialLength + to - from
    let kept = this.#partialHead
    if (kept === undefined || kept.length < length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(1024, 2 * length))
      if (kept !== undefined) kept.copy(larger, 0, 0, this.#partialLength)
      kept = larger
      this.#partialHead = kept
    }
    source.copy(kept, this.#partialLength, from, to)
    this.#partialLength = length
    return kept
  }

  #startBody(head: AnswerHead): void {
    const request = this.#request
    if (request === undefined) throw corrupt('an answer came to no request')
    const length = bodyLength(request.method, head)
    if (head.status < 200) {
      if (head.status === 101) throw corrupt('the server wants to speak another protocol, for which nobody asked')
      if (++this.#interim > MAX_INTERIM) throw corrupt(`more than ${MAX_INTERIM} interim answers came`)
      return
    }
    this.#head = head
    this.#length = length
    if (hasNoBody(request.method, head.status)) {
      this.#reading = 'done'
      return
    }
    this.#prepareLanding(request, head, length)
    if (this.#request !== request) return
    if (length === CHUNKED) {
      this.#chunks.begin()
      this.#reading = 'chunked'
    } else if (length === UNTIL_CLOSE) {
      this.#reading = 'until-close'
    } else {
      this.#left = length
      this.#reading = 'sized'
      if (length === 0) this.#finish()
    }
  }

  #prepareLanding(request: HttpRequest, head: AnswerHead, length: BodyLength): void {
    let memory: Uint8Array | undefined
    try {
      memory = request.place?.(head)
    } catch (error) {
      throw new ThrownByCaller(error)
    }
    // It may have ended the exchange, by a signal.
    if (this.#request !== request) return
    if (memory === undefined) {
      this.#landing.collect(request.maxBody ?? DEFAULT_MAX_BODY, length < 0 ? undefined : length)
      return
    }
    if (length >= 0 && length !== memory.length)
      throw corrupt(`the body has ${length} bytes, but ${memory.length} were expected`)
    this.#landing.into(memory)
  }

  #finish(): void {
    this.#body = this.#landing.finish()
    this.#reading = 'done'
  }
}

/** What cannot become HTTP any more is refused at once, and not when 64 KiB of it have come or the time is up. */
function checkPartial(source: Buffer, from: number, fresh: number, to: number): void {
  const start = source.toString('latin1', from, Math.min(to, from + 60))
  if (!start.startsWith('HTTP/1.'.slice(0, start.length)))
    throw corrupt(`the answer is not HTTP/1: it starts with ${excerpt(start)}`)
  if (/[^\r]\n/.test(source.toString('latin1', fresh, to)))
    throw corrupt(`a line in the head of the answer ends without CR: it starts with ${excerpt(start)}`)
}
