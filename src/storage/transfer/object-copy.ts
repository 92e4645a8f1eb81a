import { HeadraceError, isHeadraceError } from '../../errors.ts'
import { Permits } from '../../permits.ts'
import { allocate } from '../file/descriptor.ts'
import type { CopyAcross, GetOptions, ObjectBody, ObjectInfo, ObjectWriter, PutOptions, Store } from '../types.ts'
import type { Side } from './place.ts'

/**
 * Objects larger than a part that are under way at once. Each keeps the network busy by itself with several parts, and
 * a writer behind HTTP takes memory for all of its parts.
 */
const LARGE_AT_ONCE = 2
/** Parts of one object that are read or written at once. */
const PARTS_AT_ONCE = 8

export interface Copied {
  /** Of the source, as it was read. */
  readonly from: ObjectInfo
  readonly to: ObjectInfo
}

export interface CopierOptions {
  /** Bytes. */
  readonly partSize: number
  /** Bytes. */
  readonly windowBytes: number
  /** Of uploads in parts that were interrupted. */
  readonly resume: boolean
  readonly signal?: AbortSignal
  /** Told how many more bytes have been written. */
  readonly onBytes: (count: number) => void
}

interface Job {
  readonly source: Side
  readonly key: string
  readonly destination: Side
  readonly to: string
  readonly options: PutOptions
}

/** What of an object is not its bytes and goes with them. */
function attributesOf({ contentType, metadata }: ObjectInfo): PutOptions {
  return { ...(contentType === undefined ? {} : { contentType }), ...(metadata === undefined ? {} : { metadata }) }
}

function checked({ from, to }: Copied, { source, destination, ...job }: Job): Copied {
  const name = destination.name(job.to)
  if (from.size !== to.size)
    throw new HeadraceError(
      'E_CORRUPT',
      `${name} has ${to.size} bytes, but ${source.name(job.key)}, which it is a copy of, has ${from.size}`,
      { url: name, key: job.to },
    )
  const [a, b] = [from.checksum, to.checksum]
  if (a !== undefined && a.algorithm === b?.algorithm && a.value !== b.value)
    throw new HeadraceError(
      'E_CHECKSUM',
      `${name} has the ${a.algorithm} ${b.value}, but ${source.name(job.key)}, which it is a copy of, ${a.value}`,
      { url: name, key: job.to },
    )
  return { from, to }
}

/**
 * Copies objects from store to store. What passes through is read in ranges of `partSize`, at most `windowBytes` of it
 * at once; within one store, and from one to another of the same service, that itself copies. The destination appears
 * whole or not at all.
 */
export class Copier {
  readonly #options: CopierOptions
  readonly #window: Permits
  /** By source: there is one destination. */
  readonly #copyAcross = new Map<Store, Promise<CopyAcross | undefined>>()
  readonly #large = new Permits(LARGE_AT_ONCE, LARGE_AT_ONCE)
  /** Memory of parts, to be used again. */
  readonly #spare: Uint8Array[] = []

  constructor(options: CopierOptions) {
    this.#options = options
    this.#window = new Permits(Number.MAX_SAFE_INTEGER, options.windowBytes)
  }

