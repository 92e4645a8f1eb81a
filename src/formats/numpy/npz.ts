import { integersOf, itemSize, viewOf } from '../../dtype.ts'
import { HeadraceError } from '../../errors.ts'
import { checkLayout, refuseOptions } from '../layout.ts'
import { npyHeader } from '../npy.ts'
import type {
  ByteSink,
  ByteSource,
  Content,
  FileLayout,
  InspectedPart,
  Inspection,
  RecordFormat,
  RecordReader,
} from '../types.ts'
import { zipMembers } from '../zip/directory.ts'
import { localHeader, STORED } from '../zip/headers.ts'
import { type MemberBytes, openMember, storedMember } from '../zip/member.ts'
import { type MemberFill, piecesOf, storedArchiveBytes, ZipWriter } from '../zip/writer.ts'
import { arrayBytes, arrayHeader, type RecordArray, readArray } from './array.ts'
import { ArrayReader } from './reader.ts'
import { interleaved } from './sample-last.ts'

/** The records, and DLIO's labels: int64 zeros. */
const RECORDS = 'x.npy'
const LABELS = 'y.npy'
const LABEL_BYTES = 8
/** 1 GiB: labels are in memory as a whole. */
const MAX_LABEL_BYTES = 2 ** 30

/** DLIO's .npz files: a zip of the arrays `x`, the samples on its last axis, and `y`. */
export const npz: RecordFormat = {
  name: 'npz',
  sidecars: [],

  fileBytes(layout: FileLayout): number | undefined {
    check(layout)
    return layout.options.compression === 'zip' ? undefined : expectationOf(layout).fileBytes
  },

  async write(sink: ByteSink, layout: FileLayout, content: Content): Promise<void> {
    check(layout)
    const { compression, compressionLevel, zip64 } = layout.options
    const zip = new ZipWriter(sink, zip64 !== 'needed')
    const record = (sample: number, offset: number, target: Uint8Array) => content.fill(sample, offset, target)
    const fill = interleaved(record, layout.samples, itemSize(layout.dtype))
    const zeros: MemberFill = (_, target) => target.fill(0)
    for (const [name, header, bytes, data] of [
      [RECORDS, arrayHeader('npz', layout), arrayBytes(layout), fill],
      [LABELS, labelHeader(layout), LABEL_BYTES * layout.samples, zeros],
    ] as const) {
      const whole = behind(header, data)
      if (compression === 'zip') await zip.deflated(name, piecesOf(header.length + bytes, whole), compressionLevel)
      else await zip.stored(name, header.length + bytes, whole)
    }
    await zip.end()
  },

  async open(source: ByteSource, layout?: FileLayout): Promise<RecordReader> {
    const expected = await expectedRecords(source, layout)
    if (expected !== undefined) return expected
    const member = await openMember(source, await recordsMember(source))
    const array = await readArray(member, member.size, source.name)
    return readerOf(source, array, member)
  },

  async inspect(source: ByteSource): Promise<Inspection> {
    const members = await zipMembers(source)
    const parts: InspectedPart[] = []
    for (const member of members.slice(0, SHOWN)) {
      const bytes = await openMember(source, member)
      const part = { name: member.name, offset: bytes.offset, storedBytes: member.storedSize, bytes: member.size }
      const codec = member.method === STORED ? {} : { codec: 'deflate' }
      if (member.name.endsWith('.npy')) {
        const { samples, shape, dtype } = await readArray(bytes, bytes.size, source.name)
        parts.push({ ...part, type: dtype, shape: [...shape, samples], ...codec })
      } else parts.push({ ...part, type: 'bytes', ...codec })
      bytes.close()
    }
    const records = parts.find(({ name }) => name === RECORDS)
    return {
      format: 'npz',
      ...(members.some(({ method }) => method !== STORED) && { codec: 'deflate' }),
      ...(records?.shape !== undefined && {
        records: records.shape.at(-1) ?? 0,
        shape: records.shape.slice(0, -1),
        dtype: records.type as RecordReader['dtype'],
      }),
      parts,
      partCount: members.length,
    }
  },
}

/** Members that an inspection opens. */
const SHOWN = 64

function check(layout: FileLayout): void {
  const { options } = layout
  refuseOptions('npz', options, ['compression', 'compressionLevel', 'zip64'])
  if (options.compression !== undefined && options.compression !== 'none' && options.compression !== 'zip')
    throw new HeadraceError('E_CONFIG', `npz files are compressed by zip, not by ${options.compression}`)
  checkLayout('npz', layout)
}

