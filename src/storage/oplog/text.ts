import { createReadStream, type ReadStream } from 'node:fs'
import { TextDecoder } from 'node:util'
import { createGunzip } from 'node:zlib'
import { HeadraceError } from '../../errors.ts'
import { zstdDecompressor } from '../../zstd.ts'
import { closeDescriptor, openDescriptor, READ_FLAGS, readInto } from '../file/descriptor.ts'

/** Read from the file at once. */
const PIECE = 64 * 1024
/** Given to the decompressor at once: a bomb of 1 KiB stands for ten MB or so. */
const COMPRESSED_PIECE = 1024

type Compression = 'none' | 'gzip' | 'zstd'

/** By the first bytes: names lie. Frames of zstd may begin with one to be skipped. */
function compressionOf(head: Uint8Array): Compression {
  const [a, b, c, d] = head
  if (a === 0x1f && b === 0x8b) return 'gzip'
  const zstd =
    (a === 0x28 && b === 0xb5 && c === 0x2f && d === 0xfd) ||
    ((a ?? 0) >> 4 === 5 && b === 0x2a && c === 0x4d && d === 0x18)
  return zstd ? 'zstd' : 'none'
}

/** What a file says, decompressed, in pieces. `cutOff`: the compressed data ended early; what there was has been given. */
export interface TextPiece {
  readonly text: string
  readonly cutOff?: boolean
}

async function headOf(path: string): Promise<Uint8Array> {
  const fd = await openDescriptor(path, READ_FLAGS)
  try {
    const head = new Uint8Array(4)
    return head.subarray(0, await readInto(fd, head, 0))
  } finally {
    await closeDescriptor(fd)
  }
}

/** Reads a text file, plain or compressed with gzip or zstd, with bounded memory. System errors come as they are. */
export async function* readText(path: string): AsyncGenerator<TextPiece> {
  const compression = compressionOf(await headOf(path))
  const file = createReadStream(path, { highWaterMark: PIECE })
  const decoder = new TextDecoder()
  try {
    if (compression === 'zstd') yield* unzstd(path, file, decoder)
    else if (compression === 'gzip') yield* gunzip(path, file, decoder)
    else
      for await (const piece of file as AsyncIterable<Uint8Array>)
        yield { text: decoder.decode(piece, { stream: true }) }
  } finally {
    file.destroy()
  }
  const rest = decoder.decode()
  if (rest !== '') yield { text: rest }
}

function corrupt(path: string, cause: unknown): HeadraceError {
  const reason = cause instanceof Error ? cause.message : String(cause)
  return new HeadraceError('E_CORRUPT', `${path}: ${reason}`, { path, cause })
}

async function* unzstd(path: string, file: AsyncIterable<Uint8Array>, decoder: TextDecoder): AsyncGenerator<TextPiece> {
  let texts: string[] = []
  const stream = await zstdDecompressor((piece) => texts.push(decoder.decode(piece, { stream: true })))
  for await (const piece of file)
    for (let at = 0; at < piece.length; at += COMPRESSED_PIECE) {
      try {
        stream.push(piece.subarray(at, at + COMPRESSED_PIECE))
      } catch (error) {
        throw corrupt(path, error)
      }
      for (const text of texts) yield { text }
      texts = []
    }
  try {
    stream.end()
  } catch {
    yield { text: '', cutOff: true }
  }
}

async function* gunzip(path: string, file: ReadStream, decoder: TextDecoder): AsyncGenerator<TextPiece> {
  const stream = createGunzip()
  file.on('error', (error) => stream.destroy(error))
  try {
    for await (const piece of file.pipe(stream) as AsyncIterable<Uint8Array>)
      yield { text: decoder.decode(piece, { stream: true }) }
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException
    if (!code.startsWith('Z_')) throw error
    // "unexpected end of file"
    if (code !== 'Z_BUF_ERROR') throw corrupt(path, error)
    yield { text: '', cutOff: true }
  } finally {
    stream.destroy()
  }
}
