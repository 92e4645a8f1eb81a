import { constants } from 'node:fs'
import { truncate } from 'node:fs/promises'
import { z } from 'zod'
import type { ErrorCode } from '../../errors.ts'
import { native } from '../../native.ts'
import { closeDescriptor, openDescriptor, readRegularFile } from '../../storage/file/descriptor.ts'
import type { Extents } from './extent.ts'
import type { Skipped } from './options.ts'
import { writeAt } from './write-at.ts'

/** What an unfinished build had on disk after one of its flushes. */
export interface JournalRecord {
  /** The source's next sample. */
  readonly next: number
  /** Samples stored so far. */
  readonly samples: number
  readonly sourceBytes: number
  readonly extents: Extents
  /** The largest stored sample of each image and bytes field, in bytes. */
  readonly largest: Readonly<Record<string, number>>
  readonly reencoded: Readonly<Record<string, number>>
  readonly unpacked: Readonly<Record<string, number>>
  /** Samples left out since the record before. */
  readonly skipped: readonly Skipped[]
}

/** A record for every 4 MiB of the cache comes nowhere near it, unless nearly all samples are left out. */
const MAX_JOURNAL_BYTES = 2 ** 31 - 1

const count = z.int().min(0)
const recordSchema = z.object({
  next: count,
  samples: count,
  sourceBytes: count,
  extents: z.record(z.string(), z.object({ bytes: count, crc: count.max(0xffffffff) })),
  largest: z.record(z.string(), count),
  reencoded: z.record(z.string(), count),
  unpacked: z.record(z.string(), count),
  skipped: z.array(z.object({ key: z.string(), code: z.string(), reason: z.string() })),
})
const headSchema = z.object({ identity: z.string() })

/** A line of the journal: the checksum of its JSON, then the JSON. A torn line does not agree with its checksum. */
function toLine(value: unknown): Buffer {
  const json = Buffer.from(JSON.stringify(value))
  return Buffer.concat([Buffer.from(`${native.crc32c(json).toString(16).padStart(8, '0')} `), json, Buffer.from('\n')])
}

function fromLine(line: Buffer): unknown {
  const json = line.subarray(9)
  if (line.length < 10 || line.toString('latin1', 0, 8) !== native.crc32c(json).toString(16).padStart(8, '0'))
    return undefined
  return JSON.parse(json.toString())
}

export interface ReadRecord extends JournalRecord {
  /** Bytes of the journal up to this record's end. */
  readonly journalBytes: number
}

/** The journal's records, if it exists and was written by a build with this identity. Stops at a torn line. */
export async function readJournal(path: string, identity: string): Promise<readonly ReadRecord[] | undefined> {
  let text: Buffer
  try {
    text = await readRegularFile(path, MAX_JOURNAL_BYTES)
  } catch {
    return undefined
  }
  const records: ReadRecord[] = []
  let at = 0
  for (let line = 0; ; line++) {
    const end = text.indexOf(0x0a, at)
    const value = end < 0 ? undefined : fromLine(text.subarray(at, end))
    at = end + 1
    if (line === 0) {
      if (headSchema.safeParse(value).data?.identity !== identity) return undefined
      continue
    }
    const record = recordSchema.safeParse(value)
    if (!record.success) return records
    const skipped = record.data.skipped.map((entry) => ({ ...entry, code: entry.code as ErrorCode }))
    records.push({ ...record.data, skipped, journalBytes: at })
  }
}

/**
 * The record of a build's progress, from which it is resumed. A record is appended after the bytes it speaks of have
 * been written, so it never promises what is not there.
 */
export class Journal {
  readonly #fd: number
  #position: number

  private constructor(fd: number, position: number) {
    this.#fd = fd
    this.#position = position
  }

  static async create(path: string, identity: string): Promise<Journal> {
    const journal = new Journal(await openDescriptor(path, constants.O_RDWR | constants.O_CREAT | constants.O_TRUNC), 0)
    await journal.#write(toLine({ identity }))
    return journal
  }

  /** Goes on after the first `bytes` bytes of a journal. */
  static async resume(path: string, bytes: number): Promise<Journal> {
    await truncate(path, bytes)
    return new Journal(await openDescriptor(path, constants.O_RDWR), bytes)
  }

  append(record: JournalRecord): Promise<void> {
    return this.#write(toLine(record))
  }

  close(): Promise<void> {
    return closeDescriptor(this.#fd)
  }

  async #write(line: Buffer): Promise<void> {
    await writeAt(this.#fd, [line], this.#position)
    this.#position += line.length
  }
}
