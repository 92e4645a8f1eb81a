import { HeadraceError } from '../../errors.ts'
import { corrupt } from '../layout.ts'
import type { ByteSource } from '../types.ts'
import {
  CENTRAL_BYTES,
  CENTRAL_SIGNATURE,
  DEFLATED,
  END_BYTES,
  END_SIGNATURE,
  END64_BYTES,
  END64_SIGNATURE,
  LIMIT16,
  LIMIT32,
  LOCAL_BYTES,
  LOCAL_SIGNATURE,
  LOCATOR64_BYTES,
  LOCATOR64_SIGNATURE,
  STORED,
  ZIP64_FIELD,
} from './headers.ts'

/** A member of an archive, as its directory says. */
export interface ZipMember {
  readonly name: string
  readonly method: typeof STORED | typeof DEFLATED
  readonly crc: number
  /** Bytes, unpacked. */
  readonly size: number
  /** Bytes in the archive. */
  readonly storedSize: number
  /** Of its local header. */
  readonly headerOffset: number
}

/** 4 KiB hold the directory of every archive with a few members and no comment. */
const TAIL_BYTES = 4096
/** The end record and the longest comment. */
const MAX_TAIL_BYTES = END_BYTES + LIMIT16
/** 16 MiB: some 200,000 members. What is read here has a handful. */
const MAX_DIRECTORY_BYTES = 16 * 2 ** 20

interface Place {
  readonly entries: number
  readonly offset: number
  readonly size: number
}

const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.length)

/** A 64-bit number that a double holds; E_CORRUPT otherwise. */
function wide(view: DataView, at: number, file: string, offset: number): number {
  const value = Number(view.getBigUint64(at, true))
  if (!Number.isSafeInteger(value)) throw corrupt(file, `a zip record says ${value} bytes`, { offset })
  return value
}

/** The last end record whose comment ends with the file. */
function findEnd(tail: Uint8Array): number {
  const view = viewOf(tail)
  for (let at = tail.length - END_BYTES; at >= 0; at--)
    if (view.getUint32(at, true) === END_SIGNATURE && at + END_BYTES + view.getUint16(at + 20, true) === tail.length)
      return at
  return -1
}

async function directoryPlace(source: ByteSource): Promise<Place> {
  let tail = new Uint8Array(0)
  let at = -1
  for (const most of [TAIL_BYTES, MAX_TAIL_BYTES]) {
    const length = Math.min(most, source.size)
    if (at >= 0 || length === tail.length) break
    tail = new Uint8Array(await source.read(source.size - length, length))
    at = findEnd(tail)
  }
  if (at < 0) throw corrupt(source.name, 'a zip archive without the record that it ends with', { offset: source.size })
  const view = viewOf(tail)
  const place = {
    entries: view.getUint16(at + 10, true),
    size: view.getUint32(at + 12, true),
    offset: view.getUint32(at + 16, true),
  }
  const end = source.size - tail.length + at
  if (place.entries !== LIMIT16 && place.size !== LIMIT32 && place.offset !== LIMIT32) return place
  return (await place64(source, end)) ?? place
}

async function place64(source: ByteSource, end: number): Promise<Place | undefined> {
  const { name } = source
  if (end < LOCATOR64_BYTES) return undefined
  const locator = viewOf(await source.read(end - LOCATOR64_BYTES, LOCATOR64_BYTES))
  if (locator.getUint32(0, true) !== LOCATOR64_SIGNATURE) return undefined
  const at = wide(locator, 8, name, end - LOCATOR64_BYTES)
  const record = viewOf(await source.read(at, END64_BYTES))
  if (record.getUint32(0, true) !== END64_SIGNATURE)
    throw corrupt(name, 'a zip archive without its ZIP64 record', { offset: at })
  return {
    entries: wide(record, 32, name, at),
    size: wide(record, 40, name, at),
    offset: wide(record, 48, name, at),
  }
}

