import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import { type FileHandle, mkdir, open, readdir, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { BlobRef } from './records.ts'

/** 256 KiB: bytes in memory of each body that is being sent. */
const READ_BYTES = 256 * 1024

/** A file that bytes are written to. It counts once a change of the catalog names it, and is dropped otherwise. */
export interface BlobWriter {
  write(bytes: Uint8Array): Promise<void>
  close(): Promise<BlobRef>
  /** Removes it. Safe at any time before the catalog names it. */
  discard(): Promise<void>
}

/** Bytes of an object, held until they are released: overwriting or deleting it takes nothing from who reads. */
export interface HeldBytes {
  /** Bytes. */
  readonly length: number
  read(): AsyncGenerator<Buffer>
  release(): void
}

export class Blobs {
  readonly #folder: string
  readonly #readers = new Map<string, number>()
  /** Not of the catalog any more, but still being read. */
  readonly #doomed = new Set<string>()
  readonly #made = new Set<string>()
  readonly #unlinking = new Set<Promise<void>>()

  constructor(folder: string) {
    this.#folder = folder
  }

  /** Removes what no change names: bodies that were being written when an earlier server ended. */
  async sweep(named: ReadonlySet<string>): Promise<void> {
    await mkdir(this.#folder, { recursive: true })
    for (const shelf of await readdir(this.#folder)) {
      this.#made.add(shelf)
      for (const name of await readdir(join(this.#folder, shelf)))
        if (!named.has(name)) await unlink(join(this.#folder, shelf, name))
    }
  }

  async create(): Promise<BlobWriter> {
    const id = randomBytes(12).toString('hex')
    const shelf = id.slice(0, 2)
    if (!this.#made.has(shelf)) await mkdir(join(this.#folder, shelf), { recursive: true })
    this.#made.add(shelf)
    const path = this.#path(id)
    const file = await open(path, 'wx', 0o600)
    return writerOf(id, file, path)
  }

  /** Bytes `offset` to `offset + length` of blobs put one after the other. */
  hold(blobs: readonly BlobRef[], offset: number, length: number): HeldBytes {
    const pieces = cut(blobs, offset, length)
    for (const { id } of pieces) this.#readers.set(id, (this.#readers.get(id) ?? 0) + 1)
    let held = true
    return {
      length,
      read: () => this.#read(pieces),
      release: () => {
        if (held) for (const { id } of pieces) this.#letGo(id)
        held = false
      },
    }
  }

  /** Blobs that no change names any more go, once nobody reads them. */
  drop(ids: Iterable<string>): void {
    for (const id of ids) {
      if (this.#readers.has(id)) this.#doomed.add(id)
      else this.#unlink(id)
    }
  }

  /** Waits for what is being removed. */
  async close(): Promise<void> {
    await Promise.all(this.#unlinking)
  }

  #path(id: string): string {
    return join(this.#folder, id.slice(0, 2), id)
  }

  #letGo(id: string): void {
    const readers = (this.#readers.get(id) ?? 1) - 1
    if (readers > 0) this.#readers.set(id, readers)
    else {
      this.#readers.delete(id)
      if (this.#doomed.delete(id)) this.#unlink(id)
    }
  }

  /** One that stays behind is swept away at the next start. */
  #unlink(id: string): void {
    const unlinking = unlink(this.#path(id)).catch(() => {})
    this.#unlinking.add(unlinking)
    void unlinking.finally(() => this.#unlinking.delete(unlinking))
  }

  async *#read(pieces: readonly Piece[]): AsyncGenerator<Buffer> {
    for (const { id, offset, length } of pieces) {
      const file = await open(this.#path(id), fs.constants.O_RDONLY)
      try {
        for (let at = 0; at < length; ) {
          const buffer = Buffer.allocUnsafe(Math.min(READ_BYTES, length - at))
          const { bytesRead } = await file.read(buffer, 0, buffer.length, offset + at)
          if (bytesRead === 0) throw new Error(`blob ${id} ends ${length - at} bytes early`)
          at += bytesRead
          yield bytesRead === buffer.length ? buffer : buffer.subarray(0, bytesRead)
        }
      } finally {
        await file.close()
      }
    }
  }
}

interface Piece {
  readonly id: string
  readonly offset: number
  readonly length: number
}

function cut(blobs: readonly BlobRef[], offset: number, length: number): readonly Piece[] {
  const pieces: Piece[] = []
  let start = 0
  for (const { id, size } of blobs) {
    const from = Math.max(0, offset - start)
    const to = Math.min(size, offset + length - start)
    if (from < to) pieces.push({ id, offset: from, length: to - from })
    start += size
  }
  return pieces
}

function writerOf(id: string, file: FileHandle, path: string): BlobWriter {
  let size = 0
  let open = true
  const close = async () => {
    if (open) {
      open = false
      await file.close()
    }
  }
  return {
    async write(bytes) {
      for (let at = 0; at < bytes.length; ) {
        const { bytesWritten } = await file.write(bytes, at, bytes.length - at)
        at += bytesWritten
      }
      size += bytes.length
    },
    async close() {
      await close()
      return { id, size }
    },
    async discard() {
      await close().catch(() => {})
      await unlink(path).catch(() => {})
    },
  }
}
