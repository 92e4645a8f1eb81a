import { deltaBinaryUnpack, deltaByteArray, deltaLengthByteArray } from 'hyparquet/src/delta.js'
import { byteStreamSplit } from 'hyparquet/src/encoding.js'
import { PHYSICAL } from './columns.ts'
import { decodeRuns } from './runs.ts'
import type { Leaf } from './schema.ts'

/** Parquet's numbers of encodings. */
const PLAIN = 0
const PLAIN_DICTIONARY = 2
const RLE = 3
const DELTA_BINARY_PACKED = 5
const DELTA_LENGTH_BYTE_ARRAY = 6
const DELTA_BYTE_ARRAY = 7
const RLE_DICTIONARY = 8
const BYTE_STREAM_SPLIT = 9

/** Values as records hold them: all of one size, or each from one offset to the next. */
export interface Values {
  readonly bytes: Uint8Array
  readonly offsets?: Uint32Array
  readonly count: number
}

/** Memory for so many bytes, at the beginning of a word: that in which values will lie, where that is known. */
export type Room = (bytes: number) => Uint8Array

/** Thrown for pages that hold less than they say, or other than they may. */
export class DamagedPage extends Error {}
/** Thrown for what is right and not read here. */
export class UnknownEncoding extends Error {}

/** The `count` values of a page, which lie in `page` from `at` on. */
export function readValues(
  leaf: Leaf,
  encoding: number,
  page: Uint8Array,
  at: number,
  count: number,
  dictionary: Values | undefined,
  room: Room,
): Values {
  switch (encoding) {
    case PLAIN:
      return plainValues(leaf, page, at, count)
    case PLAIN_DICTIONARY:
    case RLE_DICTIONARY:
      if (dictionary === undefined) throw new DamagedPage('a page without its dictionary')
      return fromDictionary(leaf, page, at, count, dictionary, room)
    case RLE:
      return bools(leaf, page, at, count)
    default:
      return otherValues(leaf, encoding, page, at, count)
  }
}

/** Values as they are. A view of the page where that is what records hold. */
export function plainValues(leaf: Leaf, page: Uint8Array, at: number, count: number): Values {
  const { physical, storedBytes, valueBytes } = leaf
  if (physical === PHYSICAL.boolean) {
    if (at + Math.ceil(count / 8) > page.length) throw new DamagedPage(`${count} values do not lie in it`)
    const bytes = new Uint8Array(count)
    for (let i = 0; i < count; i++) bytes[i] = ((page[at + (i >> 3)] as number) >> (i & 7)) & 1
    return { bytes, count }
  }
  if (storedBytes === 0) return byteArrays(page, at, count)
  if (at + count * storedBytes > page.length) throw new DamagedPage(`${count} values do not lie in it`)
  const stored = page.subarray(at, at + count * storedBytes)
  return { bytes: narrowed(stored, storedBytes, valueBytes), count }
}

/** Small integers without their upper bytes. */
function narrowed(stored: Uint8Array, storedBytes: number, valueBytes: number): Uint8Array {
  if (storedBytes === valueBytes) return stored
  const count = stored.length / storedBytes
  const bytes = new Uint8Array(count * valueBytes)
  if (valueBytes === 1) for (let i = 0; i < count; i++) bytes[i] = stored[i * 4] as number
  else
    for (let i = 0; i < count; i++) {
      bytes[2 * i] = stored[4 * i] as number
      bytes[2 * i + 1] = stored[4 * i + 1] as number
    }
  return bytes
}

function byteArrays(page: Uint8Array, start: number, count: number): Values {
  // Every value has its length before it.
  if (count * 4 > page.length - start) throw new DamagedPage(`${count} values do not lie in it`)
  const offsets = new Uint32Array(count + 1)
  const bytes = new Uint8Array(page.length - start - 4 * count)
  const view = new DataView(page.buffer, page.byteOffset, page.byteLength)
  let at = start
  let end = 0
  for (let i = 0; i < count; i++) {
    const length = at + 4 <= page.length ? view.getUint32(at, true) : -1
    at += 4
    if (length < 0 || length > page.length - at) throw new DamagedPage(`value ${i} does not lie in it`)
    bytes.set(page.subarray(at, at + length), end)
    at += length
    end += length
    offsets[i + 1] = end
  }
  return { bytes: bytes.subarray(0, end), offsets, count }
}

/** Numbers of a page that are decoded into the same memory as those of the page before: a page is decoded without a pause. */
const KEPT_NUMBERS = 1024 * 1024
let kept = new Uint32Array(0)

function roomForNumbers(count: number): Uint32Array {
  if (count > KEPT_NUMBERS) return new Uint32Array(count)
  if (kept.length < count) kept = new Uint32Array(Math.min(KEPT_NUMBERS, 2 * count))
  return kept.subarray(0, count)
}

function fromDictionary(
  leaf: Leaf,
  page: Uint8Array,
  at: number,
  count: number,
  dictionary: Values,
  room: Room,
): Values {
  const bitWidth = count === 0 ? 0 : (page[at] ?? 255)
  if (bitWidth > 32) throw new DamagedPage(`numbers of ${bitWidth} bits`)
  const numbers = roomForNumbers(count)
  if (bitWidth === 0) numbers.fill(0)
  else if (decodeRuns(page, at + 1, page.length, bitWidth, numbers, count) === undefined)
    throw new DamagedPage(`${count} numbers do not lie in it`)
  let most = -1
  for (let i = 0; i < count; i++) if ((numbers[i] as number) > most) most = numbers[i] as number
  if (most >= dictionary.count) throw new DamagedPage(`value ${most} of a dictionary of ${dictionary.count}`)
  if (dictionary.offsets !== undefined) return gatherBytes(numbers, dictionary)
  const bytes = room(count * leaf.valueBytes)
  gatherFixed(leaf.valueBytes, numbers, dictionary.bytes, bytes)
  return { bytes, count }
}

