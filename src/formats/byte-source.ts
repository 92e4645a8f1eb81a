import fs from 'node:fs'
import { fromSystemError, HeadraceError } from '../errors.ts'
import {
  allocate,
  dropDescriptor,
  openDescriptor,
  READ_FLAGS,
  readInto,
  statDescriptor,
} from '../storage/file/descriptor.ts'
import type { ObjectBody, Store } from '../storage/types.ts'
import { corrupt } from './layout.ts'
import type { ByteSource } from './types.ts'

/** A source that keeps something open. */
export interface OpenSource extends ByteSource {
  close(): void
}

export interface FileSourceOptions {
  /**
   * Reads on the calling thread, which waits: for threads that have nothing else to do, where a trip through libuv's
   * threads costs more than most reads. Otherwise the thread goes on meanwhile.
   */
  readonly blocking?: boolean
}

/** E_CORRUPT for a range that does not lie in the source; without `into`, memory for it. */
function targetOf(source: ByteSource, offset: number, length: number, into?: Uint8Array): Uint8Array {
  if (!Number.isSafeInteger(offset) || offset < 0 || !Number.isSafeInteger(length) || length < 0)
    throw corrupt(source.name, `${length} bytes from ${offset} on lie in no file`)
  if (offset + length > source.size) throw endsEarly(source.name, source.size, offset, length)
  if (into === undefined) return allocate(length, source.name)
  if (into.length < length)
    throw new HeadraceError('E_LIMIT', `${source.name}: ${length} bytes do not fit into ${into.length}`, {
      path: source.name,
      offset,
    })
  return into.length === length ? into : into.subarray(0, length)
}

function endsEarly(file: string, size: number, offset: number, length: number): HeadraceError {
  return corrupt(file, `the file ends at ${size}, before ${length} bytes from here on`, { offset })
}

/** A file on this machine, through its page cache. */
class FileSource implements OpenSource {
  readonly name: string
  readonly size: number
  readonly #blocking: boolean
  #fd: number | undefined

  constructor(name: string, fd: number, size: number, blocking: boolean) {
    this.name = name
    this.#fd = fd
    this.size = size
    this.#blocking = blocking
  }

  async read(offset: number, length: number, into?: Uint8Array): Promise<Uint8Array> {
    const target = targetOf(this, offset, length, into)
    let count: number
    try {
      const fd = this.#descriptor()
      count = this.#blocking ? readIntoSync(fd, target, offset) : await readInto(fd, target, offset)
    } catch (error) {
      throw fromSystemError(error, `reading ${this.name}`, { path: this.name, offset })
    }
    if (count < length) throw endsEarly(this.name, offset + count, offset, length)
    return target
  }

  async readParts(offset: number, parts: readonly Uint8Array[]): Promise<void> {
    const length = parts.reduce((sum, part) => sum + part.length, 0)
    if (offset + length > this.size) throw endsEarly(this.name, this.size, offset, length)
    let count: number
    try {
      const fd = this.#descriptor()
      count = this.#blocking ? fs.readvSync(fd, parts, offset) : await readSomeParts(fd, parts, offset)
    } catch (error) {
      throw fromSystemError(error, `reading ${this.name}`, { path: this.name, offset })
    }
    // The system may stop anywhere: the rest comes part by part.
    let at = offset
    for (const part of parts) {
      const had = Math.min(part.length, Math.max(0, offset + count - at))
      if (had < part.length) await this.read(at + had, part.length - had, part.subarray(had))
      at += part.length
    }
  }

