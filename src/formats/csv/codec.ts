import { pipeline, Readable } from 'node:stream'
import { pipeline as pipelineDone } from 'node:stream/promises'
import { createGunzip, createGzip } from 'node:zlib'
import { HeadraceError } from '../../errors.ts'
import { corrupt } from '../layout.ts'
import { Pieces } from '../pieces.ts'
import type { ByteSink, ByteSource, Compression, FormatOptions } from '../types.ts'
import { zipMembers } from '../zip/directory.ts'
import { openMember } from '../zip/member.ts'
import { ZipWriter } from '../zip/writer.ts'
import { bunzip2Pieces } from './bunzip2.ts'
import { bzip2Pieces } from './bzip2.ts'

/** Compressions that a text may have; pandas knows xz too. */
export type Codec = Exclude<Compression, 'lzf' | 'xz'>

/** 256 KiB a read. */
const PIECE = 256 * 1024

/** Text from its start on: the next bytes, undefined at the end. */
export interface TextStream {
  next(): Promise<Uint8Array | undefined>
  close(): void
}

const begins = (bytes: Uint8Array, magic: readonly number[]) =>
  bytes.length >= magic.length && magic.every((byte, i) => bytes[i] === byte)

/** How a file is compressed, by its first bytes. E_UNSUPPORTED for xz. */
export function codecOf(bytes: Uint8Array, file: string): Codec {
  if (begins(bytes, [0x1f, 0x8b])) return 'gzip'
  if (begins(bytes, [0x50, 0x4b, 3, 4])) return 'zip'
  if (begins(bytes, [0x42, 0x5a, 0x68])) return 'bz2'
  if (!begins(bytes, [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0])) return 'none'
  throw new HeadraceError('E_UNSUPPORTED', `${file} is compressed by xz, which is not read`, { path: file })
}

/** E_CONFIG for what cannot be written. */
export function checkCodec({ compression = 'none' }: FormatOptions): Codec {
  if (compression !== 'lzf' && compression !== 'xz') return compression
  throw new HeadraceError('E_CONFIG', `csv files are compressed by gzip, bz2 or zip, not by ${compression}`)
}

/** The bytes of a source in order. */
function* pieces(source: ByteSource): Generator<Promise<Uint8Array>> {
  for (let at = 0; at < source.size; at += PIECE) yield source.read(at, Math.min(PIECE, source.size - at))
}

function streamOf(iterator: AsyncIterator<Uint8Array>, source: ByteSource): TextStream {
  return {
    next: async () => {
      try {
        const { done, value } = await iterator.next()
        return done === true ? undefined : value
      } catch (error) {
        if (error instanceof HeadraceError) throw error
        throw corrupt(source.name, `cannot be unpacked: ${(error as Error).message}`, { cause: error })
      }
    },
    close: () => {
      iterator.return?.().catch(() => {})
    },
  }
}

/** The text of a file from its start on. */
export async function openText(source: ByteSource, codec: Codec): Promise<TextStream> {
  switch (codec) {
    case 'gzip': {
      const gunzip = createGunzip({ chunkSize: PIECE })
      pipeline(Readable.from(pieces(source)), gunzip, () => {})
      return streamOf(gunzip[Symbol.asyncIterator]() as AsyncIterator<Buffer>, source)
    }
    case 'bz2':
      return streamOf(bunzip2Pieces(pieces(source), source.name), source)
    case 'zip':
      return zippedText(source)
    default:
      return streamOf(Readable.from(pieces(source))[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>, source)
  }
}

async function zippedText(source: ByteSource): Promise<TextStream> {
  const members = await zipMembers(source)
  const [member] = members
  if (member === undefined || members.length > 1)
    throw new HeadraceError('E_UNSUPPORTED', `${source.name} is a zip of ${members.length} files, not of one`, {
      path: source.name,
    })
  const bytes = await openMember(source, member)
  let at = 0
  return {
    next: async () => {
      if (at === bytes.size) return undefined
      const piece = new Uint8Array(Math.min(PIECE, bytes.size - at))
      await bytes.read(at, piece)
      at += piece.length
      return piece
    },
    close: () => bytes.close(),
  }
}

/** Writes a text; each piece of it is a new one. */
export async function writeText(
  sink: ByteSink,
  text: Iterable<Uint8Array>,
  { compressionLevel: level, ...options }: FormatOptions,
): Promise<void> {
  const codec = checkCodec(options)
  if (codec === 'zip') {
    const zip = new ZipWriter(sink, false)
    await zip.deflated(sink.name ?? 'data.csv', text, level)
    return zip.end()
  }
  const out = new Pieces(sink)
  if (codec === 'gzip')
    await pipelineDone(
      text,
      createGzip(level === undefined ? {} : { level }),
      async (packed: AsyncIterable<Buffer>) => {
        for await (const piece of packed) await out.put(piece)
      },
    )
  else for (const piece of codec === 'bz2' ? bzip2Pieces(text, level) : text) await out.put(piece)
  await out.end()
}
