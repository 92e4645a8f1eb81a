import { createHash } from 'node:crypto'
import fs from 'node:fs'
import { cacheFolder } from '../../cache-folder.ts'
import { fromSystemError, HeadraceError } from '../../errors.ts'
import { dropDescriptor, openDescriptor, READ_FLAGS, readInto, statDescriptor } from '../../storage/file/descriptor.ts'
import { openStore } from '../../storage/open.ts'
import { copyObjects } from '../../storage/transfer/index.ts'
import { type OpenPlace, OpenStores } from '../../storage/transfer/place.ts'
import { findObject } from '../../storage/transfer/source.ts'
import type { ObjectInfo } from '../../storage/types.ts'
import { type Footer, footerBytes, MAGIC, notAManifest, readFooter, TAIL_BYTES } from './layout.ts'
import { type BlockBytes, PackedManifest } from './reader.ts'
import type { Manifest } from './types.ts'

/** 64 MiB, some three million objects: larger manifests of other places are copied to the cache folder first. */
const IN_MEMORY = 2 ** 26

/**
 * Opens what `buildManifest` wrote: a file, which is read piece by piece where it lies, or an object, which is fetched:
 * into memory, or if it is larger than 64 MiB into $HEADRACE_CACHE_DIR, once for every version of it. E_NOT_FOUND,
 * E_CORRUPT.
 */
export async function openManifest(url: string, options: { readonly signal?: AbortSignal } = {}): Promise<Manifest> {
  const stores = new OpenStores()
  try {
    const place = await stores.at(url)
    const { info } = await findObject(place, options.signal, 'a manifest is a file that headrace manifest build made')
    const name = place.name(info.key)
    if (place.localPath !== undefined) return await openFile(place.localPath(info.key), name)
    if (info.size > IN_MEMORY) return await openFile(await copyHere(place, info, options.signal), name)
    const { signal } = options
    const body = await place.store.get(info.key, {
      ...(info.etag !== '' && { ifMatch: info.etag }),
      ...(signal && { signal }),
    })
    if (body === undefined) throw new HeadraceError('E_NOT_FOUND', `${name} is not there any more`, { url: name })
    return openMemory(body.data, name)
  } finally {
    await stores.close()
  }
}

function checkHead(head: Uint8Array, name: string): void {
  if (!MAGIC.equals(head.subarray(0, MAGIC.length))) throw notAManifest(name, 'it does not begin as manifests do')
}

function openMemory(bytes: Uint8Array, name: string): Manifest {
  checkHead(bytes, name)
  const tail = bytes.subarray(Math.max(0, bytes.length - TAIL_BYTES))
  const before = bytes.length - TAIL_BYTES
  const footer = bytes.subarray(before - footerBytes(tail, bytes.length, name), before)
  const source: BlockBytes = {
    block: (_, offset, length) => bytes.subarray(offset, offset + length),
    close: () => {},
  }
  return new PackedManifest(name, readFooter(footer, tail, bytes.length, name), source)
}

/** Of a file: blocks are read as they are asked for, a few microseconds each while the page cache has them. */
class FileBlocks implements BlockBytes {
  readonly #fd: number
  readonly #name: string
  #closed = false

  constructor(fd: number, name: string) {
    this.#fd = fd
    this.#name = name
  }

  block(index: number, offset: number, length: number): Uint8Array {
    if (this.#closed) throw new HeadraceError('E_STATE', `${this.#name} is closed`, { path: this.#name })
    const bytes = Buffer.allocUnsafe(length)
    let done = 0
    while (done < length) {
      let count: number
      try {
        count = fs.readSync(this.#fd, bytes, done, length - done, offset + done)
      } catch (error) {
        throw fromSystemError(error, `reading ${this.#name}`, { path: this.#name, offset })
      }
      if (count === 0) throw notAManifest(this.#name, `block ${index} is cut off`)
      done += count
    }
    return bytes
  }

  close(): void {
    if (!this.#closed) dropDescriptor(this.#fd)
    this.#closed = true
  }
}

async function openFile(path: string, name: string): Promise<Manifest> {
  let fd: number | undefined
  try {
    fd = await openDescriptor(path, READ_FLAGS)
    const { size } = await statDescriptor(fd)
    return new PackedManifest(name, await fileFooter(fd, size, name), new FileBlocks(fd, name))
  } catch (error) {
    if (fd !== undefined) dropDescriptor(fd)
    throw fromSystemError(error, `opening ${name}`, { path: name })
  }
}

async function fileFooter(fd: number, size: number, name: string): Promise<Footer> {
  const piece = async (offset: number, length: number): Promise<Uint8Array> => {
    const bytes = new Uint8Array(length)
    return bytes.subarray(0, await readInto(fd, bytes, offset))
  }
  checkHead(await piece(0, MAGIC.length), name)
  const tail = await piece(Math.max(0, size - TAIL_BYTES), TAIL_BYTES)
  const length = footerBytes(tail, size, name)
  return readFooter(await piece(size - TAIL_BYTES - length, length), tail, size, name)
}

/** The path of a copy of this version, which is made where there is none. */
async function copyHere(place: OpenPlace, { key, etag, size }: ObjectInfo, signal?: AbortSignal): Promise<string> {
  const id = createHash('sha256').update(`${place.store.endpoint ?? ''}\0${place.name(key)}\0${etag}\0${size}`)
  const file = `${id.digest('hex').slice(0, 32)}.manifest`
  const folder = `${cacheFolder()}/manifests`
  const path = `${folder}/${file}`
  const there = fs.statSync(path, { throwIfNoEntry: false })
  if (there?.size === size) return path
  const store = await openStore(folder)
  try {
    await copyObjects(
      { store: place.store, key },
      { store, key: file },
      { onError: 'throw', ...(signal && { signal }) },
    )
  } finally {
    await store.close()
  }
  return path
}