function labelHeader({ samples }: FileLayout): Uint8Array {
  return npyHeader('<i8', [samples])
}

/** The bytes of a header and what stands behind it. */
function behind(header: Uint8Array, fill: MemberFill): MemberFill {
  return (offset, target) => {
    const known = header.subarray(offset, offset + target.length)
    target.set(known)
    const rest = target.subarray(known.length)
    if (rest.length > 0) fill(Math.max(0, offset - header.length), rest)
  }
}

async function recordsMember(source: ByteSource) {
  const members = await zipMembers(source)
  const found = members.find(({ name }) => name === RECORDS)
  if (found !== undefined) return found
  const names = members.slice(0, 5).map(({ name }) => name.replace(/\.npy$/, ''))
  throw new HeadraceError('E_UNSUPPORTED', `${source.name} has no array x; it has ${names.join(', ') || 'none'}`, {
    path: source.name,
  })
}

function readerOf(source: ByteSource, array: RecordArray, member: MemberBytes): RecordReader {
  member.beginsWith(array.header)
  const labels = () => labelsIn(source, array.samples)
  return new ArrayReader(source.name, array, member, () => member.close(), labels)
}

/** `y`, where it is a whole number a sample. */
async function labelsIn(source: ByteSource, samples: number): Promise<BigInt64Array | undefined> {
  const found = (await zipMembers(source)).find(({ name }) => name === LABELS)
  if (found === undefined || found.size > MAX_LABEL_BYTES) return undefined
  const member = await openMember(source, found)
  try {
    const { shape, dtype, samples: count, header } = await readArray(member, member.size, source.name)
    if (shape.length > 0 || count !== samples || integersOf(dtype) === undefined) return undefined
    const bytes = new Uint8Array(count * itemSize(dtype))
    member.beginsWith(header)
    await member.read(header.length, bytes)
    return BigInt64Array.from(viewOf(dtype, bytes.buffer, 0, count), BigInt)
  } finally {
    member.close()
  }
}

/**
 * The array of a file that is to the byte as long as it must be and begins as it must: one read tells, where the
 * directory at the end would cost another.
 */
async function expectedRecords(source: ByteSource, layout: FileLayout | undefined): Promise<RecordReader | undefined> {
  if (layout === undefined || layout.options.compression === 'zip') return undefined
  const { fileBytes, begins, header, size } = expectationOf(layout)
  if (fileBytes !== source.size) return undefined
  const found = await source.read(0, begins.length)
  const crc = new DataView(found.buffer, found.byteOffset).getUint32(CRC_OFFSET, true)
  begins.writeUInt32LE(crc, CRC_OFFSET)
  if (Buffer.compare(found, begins) !== 0) return undefined
  const entry = { name: RECORDS, method: STORED, crc, size, storedSize: size, headerOffset: 0 } as const
  const { samples, shape, dtype } = layout
  const member = storedMember(source, entry, begins.length - header.length)
  return readerOf(source, { samples, shape, dtype, header }, member)
}

/** What a file of a layout must be, where nothing is packed. */
interface Expectation {
  readonly key: string
  readonly fileBytes: number
  /** Its first bytes, up to the elements of `x`, with any checksum. */
  readonly begins: Buffer
  /** NumPy's, of `x`. */
  readonly header: Uint8Array
  /** Bytes of the member `x`. */
  readonly size: number
}

/** Of the layout that was last asked for: files of one set mostly have one. */
let expected: Expectation | undefined

function expectationOf(layout: FileLayout): Expectation {
  const { samples, shape, dtype, options } = layout
  const zip64 = options.zip64 !== 'needed'
  const key = `${samples} ${shape.join()} ${dtype} ${zip64}`
  if (expected?.key === key) return expected
  const header = arrayHeader('npz', layout)
  const size = header.length + arrayBytes(layout)
  const labels = labelHeader(layout).length + LABEL_BYTES * samples
  const fileBytes = storedArchiveBytes(
    [
      { name: RECORDS, size },
      { name: LABELS, size: labels },
    ],
    zip64,
  )
  const entry = { name: RECORDS, method: STORED, flags: 0, crc: 0, size, storedSize: size, offset: 0, zip64 } as const
  expected = { key, fileBytes, begins: Buffer.concat([localHeader(entry), header]), header, size }
  return expected
}

/** Of the checksum in a local header. */
const CRC_OFFSET = 14