  close(): void {
    if (this.#fd === undefined) return
    // Nothing was written: there is nothing to lose if it fails, and nobody to tell.
    if (this.#blocking) closeQuietly(this.#fd)
    else dropDescriptor(this.#fd)
    this.#fd = undefined
  }

  #descriptor(): number {
    if (this.#fd === undefined) throw new HeadraceError('E_STATE', `${this.name} is closed`, { path: this.name })
    return this.#fd
  }
}

function closeQuietly(fd: number): void {
  try {
    fs.closeSync(fd)
  } catch {}
}

function readIntoSync(fd: number, into: Uint8Array, position: number): number {
  let done = 0
  while (done < into.length) {
    const count = fs.readSync(fd, into, done, into.length - done, position + done)
    if (count === 0) break
    done += count
  }
  return done
}

function readSomeParts(fd: number, parts: readonly Uint8Array[], position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.readv(fd, parts, position, (error, count) => (error ? reject(error) : resolve(count)))
  })
}

function fileSource(path: string, fd: number, stats: fs.Stats, blocking: boolean): OpenSource {
  if (stats.isFile()) return new FileSource(path, fd, stats.size, blocking)
  dropDescriptor(fd)
  throw new HeadraceError('E_UNSUPPORTED', `${path} is not a regular file`, { path })
}

/** Opens a file on this machine. E_NOT_FOUND, E_ACCESS; E_UNSUPPORTED for what is no regular file. */
export async function openFileSource(path: string, { blocking = false }: FileSourceOptions = {}): Promise<OpenSource> {
  let fd: number | undefined
  try {
    if (blocking) {
      fd = fs.openSync(path, READ_FLAGS)
      return fileSource(path, fd, fs.fstatSync(fd), true)
    }
    fd = await openDescriptor(path, READ_FLAGS)
    return fileSource(path, fd, await statDescriptor(fd), false)
  } catch (error) {
    if (fd !== undefined && !(error instanceof HeadraceError)) dropDescriptor(fd)
    throw fromSystemError(error, `opening ${path}`, { path })
  }
}

/** 64 KiB come with the first request: the headers of most formats, and small files whole. */
const HEAD_BYTES = 64 * 1024

/** An object, whose first bytes are at hand. */
class ObjectSource implements OpenSource {
  readonly name: string
  readonly size: number
  readonly #store: Store
  readonly #key: string
  readonly #etag: string
  #head: Uint8Array

  constructor(name: string, store: Store, { info, data }: ObjectBody) {
    this.name = name
    this.size = info.size
    this.#store = store
    this.#key = info.key
    this.#etag = info.etag
    this.#head = data
  }

  async read(offset: number, length: number, into?: Uint8Array): Promise<Uint8Array> {
    const target = targetOf(this, offset, length, into)
    const known = this.#head.subarray(Math.min(offset, this.#head.length), offset + length)
    target.set(known)
    const missing = length - known.length
    if (missing > 0) await this.#get(offset + known.length, target.subarray(known.length))
    return target
  }

  close(): void {
    this.#head = new Uint8Array(0)
  }

  async #get(offset: number, into: Uint8Array): Promise<void> {
    const range = { offset, length: into.length }
    const body = await this.#store.get(this.#key, { range, into, ifMatch: this.#etag })
    if (body === undefined) throw new HeadraceError('E_STATE', `${this.name} is not there any more`, { key: this.#key })
    if (body.data.length < into.length) throw endsEarly(this.name, offset + body.data.length, offset, into.length)
  }
}

/**
 * Opens an object of a store; `name` is what messages call it, otherwise its URL. One request, which brings the first
 * 64 KiB. E_NOT_FOUND. A version that replaces the object while it is read is E_STATE.
 */
export async function openObjectSource(
  store: Store,
  key: string,
  name = `${store.url.replace(/\/$/, '')}/${key}`,
): Promise<OpenSource> {
  const body = await store.get(key, { range: { offset: 0, length: HEAD_BYTES } })
  if (body === undefined) throw new HeadraceError('E_NOT_FOUND', `${name} is not there`, { key })
  return new ObjectSource(name, store, body)
}

/** Bytes in memory as a source. */
export function memorySource(name: string, bytes: Uint8Array): ByteSource {
  const source: ByteSource = {
    name,
    size: bytes.length,
    read: async (offset, length, into) => {
      const target = targetOf(source, offset, length, into)
      target.set(bytes.subarray(offset, offset + length))
      return target
    },
  }
  return source
}