/** The members of an archive, in the order of its directory. E_CORRUPT, E_UNSUPPORTED. */
export async function zipMembers(source: ByteSource): Promise<readonly ZipMember[]> {
  const { name: file } = source
  const { entries, size, offset } = await directoryPlace(source)
  if (size > MAX_DIRECTORY_BYTES)
    throw new HeadraceError(
      'E_UNSUPPORTED',
      `${file}: a zip directory of ${size} bytes (at most ${MAX_DIRECTORY_BYTES})`,
    )
  const bytes = await source.read(offset, size)
  const members: ZipMember[] = []
  let at = 0
  for (let i = 0; i < entries; i++) {
    const { member, length } = memberAt(bytes, at, file, offset)
    members.push(member)
    at += length
  }
  return members
}

function memberAt(bytes: Uint8Array, at: number, file: string, base: number): { member: ZipMember; length: number } {
  const view = viewOf(bytes)
  const damage = { offset: base + at }
  if (at + CENTRAL_BYTES > bytes.length || view.getUint32(at, true) !== CENTRAL_SIGNATURE)
    throw corrupt(file, 'the zip directory has fewer members than it says', damage)
  const nameLength = view.getUint16(at + 28, true)
  const extraLength = view.getUint16(at + 30, true)
  const length = CENTRAL_BYTES + nameLength + extraLength + view.getUint16(at + 32, true)
  if (at + length > bytes.length) throw corrupt(file, 'a member of the zip directory is cut short', damage)
  const name = new TextDecoder().decode(bytes.subarray(at + CENTRAL_BYTES, at + CENTRAL_BYTES + nameLength))
  if ((view.getUint16(at + 8, true) & 1) !== 0)
    throw new HeadraceError('E_UNSUPPORTED', `${file}: ${JSON.stringify(name)} is encrypted`, { path: file })
  const method = view.getUint16(at + 10, true)
  if (method !== STORED && method !== DEFLATED)
    throw new HeadraceError('E_UNSUPPORTED', `${file}: ${JSON.stringify(name)} is packed by zip's method ${method}`, {
      path: file,
      hint: 'stored and deflated members are read',
    })
  // In this order, those that the 32-bit fields have no room for.
  const values = [view.getUint32(at + 24, true), view.getUint32(at + 20, true), view.getUint32(at + 42, true)]
  if (values.includes(LIMIT32)) {
    const start = at + CENTRAL_BYTES + nameLength
    const field = extraField(bytes.subarray(start, start + extraLength))
    let next = 0
    values.forEach((value, i) => {
      if (value !== LIMIT32 || field === undefined) return
      if (next + 8 > field.byteLength) throw corrupt(file, `${JSON.stringify(name)} has no ZIP64 sizes`, damage)
      values[i] = wide(field, next, file, damage.offset)
      next += 8
    })
  }
  const [size = 0, storedSize = 0, headerOffset = 0] = values
  if (method === STORED && size !== storedSize)
    throw corrupt(file, `${JSON.stringify(name)} is stored, but of two sizes: ${size} and ${storedSize}`, damage)
  return { member: { name, method, crc: view.getUint32(at + 16, true), size, storedSize, headerOffset }, length }
}

function extraField(extra: Uint8Array): DataView | undefined {
  const view = viewOf(extra)
  for (let at = 0; at + 4 <= extra.length; ) {
    const length = view.getUint16(at + 2, true)
    if (view.getUint16(at, true) === ZIP64_FIELD)
      return viewOf(extra.subarray(at + 4, Math.min(extra.length, at + 4 + length)))
    at += 4 + length
  }
  return undefined
}

/** Where a member's data begin. E_CORRUPT where they do not lie in the archive. */
export async function dataOffset(source: ByteSource, member: ZipMember): Promise<number> {
  const at = member.headerOffset
  const header = viewOf(await source.read(at, LOCAL_BYTES))
  if (header.getUint32(0, true) !== LOCAL_SIGNATURE)
    throw corrupt(source.name, `${JSON.stringify(member.name)} does not lie where the zip directory says`, {
      offset: at,
    })
  const start = at + LOCAL_BYTES + header.getUint16(26, true) + header.getUint16(28, true)
  if (start + member.storedSize > source.size)
    throw corrupt(source.name, `${JSON.stringify(member.name)} ends behind the end of the archive`, { offset: start })
  return start
}