  /** `listed`: what the source's listing says of the object; the copy keeps its time where the destination can. */
  async copy(source: Side, listed: ObjectInfo, destination: Side, to: string): Promise<Copied> {
    const { signal, partSize, onBytes } = this.#options
    const options = { modified: listed.modified, ...(signal && { signal }) }
    const job: Job = { source, key: listed.key, destination, to, options }
    if (source.store === destination.store && source.store.copy !== undefined) {
      const info = await source.store.copy(listed.key, to, options)
      onBytes(info.size)
      return { from: listed, to: info }
    }
    const info = await this.#across(job)
    if (info !== undefined) {
      onBytes(info.size)
      return { from: listed, to: info }
    }
    const whole =
      listed.size > partSize ? undefined : await this.#window.run(listed.size, () => this.#whole(job, listed.size))
    return checked(whole ?? (await this.#large.run(1, () => this.#parts(job))), job)
  }

  /** By the service that both stores are of; undefined where there is none, or it does not do that. */
  async #across({ source, key, destination, to, options }: Job): Promise<ObjectInfo | undefined> {
    if (destination.store.copyFrom === undefined) return undefined
    let asked = this.#copyAcross.get(source.store)
    if (asked === undefined) {
      asked = destination.store.copyFrom(source.store)
      this.#copyAcross.set(source.store, asked)
    }
    const copy = await asked
    try {
      return await copy?.(key, to, options)
    } catch (error) {
      // What may be read and written need not be allowed, or be known, as a copy.
      if (!isHeadraceError(error, 'E_UNSUPPORTED') && !isHeadraceError(error, 'E_ACCESS')) throw error
      this.#copyAcross.set(source.store, Promise.resolve(undefined))
      return undefined
    }
  }

  async #get({ source, key }: Job, options: GetOptions): Promise<ObjectBody> {
    const { signal } = this.#options
    const body = await source.store.get(key, { ...options, ...(signal && { signal }) })
    if (body !== undefined) return body
    const name = source.name(key)
    throw new HeadraceError('E_NOT_FOUND', `${name} is no longer there`, { url: name, key })
  }

  /** undefined where it has grown since it was listed. */
  async #whole(job: Job, size: number): Promise<Copied | undefined> {
    const { info, data } = await this.#get(job, size === 0 ? {} : { range: { offset: 0, length: size } })
    if (data.length < info.size) return undefined
    const { destination, to, options } = job
    const put = await destination.store.put(to, data, { ...options, ...attributesOf(info) })
    this.#options.onBytes(data.length)
    return { from: info, to: put }
  }

  /** Reads a part into memory that is used again, hands it to `use`, and waits for that. */
  #part<T>(job: Job, offset: number, ifMatch: string | undefined, use: (body: ObjectBody) => Promise<T>): Promise<T> {
    const { partSize } = this.#options
    return this.#window.run(partSize, async () => {
      const into = this.#spare.pop() ?? allocate(partSize, job.key)
      try {
        const range = { offset, length: partSize }
        return await use(await this.#get(job, { range, into, ...(ifMatch === undefined ? {} : { ifMatch }) }))
      } finally {
        this.#spare.push(into)
      }
    })
  }

  async #parts(job: Job): Promise<Copied> {
    const { destination, to, options } = job
    const { resume, signal } = this.#options
    let writer: ObjectWriter | undefined
    try {
      // The first answer tells the size and the version that all the others must be of.
      const from = await this.#part(job, 0, undefined, async ({ info, data }) => {
        writer = destination.store.writer(to, { ...options, ...attributesOf(info), size: info.size, resume })
        await this.#write(writer, data)
        return info
      })
      if (writer === undefined) throw new HeadraceError('E_STATE', `${to} has no writer`)
      await this.#rest(job, from, writer)
      return { from, to: await writer.close() }
    } catch (error) {
      // What is cancelled ends by itself, and keeps the parts that are to be taken up again.
      if (!resume || signal?.aborted !== true) await writer?.abort()
      throw error
    }
  }

  /** Parts are read side by side, and written one after the other. */
  async #rest(job: Job, { etag, size }: ObjectInfo, writer: ObjectWriter): Promise<void> {
    const { partSize } = this.#options
    const underWay: Promise<void>[] = []
    let last: Promise<void> = Promise.resolve()
    try {
      for (let offset = partSize; offset < size; offset += partSize) {
        if (underWay.length === PARTS_AT_ONCE) await underWay.shift()
        const before = last
        last = this.#part(job, offset, etag, async ({ data }) => {
          await before
          await this.#write(writer, data)
        })
        // It is waited for later; until then its failure is not an unhandled one.
        last.catch(() => undefined)
        underWay.push(last)
      }
      await Promise.all(underWay)
    } finally {
      await Promise.allSettled(underWay)
    }
  }

  async #write(writer: ObjectWriter, data: Uint8Array): Promise<void> {
    await writer.write(data)
    this.#options.onBytes(data.length)
  }
}
