import { z } from 'zod'
import { HeadraceError } from '../../errors.ts'
import { crc32 } from '../../storage/crc.ts'
import { BLOCK_ENTRIES } from './block.ts'
import type { ManifestSummary } from './types.ts'

/** The file's first and last bytes; the first of them is in no text. */
export const MAGIC = Buffer.from('\x93HRMANI\x01', 'latin1')

/** Of a block in the index: bytes of deflated text, of digests, of the text; CRC-32 of what is stored. uint32 each. */
const ROW = 4
/** Behind index and summary: bytes of each, and their CRC-32; then MAGIC. */
export const TAIL_BYTES = 12 + MAGIC.length
/** 64 MiB: globs may be long, but not that long. */
const MAX_SUMMARY = 2 ** 26
/** 2^28 objects' blocks take 16 MiB; of 2^32 objects they would take 256. */
const MAX_BLOCKS = 2 ** 24
/** Of a block's text: every key and etag as long as may be. */
const MAX_TEXT = BLOCK_ENTRIES * 2 ** 17

/** Where a block lies. */
export interface BlockPlace {
  /** From the beginning of the file. */
  readonly offset: number
  readonly deflatedBytes: number
  readonly digestBytes: number
  readonly textBytes: number
  readonly crc: number
}

/** What the file's end says: the summary, and where the blocks are. */
export interface Footer {
  readonly summary: ManifestSummary
  readonly blocks: number
  place(block: number): BlockPlace
}

const summarySchema = z.object({
  version: z.literal(1),
  url: z.string(),
  length: z.int().min(0),
  bytes: z.int().min(0),
  largest: z.int().min(0),
  fingerprint: z.string().regex(/^[0-9a-f]{64}$/),
  blockEntries: z.literal(BLOCK_ENTRIES),
  include: z.array(z.string()),
  exclude: z.array(z.string()),
})

/** Rows of the index while blocks are written. */
export class IndexRows {
  #rows = new Uint32Array(1024)
  #length = 0

  add(deflatedBytes: number, digestBytes: number, textBytes: number, crc: number): void {
    if (this.#length + ROW > this.#rows.length) {
      const larger = new Uint32Array(2 * this.#rows.length)
      larger.set(this.#rows)
      this.#rows = larger
    }
    this.#rows.set([deflatedBytes, digestBytes, textBytes, crc], this.#length)
    this.#length += ROW
    if (this.#length / ROW > MAX_BLOCKS)
      throw new HeadraceError(
        'E_LIMIT',
        `a manifest can hold ${MAX_BLOCKS * BLOCK_ENTRIES} objects, and there are more`,
      )
  }

  /** What comes behind the last block. */
  footer(summary: ManifestSummary): Uint8Array {
    const { url, length, bytes, largest, fingerprint, include, exclude } = summary
    const fields = { url, length, bytes, largest, fingerprint, blockEntries: BLOCK_ENTRIES, include, exclude }
    const text = Buffer.from(JSON.stringify({ version: 1, ...fields }))
    const index = Buffer.alloc(4 * this.#length)
    for (let i = 0; i < this.#length; i++) index.writeUInt32LE(this.#rows[i] as number, 4 * i)
    const body = Buffer.concat([index, text])
    const tail = Buffer.alloc(12)
    tail.writeUInt32LE(index.length, 0)
    tail.writeUInt32LE(text.length, 4)
    tail.writeUInt32LE(crc32(body), 8)
    return Buffer.concat([body, tail, MAGIC])
  }

  /** The same as a reader of the file has it. */
  places(summary: ManifestSummary): Footer {
    return footerOf(summary, this.#rows.slice(0, this.#length))
  }
}

function footerOf(summary: ManifestSummary, rows: Uint32Array): Footer {
  const blocks = rows.length / ROW
  const offsets = new Float64Array(blocks + 1)
  offsets[0] = MAGIC.length
  for (let i = 0; i < blocks; i++)
    offsets[i + 1] = (offsets[i] as number) + (rows[ROW * i] as number) + (rows[ROW * i + 1] as number)
  return {
    summary,
    blocks,
    place: (block) => ({
      offset: offsets[block] as number,
      deflatedBytes: rows[ROW * block] as number,
      digestBytes: rows[ROW * block + 1] as number,
      textBytes: rows[ROW * block + 2] as number,
      crc: rows[ROW * block + 3] as number,
    }),
  }
}

export function notAManifest(name: string, why: string): HeadraceError {
  return new HeadraceError('E_CORRUPT', `${name} is not a manifest, or is damaged: ${why}`, {
    path: name,
    hint: 'headrace manifest build makes one',
  })
}

/** Bytes before the tail that the footer takes, from the file's last TAIL_BYTES. E_CORRUPT. */
export function footerBytes(tail: Uint8Array, fileBytes: number, name: string): number {
  const bytes = Buffer.from(tail.buffer, tail.byteOffset, tail.length)
  if (bytes.length < TAIL_BYTES || !bytes.subarray(12).equals(MAGIC))
    throw notAManifest(name, 'it does not end as manifests do')
  const indexBytes = bytes.readUInt32LE(0)
  const textBytes = bytes.readUInt32LE(4)
  if (indexBytes > 4 * ROW * MAX_BLOCKS || indexBytes % (4 * ROW) !== 0 || textBytes > MAX_SUMMARY)
    throw notAManifest(name, 'its index has no such size')
  if (indexBytes + textBytes + TAIL_BYTES + MAGIC.length > fileBytes) throw notAManifest(name, 'it is cut off')
  return indexBytes + textBytes
}

/** `footer`: the bytes before the tail. E_CORRUPT where anything does not fit together. */
export function readFooter(footer: Uint8Array, tail: Uint8Array, fileBytes: number, name: string): Footer {
  const bytes = Buffer.from(tail.buffer, tail.byteOffset, tail.length)
  if (crc32(footer) !== bytes.readUInt32LE(8)) throw notAManifest(name, 'the checksum of its index is wrong')
  const indexBytes = bytes.readUInt32LE(0)
  const index = Buffer.from(footer.buffer, footer.byteOffset, indexBytes)
  const rows = new Uint32Array(indexBytes / 4)
  for (let i = 0; i < rows.length; i++) rows[i] = index.readUInt32LE(4 * i)
  const summary = readSummary(Buffer.from(footer.subarray(indexBytes)), name)
  const made = footerOf(summary, rows)
  if (made.blocks !== Math.ceil(summary.length / BLOCK_ENTRIES))
    throw notAManifest(name, `it has ${made.blocks} blocks for ${summary.length} objects`)
  let end = MAGIC.length
  for (let i = 0; i < made.blocks; i++) {
    const place = made.place(i)
    if (place.textBytes > MAX_TEXT) throw notAManifest(name, `block ${i} is too large`)
    end = place.offset + place.deflatedBytes + place.digestBytes
  }
  if (end + footer.length + TAIL_BYTES !== fileBytes) throw notAManifest(name, 'its blocks have another size')
  return made
}

function readSummary(text: Buffer, name: string): ManifestSummary {
  try {
    const { version, blockEntries, ...summary } = summarySchema.parse(JSON.parse(text.toString()))
    return summary
  } catch (error) {
    throw notAManifest(name, `its summary is none (${error instanceof Error ? error.name : error})`)
  }
}
