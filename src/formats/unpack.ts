import { pipeline, Readable } from 'node:stream'
import { createGunzip, createInflate } from 'node:zlib'
import { HeadraceError } from '../errors.ts'
import { zstdDecompressor } from '../zstd.ts'
import { corrupt } from './layout.ts'
import type { ByteSource } from './types.ts'

/** How a whole file is compressed. */
export type Packing = 'none' | 'gzip' | 'zlib' | 'zstd'

/** 2 MiB a request, the next one of which is under way while one is unpacked. */
const PIECE = 2 * 2 ** 20
/** 256 KiB come out of zlib at once. */
const UNPACKED_PIECE = 256 * 1024
/** 4 KiB at once: a few bytes of zstd can stand for 128 KiB. */
const ZSTD_PIECE = 4096

/** By the first bytes of a file that is nothing else. */
export function packingOf(head: Uint8Array): Packing {
  const [a = 0, b = 0, c = 0, d = 0] = head
  if (a === 0x1f && b === 0x8b) return 'gzip'
  if (a === 0x28 && b === 0xb5 && c === 0x2f && d === 0xfd) return 'zstd'
  // deflate with a window of 32 KiB, and the header's check
  if (a === 0x78 && (a * 256 + b) % 31 === 0) return 'zlib'
  return 'none'
}

/** The bytes of a source in order, one read ahead. */
async function* pieces(source: ByteSource): AsyncGenerator<Uint8Array> {
  const readAt = (at: number): Promise<Uint8Array> | undefined => {
    if (at >= source.size) return undefined
    const reading = source.read(at, Math.min(PIECE, source.size - at))
    // An error is met when the piece is awaited, perhaps never.
    reading.catch(() => {})
    return reading
  }
  let at = 0
  for (let next = readAt(0); next !== undefined; ) {
    const piece = await next
    at += piece.length
    next = readAt(at)
    yield piece
  }
}

/**
 * The unpacked bytes of a source from its start, piece by piece; gzip members and zstd frames may follow each other. A
 * piece is the caller's. E_CORRUPT for what cannot be unpacked or ends early.
 */
export async function* unpackedPieces(source: ByteSource, packing: Packing): AsyncGenerator<Uint8Array> {
  try {
    if (packing === 'none') yield* pieces(source)
    else if (packing === 'zstd') yield* zstdPieces(source)
    else yield* zlibPieces(source, packing)
  } catch (error) {
    const ours = error instanceof HeadraceError
    if (ours && (error.code !== 'E_CORRUPT' || error.details.path !== undefined)) throw error
    const reason = error instanceof Error ? error.message : String(error)
    throw corrupt(source.name, `cannot be unpacked: ${reason}`, { cause: error })
  }
}

async function* zlibPieces(source: ByteSource, packing: 'gzip' | 'zlib'): AsyncGenerator<Uint8Array> {
  const options = { chunkSize: UNPACKED_PIECE }
  const stream = packing === 'gzip' ? createGunzip(options) : createInflate(options)
  pipeline(Readable.from(pieces(source)), stream, () => {})
  for await (const piece of stream) yield piece as Buffer
}

async function* zstdPieces(source: ByteSource): AsyncGenerator<Uint8Array> {
  const out: Uint8Array[] = []
  const stream = await zstdDecompressor((piece) => void out.push(piece.slice()))
  for await (const piece of pieces(source))
    for (let at = 0; at < piece.length; at += ZSTD_PIECE) {
      stream.push(piece.subarray(at, at + ZSTD_PIECE))
      yield* out.splice(0)
    }
  stream.end()
  yield* out.splice(0)
}