const words = (bytes: Uint8Array): Uint32Array => new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2)

function gatherFixed(valueBytes: number, numbers: Uint32Array, values: Uint8Array, out: Uint8Array): void {
  const count = numbers.length
  if (valueBytes === 4) {
    const from = words(values)
    const to = words(out)
    for (let i = 0; i < count; i++) to[i] = from[numbers[i] as number] as number
  } else if (valueBytes === 8) {
    // As words: a double that is loaded and stored may lose what a NaN carries.
    const from = words(values)
    const to = words(out)
    for (let i = 0; i < count; i++) {
      const word = 2 * (numbers[i] as number)
      to[2 * i] = from[word] as number
      to[2 * i + 1] = from[word + 1] as number
    }
  } else if (valueBytes === 1) {
    for (let i = 0; i < count; i++) out[i] = values[numbers[i] as number] as number
  } else {
    for (let i = 0, at = 0; i < count; i++) {
      const from = (numbers[i] as number) * valueBytes
      for (let byte = 0; byte < valueBytes; byte++) out[at++] = values[from + byte] as number
    }
  }
}

function gatherBytes(numbers: Uint32Array, { bytes, offsets }: Values): Values {
  const ends = offsets as Uint32Array
  const count = numbers.length
  const places = new Uint32Array(count + 1)
  let total = 0
  for (let i = 0; i < count; i++) {
    const number = numbers[i] as number
    total += (ends[number + 1] as number) - (ends[number] as number)
    if (total > MAX_BYTES) throw new DamagedPage(`values of more than ${MAX_BYTES} bytes`)
    places[i + 1] = total
  }
  const out = new Uint8Array(total)
  for (let i = 0; i < count; i++) {
    const number = numbers[i] as number
    out.set(bytes.subarray(ends[number], ends[number + 1]), places[i])
  }
  return { bytes: out, offsets: places, count }
}

/** Of the values of a page together: a few bytes can name a long value many times. */
const MAX_BYTES = 512 * 1024 * 1024

function bools(leaf: Leaf, page: Uint8Array, at: number, count: number): Values {
  if (leaf.physical !== PHYSICAL.boolean) throw new UnknownEncoding('RLE')
  const bytes = new Uint8Array(count)
  const length = at + 4 <= page.length ? new DataView(page.buffer, page.byteOffset).getUint32(at, true) : -1
  if (length < 0 || length > page.length - at - 4) throw new DamagedPage(`${count} values do not lie in it`)
  if (decodeRuns(page, at + 4, at + 4 + length, 1, bytes, count) === undefined)
    throw new DamagedPage(`${count} values do not lie in it`)
  return { bytes, count }
}

/** Encodings that few files have, by hyparquet. */
function otherValues(leaf: Leaf, encoding: number, page: Uint8Array, at: number, count: number): Values {
  const { physical, storedBytes, valueBytes } = leaf
  const reader = { view: new DataView(page.buffer, page.byteOffset, page.byteLength), offset: at }
  try {
    if (encoding === DELTA_BINARY_PACKED && (physical === PHYSICAL.int32 || physical === PHYSICAL.int64)) {
      const values = physical === PHYSICAL.int32 ? new Int32Array(count) : new BigInt64Array(count)
      deltaBinaryUnpack(reader, count, values)
      return { bytes: narrowed(new Uint8Array(values.buffer), storedBytes, valueBytes), count }
    }
    if (encoding === BYTE_STREAM_SPLIT && storedBytes > 0) {
      const type = (['', 'INT32', 'INT64', '', 'FLOAT', 'DOUBLE', '', 'FIXED_LEN_BYTE_ARRAY'] as const)[physical] ?? ''
      if (type === '' || count * storedBytes > page.length - at)
        throw new DamagedPage(`${count} values do not lie in it`)
      const split = byteStreamSplit(reader, count, type, storedBytes)
      const bytes = Array.isArray(split) ? Buffer.concat(split) : new Uint8Array(split.buffer)
      return { bytes: narrowed(bytes, storedBytes, valueBytes), count }
    }
    if (encoding === DELTA_LENGTH_BYTE_ARRAY || encoding === DELTA_BYTE_ARRAY) {
      const values: Uint8Array[] = new Array(count)
      if (encoding === DELTA_BYTE_ARRAY) deltaByteArray(reader, count, values)
      else deltaLengthByteArray(reader, count, values)
      return ofArrays(values, valueBytes)
    }
  } catch (error) {
    if (error instanceof DamagedPage) throw error
    throw new DamagedPage(error instanceof Error ? error.message : String(error))
  }
  throw new UnknownEncoding(String(encoding))
}

function ofArrays(values: readonly Uint8Array[], valueBytes: number): Values {
  const offsets = new Uint32Array(values.length + 1)
  values.forEach((value, i) => {
    offsets[i + 1] = (offsets[i] as number) + value.length
  })
  const bytes = Buffer.concat(values)
  if (valueBytes === 0) return { bytes, offsets, count: values.length }
  if (values.some(({ length }) => length !== valueBytes))
    throw new DamagedPage(`values that are not ${valueBytes} bytes long`)
  return { bytes, count: values.length }
}
