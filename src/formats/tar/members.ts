import { HeadraceError } from '../../errors.ts'
import type { ForwardBytes } from '../forward.ts'
import { corrupt } from '../layout.ts'
import { BLOCK_BYTES, isTarHeader, isZero, readHeader, readRecords } from './header.ts'

/** A file in an archive. */
export interface TarMember {
  readonly name: string
  /** Of its first byte in the archive, and how many there are. */
  readonly offset: number
  readonly size: number
}

/** 1 MiB of an extended head: more describes no file. */
const MAX_EXTENDED = 2 ** 20
/** Bytes of a name; no system has longer paths. */
const MAX_NAME = 4096

const roundUp = (bytes: number): number => Math.ceil(bytes / BLOCK_BYTES) * BLOCK_BYTES

/** What an extended head says of the member behind it. */
interface Extension {
  readonly path?: string
  readonly size?: number
}

/**
 * The regular files of an archive in order, until its first block of zeros or its end. Directories, links and devices are
 * passed over. E_CORRUPT for what is damaged or cut off, E_UNSUPPORTED for sparse files.
 */
export async function* tarMembers(bytes: ForwardBytes, file: string): AsyncGenerator<TarMember> {
  let globally: Extension = {}
  let next: Extension = {}
  let offset = 0
  /** Where the bytes of the last member end. */
  let must = 0
  for (;;) {
    const block = await bytes.read(offset, BLOCK_BYTES)
    if (bytes.end !== undefined && bytes.end < must)
      throw corrupt(file, `the archive ends at ${bytes.end}, within a member`, { offset: must })
    if (block.length === 0 || (block.length === BLOCK_BYTES && isZero(block))) return bytes.finish()
    if (!isTarHeader(block)) throw corrupt(file, 'it is no tar archive, or damaged', { offset })
    const header = readHeader(block)
    const { type } = header
    const data = offset + BLOCK_BYTES
    const size = 'xgLK'.includes(type) ? header.size : (next.size ?? globally.size ?? header.size)
    if (!Number.isSafeInteger(size) || !Number.isSafeInteger(data + size))
      throw corrupt(file, 'a member has no size', { offset })
    must = data + size
    if (type === 'x' || type === 'g') {
      const told = readExtension(await extended(bytes, file, data, size), file, data)
      if (type === 'g') globally = { ...globally, ...told }
      else next = { ...next, ...told }
    } else if (type === 'L') {
      const name = Buffer.from(await extended(bytes, file, data, size)).toString('utf8')
      next = { path: name.replace(/\0.*$/s, ''), ...next }
    } else if (type !== 'K') {
      if (type === 'S') throw sparse(file, header.name)
      const name = next.path ?? globally.path ?? header.name
      if (Buffer.byteLength(name) > MAX_NAME)
        throw new HeadraceError(
          'E_LIMIT',
          `${file}: a name of ${Buffer.byteLength(name)} bytes (at most ${MAX_NAME})`,
          {
            path: file,
            offset,
          },
        )
      next = {}
      if (type === '0' || type === '7') yield { name, offset: data, size }
    }
    offset = data + (hasData(type) ? roundUp(size) : 0)
    if (!hasData(type)) must = data
  }
}

/** Links, devices, directories and pipes have a size at most, no bytes. */
function hasData(type: string): boolean {
  return !'123456'.includes(type)
}

async function extended(bytes: ForwardBytes, file: string, offset: number, size: number): Promise<Uint8Array> {
  if (size > MAX_EXTENDED)
    throw new HeadraceError('E_LIMIT', `${file}: an extended head of ${size} bytes (at most ${MAX_EXTENDED})`, {
      path: file,
      offset,
    })
  const read = await bytes.read(offset, size)
  if (read.length < size) throw corrupt(file, 'the archive ends within an extended head', { offset })
  return read
}

function readExtension(bytes: Uint8Array, file: string, offset: number): Extension {
  const records = readRecords(bytes)
  if (records === undefined) throw corrupt(file, 'an extended head is damaged', { offset })
  for (const name of records.keys()) if (name.startsWith('GNU.sparse.')) throw sparse(file, records.get('path') ?? name)
  const [path, size] = [records.get('path'), records.get('size')]
  if (size !== undefined && !/^\d{1,16}$/.test(size)) throw corrupt(file, 'a member has no size', { offset })
  return { ...(path !== undefined && { path }), ...(size !== undefined && { size: Number(size) }) }
}

function sparse(file: string, name: string): HeadraceError {
  return new HeadraceError('E_UNSUPPORTED', `${file}: ${name} is a sparse file, which is not read`, {
    path: file,
    hint: 'make the archive without --sparse',
  })
}
