import type { Decompress } from './decompress.ts'
import type { PageHeader } from './page-header.ts'
import { DamagedPage, plainValues, type Room, readValues, type Values } from './page-values.ts'
import { decodeRuns } from './runs.ts'
import type { Leaf } from './schema.ts'

/** A data page: its values, and of each entry whether a row begins with it and what of it is there. */
export interface PageData {
  readonly entries: number
  readonly values: Values
  /** Absent where every entry is a row. */
  readonly repetition?: Uint8Array
  /** Absent where every value is there. */
  readonly definition?: Uint8Array
}

interface Levels {
  readonly levels: Uint8Array | undefined
  readonly end: number
}

function readLevels(page: Uint8Array, at: number, end: number, most: number, count: number): Uint8Array {
  const levels = new Uint8Array(count)
  if (decodeRuns(page, at, end, 32 - Math.clz32(most), levels, count) === undefined)
    throw new DamagedPage(`the levels of ${count} values do not lie in it`)
  return levels
}

/** Whether the levels are one run of the highest: nothing is null, as mostly. */
function allOf(page: Uint8Array, at: number, end: number, most: number, count: number): boolean {
  let head = 0
  let next = at
  for (let scale = 1, byte = 128; byte > 127 && next < end && scale < 2 ** 35; scale *= 128) {
    byte = page[next++] as number
    head += (byte & 127) * scale
  }
  return head === 2 * count && most < 256 && next < end && page[next] === most
}

/** Levels with their length before them; undefined where they are the highest ones all. */
function measuredLevels(page: Uint8Array, at: number, most: number, count: number): Levels {
  if (most === 0) return { levels: undefined, end: at }
  const length = at + 4 <= page.length ? new DataView(page.buffer, page.byteOffset).getUint32(at, true) : -1
  if (length < 0 || length > page.length - at - 4) throw new DamagedPage('its levels do not lie in it')
  const end = at + 4 + length
  return { levels: allOf(page, at + 4, end, most, count) ? undefined : readLevels(page, at + 4, end, most, count), end }
}

/** All of them: that every entry goes on with a row is no levels to leave out. */
function repetitionLevels(page: Uint8Array, most: number, count: number): Levels {
  const { levels, end } = measuredLevels(page, 0, most, count)
  return { levels: levels ?? (most === 0 ? undefined : new Uint8Array(count).fill(most)), end }
}

/** Of the values that are there; the levels only where one is not. */
function present(definition: Uint8Array | undefined, most: number, entries: number) {
  if (definition === undefined) return { count: entries }
  let count = 0
  for (let i = 0; i < entries; i++) {
    const level = definition[i] as number
    if (level === most) count++
    else if (level > most) throw new DamagedPage(`a level of ${level}`)
  }
  return count === entries ? { count } : { count, definition }
}

function plainPage(stored: Uint8Array, plainBytes: number, decompress: Decompress): Uint8Array {
  let plain: Uint8Array
  try {
    plain = decompress(stored, plainBytes)
  } catch (error) {
    throw new DamagedPage(`it does not decompress: ${error instanceof Error ? error.message : String(error)}`)
  }
  if (plain.length !== plainBytes) throw new DamagedPage(`it has ${plain.length} bytes instead of ${plainBytes}`)
  return plain
}

/** Values with nulls among them do not stay where they are decoded. */
const ownRoom: Room = (bytes) => new Uint8Array(bytes)

export function readDictionary(leaf: Leaf, header: PageHeader, stored: Uint8Array, decompress: Decompress): Values {
  const values = plainValues(leaf, plainPage(stored, header.plainBytes, decompress), 0, header.values)
  // Memory of its own begins where a word does.
  return { ...values, bytes: values.bytes.slice() }
}

export function readData(
  leaf: Leaf,
  header: PageHeader,
  stored: Uint8Array,
  decompress: Decompress,
  dictionary: Values | undefined,
  room: Room = ownRoom,
): PageData {
  const { maxDefinition, maxRepetition } = leaf
  const { values: entries, encoding } = header
  if (header.kind === 'data') {
    const page = plainPage(stored, header.plainBytes, decompress)
    const rows = repetitionLevels(page, maxRepetition, entries)
    const there = measuredLevels(page, rows.end, maxDefinition, entries)
    const { count, ...definition } = present(there.levels, maxDefinition, entries)
    const values = readValues(leaf, encoding, page, there.end, count, dictionary, count === entries ? room : ownRoom)
    return { entries, values, ...(rows.levels && { repetition: rows.levels }), ...definition }
  }
  const { repetitionBytes, definitionBytes } = header
  const levelBytes = repetitionBytes + definitionBytes
  const repetition = maxRepetition > 0 && readLevels(stored, 0, repetitionBytes, maxRepetition, entries)
  const levels = maxDefinition > 0 ? readLevels(stored, repetitionBytes, levelBytes, maxDefinition, entries) : undefined
  const { count, ...definition } = present(levels, maxDefinition, entries)
  const rest = stored.subarray(levelBytes)
  const plainBytes = header.plainBytes - levelBytes
  const page = header.compressed && plainBytes > 0 ? plainPage(rest, plainBytes, decompress) : rest
  const values = readValues(leaf, encoding, page, 0, count, dictionary, count === entries ? room : ownRoom)
  return { entries, values, ...(repetition && { repetition }), ...definition }
}
