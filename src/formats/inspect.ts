import { codecOf, openText } from './csv/codec.ts'
import { imageType } from './image-type.ts'
import { recordFormat } from './records.ts'
import { beginsFrame } from './tfrecord/frame.ts'
import type { ByteSource, FormatName, InspectedPart, Inspection } from './types.ts'
import { zipMembers } from './zip/directory.ts'

/** Opens what lies beside a file under its name and a suffix; undefined where nothing does. */
export type Beside = (suffix: string) => Promise<ByteSource | undefined>

/** Enough for every mark that a format has, and for a look at text. */
const HEAD_BYTES = 4096
/** HDF5's signature may also stand at 512, 1024 and so on, behind what a user put before it. */
const HDF5_OFFSETS = [0, 512, 1024, 2048]
/** Members of an archive that are named. */
const SHOWN = 64

const NOTHING_BESIDE: Beside = async () => undefined

/** What a file is, by its content and not its name. E_CORRUPT where it is a damaged one of what it begins as. */
export async function inspect(source: ByteSource, beside: Beside = NOTHING_BESIDE): Promise<Inspection> {
  if (source.size === 0) return plain('empty')
  const head = await source.read(0, Math.min(source.size, HEAD_BYTES))
  const name = (await markedFormat(source, head)) ?? textFormat(source, head)
  if (name !== undefined) return inspectAs(name, source)
  const [offsets, sizes] = [await beside('.off.idx'), await beside('.sz.idx')]
  if (offsets !== undefined && sizes !== undefined)
    return inspectAs('indexed_binary', source, async (i) => (i === 0 ? offsets : sizes))
  const picture = imageType(head)
  if (picture !== undefined) return plain(`${picture} picture`, source)
  return inspectPacked(source, head)
}

function plain(format: string, source?: ByteSource, codec?: string): Inspection {
  const parts: InspectedPart[] =
    source === undefined ? [] : [{ name: 'file', type: 'bytes', offset: 0, storedBytes: source.size }]
  return { format, ...(codec !== undefined && { codec }), parts, partCount: parts.length }
}

async function inspectAs(
  name: FormatName,
  source: ByteSource,
  sidecar?: (i: number) => Promise<ByteSource>,
): Promise<Inspection> {
  const format = await recordFormat(name)
  if (format.inspect !== undefined) return format.inspect(source, sidecar)
  const reader = await format.open(source, undefined, sidecar)
  const { samples, shape, dtype } = reader
  await reader.close()
  return { format: name, records: samples, shape, dtype, parts: [], partCount: 0 }
}

const begins = (bytes: Uint8Array, offset: number, text: string) =>
  Buffer.from(bytes.subarray(offset, offset + text.length)).toString('latin1') === text

/** Formats that say what they are. */
async function markedFormat(source: ByteSource, head: Uint8Array): Promise<FormatName | undefined> {
  if (begins(head, 0, '\x93NUMPY')) return 'npy'
  if (HDF5_OFFSETS.some((offset) => begins(head, offset, '\x89HDF\r\n\x1a\n'))) return 'hdf5'
  if (begins(head, 0, 'PAR1')) return 'parquet'
  if (beginsFrame(head)) return 'tfrecord'
  const picture = imageType(head)
  if (picture === 'jpeg' || picture === 'png') return picture
  if (!begins(head, 0, 'PK\x03\x04') && !begins(head, 0, 'PK\x05\x06')) return undefined
  return (await zipMembers(source)).some(({ name }) => name.endsWith('.npy')) ? 'npz' : undefined
}

/** Rows of numbers, or the number that a synthetic file is. */
function textFormat(source: ByteSource, head: Uint8Array): FormatName | undefined {
  const text = Buffer.from(head).toString('latin1')
  if (/^\d{1,10}\s*$/.test(text) && source.size === head.length) return 'synthetic'
  return isNumbers(text) ? 'csv' : undefined
}

function isNumbers(text: string): boolean {
  return /^[-+\d.]/.test(text) && /^(?:[-+\d.eE,\r\n]|nan|inf)+$/.test(text.replace(/(?:n|na|i|in)$/, ''))
}

/** What is packed, or has no format that is known here. */
async function inspectPacked(source: ByteSource, head: Uint8Array): Promise<Inspection> {
  const codec = codecOf(head, source.name)
  if (codec === 'none') {
    const index = /^\d+ \d+\r?\n/.test(Buffer.from(head.subarray(0, 64)).toString('latin1'))
    return plain(index ? 'index of a tfrecord file' : 'unknown', source)
  }
  if (codec === 'zip') {
    const members = await zipMembers(source)
    if (members.length !== 1) {
      const parts = members.slice(0, SHOWN).map(({ name, size, storedSize, headerOffset }) => ({
        name,
        type: 'bytes',
        offset: headerOffset,
        storedBytes: storedSize,
        ...(size !== storedSize && { bytes: size, codec: 'deflate' }),
      }))
      return { format: 'zip', parts, partCount: members.length }
    }
  }
  const text = await openText(source, codec)
  try {
    const first = await text.next()
    if (first !== undefined && isNumbers(Buffer.from(first.subarray(0, HEAD_BYTES)).toString('latin1')))
      return await inspectAs('csv', source)
  } finally {
    text.close()
  }
  return plain('unknown', source, codec)
}
