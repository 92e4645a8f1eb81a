import { pipeline, Readable } from 'node:stream'
import { createInflateRaw } from 'node:zlib'
import { HeadraceError } from '../../errors.ts'
import { crc32 } from '../../storage/crc.ts'
import { corrupt } from '../layout.ts'
import type { ByteSource } from '../types.ts'
import { dataOffset, type ZipMember } from './directory.ts'
import { STORED } from './headers.ts'

/** 256 KiB of packed bytes a read. */
const PACKED_PIECE = 256 * 1024

/** The unpacked bytes of a member. What is read in order from its start to its end is checked against its checksum. */
export interface MemberBytes {
  readonly name: string
  /** Bytes, unpacked. */
  readonly size: number
  /** Where the bytes begin in the archive, packed or not. */
  readonly offset: number
  /** Fills `target` with the bytes from `offset` on. Going back in packed bytes begins anew. */
  read(offset: number, target: Uint8Array): Promise<void>
  /** What the member begins with was looked at: what is read in order from its end on is checked as well. */
  beginsWith(head: Uint8Array): void
  close(): void
}

/** Follows reads for as long as each begins where the one before it ended. */
class RunningChecksum {
  readonly #source: ByteSource
  readonly #member: ZipMember
  #head = 0
  #headCrc = 0
  #next = 0
  #crc = 0

  constructor(source: ByteSource, member: ZipMember) {
    this.#source = source
    this.#member = member
  }

  beginsWith(head: Uint8Array): void {
    this.#head = head.length
    this.#headCrc = crc32(head)
  }

  follow(offset: number, bytes: Uint8Array): void {
    if (offset === this.#head) {
      this.#next = offset
      this.#crc = this.#headCrc
    }
    if (offset !== this.#next) return
    this.#crc = crc32(bytes, this.#crc)
    this.#next += bytes.length
    const { name, size, crc, headerOffset } = this.#member
    if (this.#next === size && this.#crc !== crc)
      throw corrupt(this.#source.name, `the checksum of ${JSON.stringify(name)} is another than its bytes have`, {
        offset: headerOffset,
      })
  }
}

/** Finds a member's bytes. E_CORRUPT where they do not lie in the archive. */
export async function openMember(source: ByteSource, member: ZipMember): Promise<MemberBytes> {
  const offset = await dataOffset(source, member)
  return member.method === STORED ? storedMember(source, member, offset) : new InflatedMember(source, member, offset)
}

/** A stored member whose place is known. */
export function storedMember(source: ByteSource, member: ZipMember, offset: number): MemberBytes {
  const checksum = new RunningChecksum(source, member)
  return {
    name: member.name,
    size: member.size,
    offset,
    read: async (at, target) => {
      checkRange(source, member, at, target.length)
      await source.read(offset + at, target.length, target)
      checksum.follow(at, target)
    },
    beginsWith: (head) => checksum.beginsWith(head),
    close: () => {},
  }
}

function checkRange(source: ByteSource, { name, size, headerOffset }: ZipMember, at: number, length: number): void {
  if (at + length > size)
    throw corrupt(source.name, `${JSON.stringify(name)} has ${size} bytes, not ${at + length}`, {
      offset: headerOffset,
    })
}

class InflatedMember implements MemberBytes {
  readonly name: string
  readonly size: number
  readonly offset: number
  readonly #source: ByteSource
  readonly #member: ZipMember
  readonly #checksum: RunningChecksum
  #stream: AsyncIterator<Buffer> | undefined
  #chunk: Uint8Array = new Uint8Array(0)
  #position = 0

  constructor(source: ByteSource, member: ZipMember, offset: number) {
    this.name = member.name
    this.size = member.size
    this.offset = offset
    this.#source = source
    this.#member = member
    this.#checksum = new RunningChecksum(source, member)
  }

  async read(offset: number, target: Uint8Array): Promise<void> {
    checkRange(this.#source, this.#member, offset, target.length)
    if (offset < this.#position) this.close()
    await this.#advance(offset - this.#position, undefined)
    await this.#advance(target.length, target)
    this.#checksum.follow(offset, target)
  }

  beginsWith(head: Uint8Array): void {
    this.#checksum.beginsWith(head)
  }

  close(): void {
    // Nobody waits for it: it ends the stream and frees its memory.
    this.#stream?.return?.().catch(() => {})
    this.#stream = undefined
    this.#chunk = new Uint8Array(0)
    this.#position = 0
  }

  async #advance(bytes: number, target: Uint8Array | undefined): Promise<void> {
    for (let done = 0; done < bytes; ) {
      if (this.#chunk.length === 0) this.#chunk = await this.#inflated()
      const some = this.#chunk.subarray(0, bytes - done)
      target?.set(some, done)
      this.#chunk = this.#chunk.subarray(some.length)
      this.#position += some.length
      done += some.length
    }
  }

  async #inflated(): Promise<Uint8Array> {
    this.#stream ??= this.#start()
    try {
      const { done, value } = await this.#stream.next()
      if (done !== true) return value
    } catch (error) {
      if (error instanceof HeadraceError) throw error
      throw corrupt(this.#source.name, `${JSON.stringify(this.name)} cannot be inflated: ${(error as Error).message}`, {
        offset: this.offset,
        cause: error,
      })
    }
    throw corrupt(this.#source.name, `${JSON.stringify(this.name)} inflates to fewer than ${this.size} bytes`, {
      offset: this.offset,
    })
  }

  #start(): AsyncIterator<Buffer> {
    const { storedSize } = this.#member
    const [source, from] = [this.#source, this.offset]
    const packed = async function* (): AsyncGenerator<Uint8Array> {
      for (let at = 0; at < storedSize; at += PACKED_PIECE)
        yield source.read(from + at, Math.min(PACKED_PIECE, storedSize - at))
    }
    const inflate = createInflateRaw({ chunkSize: PACKED_PIECE })
    // What fails is thrown by the iterator, which reads the last of the streams.
    pipeline(Readable.from(packed()), inflate, () => {})
    return inflate[Symbol.asyncIterator]() as AsyncIterator<Buffer>
  }
}
