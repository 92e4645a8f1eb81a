import { maskedCrc32c } from '../../crc32c.ts'
import { crc32c } from '../../storage/crc.ts'
import { VarintReader, varint } from './varint.ts'

/**
 * A sorted table of keys and values, as LevelDB's files and the index files of TensorFlow's checkpoints are: blocks of
 * entries, each behind its own checksum, an index of them, and a footer that says where that lies.
 * Source of the format: LevelDB's doc/table_format.md.
 */

/** Entries of a block after which a key is written whole again. */
const RESTART = 16
/** Bytes of entries after which a block ends: TensorFlow's. */
const BLOCK = 256 * 1024
/** A byte that says how it is compressed, and the checksum. */
const TRAILER = 5
const FOOTER = 48
/** Of the footer, before the number that ends the file. */
const HANDLES = 40
const MAGIC = [0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb] as const

export type Entry = readonly [key: Uint8Array, value: Uint8Array]

function uint32(value: number): number[] {
  return [value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24]
}

function blockOf(entries: readonly Entry[], restart: number): Uint8Array {
  const parts: Uint8Array[] = []
  const restarts: number[] = []
  let bytes = 0
  let before: Uint8Array = new Uint8Array(0)
  for (const [i, [key, value]] of entries.entries()) {
    let shared = 0
    if (i % restart === 0) restarts.push(bytes)
    else while (shared < before.length && shared < key.length && before[shared] === key[shared]) shared++
    const head = Uint8Array.from([...varint(shared), ...varint(key.length - shared), ...varint(value.length)])
    parts.push(head, key.subarray(shared), value)
    bytes += head.length + key.length - shared + value.length
    before = key
  }
  if (restarts.length === 0) restarts.push(0)
  return Buffer.concat([...parts, Uint8Array.from([...restarts, restarts.length].flatMap(uint32))])
}

/** The file with these entries, whose keys are in order. */
export function tableOf(entries: readonly Entry[]): Uint8Array {
  const written: Uint8Array[] = []
  let end = 0
  /** Where the block is: offset and length. */
  const put = (block: Uint8Array): Uint8Array => {
    const at = Uint8Array.from([...varint(end), ...varint(block.length)])
    const trailed = Buffer.concat([block, Uint8Array.of(0)])
    written.push(trailed, Uint8Array.from(uint32(maskedCrc32c(crc32c(trailed)))))
    end += block.length + TRAILER
    return at
  }
  const index: Entry[] = []
  let waiting: Entry[] = []
  let bytes = 0
  const flush = (): void => {
    const last = waiting.at(-1)
    if (last !== undefined) index.push([last[0], put(blockOf(waiting, RESTART))])
    waiting = []
    bytes = 0
  }
  for (const entry of entries) {
    waiting.push(entry)
    bytes += entry[0].length + entry[1].length
    if (bytes >= BLOCK) flush()
  }
  flush()
  const footer = new Uint8Array(FOOTER)
  const meta = put(blockOf([], RESTART))
  footer.set(meta)
  footer.set(put(blockOf(index, 1)), meta.length)
  footer.set(MAGIC, HANDLES)
  return Buffer.concat([...written, footer])
}

function blockAt(file: Uint8Array, handle: VarintReader): Uint8Array {
  const offset = handle.number()
  const length = handle.number()
  if (offset + length + TRAILER > file.length) throw new Error('a block ends behind the end of the table')
  const crc = crc32c(file.subarray(offset, offset + length + 1))
  const found = new DataView(file.buffer, file.byteOffset).getUint32(offset + length + 1, true)
  if (found !== maskedCrc32c(crc)) throw new Error(`the checksum of the block at byte ${offset} is wrong`)
  if (file[offset + length] !== 0) throw new Error(`the block at byte ${offset} is compressed`)
  return file.subarray(offset, offset + length)
}

function* entriesOf(block: Uint8Array): Generator<Entry> {
  const restarts = block.length < 4 ? 0 : new DataView(block.buffer, block.byteOffset).getUint32(block.length - 4, true)
  const reader = new VarintReader(block.subarray(0, Math.max(0, block.length - 4 - 4 * restarts)))
  let before: Uint8Array = new Uint8Array(0)
  while (reader.left > 0) {
    const [shared, more, bytes] = [reader.number(), reader.number(), reader.number()]
    if (shared > before.length) throw new Error('a key goes on from none')
    before = Buffer.concat([before.subarray(0, shared), reader.take(more)])
    yield [before, reader.take(bytes)]
  }
}

/** The entries of such a file, in order. Throws where it is damaged. */
export function* tableEntries(file: Uint8Array): Generator<Entry> {
  const footer = file.subarray(file.length - FOOTER)
  if (file.length < FOOTER || MAGIC.some((byte, i) => footer[HANDLES + i] !== byte)) throw new Error('it is no table')
  const handles = new VarintReader(footer.subarray(0, HANDLES))
  handles.number()
  handles.number()
  for (const [, handle] of entriesOf(blockAt(file, handles))) yield* entriesOf(blockAt(file, new VarintReader(handle)))
}
