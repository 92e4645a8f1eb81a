import { HeadraceError } from './errors.ts'

/**
 * Zstandard (RFC 8878), loaded at first use. Node.js has it from version 22.15 on only. Checksums of frames are not
 * looked at.
 */

/** As fast as any, and logs shrink to an eighth. */
const LEVEL = 1
/** 32 MiB: `zstd --ultra` needs 128 MiB, everything below 8. The memory of a window is taken, and moved for every block. */
const MAX_WINDOW = 2 ** 25

/** A second `init` would pull the memory from under a compression that is under way. */
let compressor: Promise<(piece: Uint8Array) => Uint8Array> | undefined

/** Makes frames of their own from pieces: what one after the other gives is a file of zstd. */
export function zstdCompressor(): Promise<(piece: Uint8Array) => Uint8Array> {
  compressor ??= (async () => {
    const { init, compress } = await import('@bokuweb/zstd-wasm')
    await init()
    return (piece: Uint8Array) => compress(piece, LEVEL)
  })()
  return compressor
}

const corrupt = (reason: string, cause?: unknown) =>
  new HeadraceError('E_CORRUPT', `not zstd, or damaged: ${reason}`, cause === undefined ? {} : { cause })

/** Follows the headers of frames and blocks and says nothing unless a window is too large. */
class WindowGuard {
  #state: 'frame' | 'block' | 'checksum' = 'frame'
  /** The header that is being read, and how long it is as far as is known. */
  #header: number[] = []
  /** Bytes until the next header. */
  #skip = 0
  #hasChecksum = false

  push(piece: Uint8Array): void {
    for (let at = 0; at < piece.length; ) {
      if (this.#skip > 0) {
        const step = Math.min(this.#skip, piece.length - at)
        this.#skip -= step
        at += step
        continue
      }
      this.#header.push(piece[at++] as number)
      if (this.#state === 'block') this.#block()
      else this.#frame()
    }
  }

  #frame(): void {
    const header = this.#header
    if (header.length < 8) {
      // The shortest frame header has 6 bytes, and a block of 3 follows it.
      return
    }
    const [a = 0, , , , descriptor = 0, window = 0] = header
    if (a >> 4 === 5) {
      this.#header = []
      this.#skip = numberOf(header, 4, 4)
      return
    }
    const single = (descriptor >> 5) & 1
    const dictionary = [0, 1, 2, 4][descriptor & 3] as number
    const sizeFlag = descriptor >> 6
    const sizeBytes = sizeFlag === 0 ? single : 1 << sizeFlag
    const length = 6 - single + dictionary + sizeBytes
    if (header.length < length) return
    const size = numberOf(header, length - sizeBytes, sizeBytes) + (sizeFlag === 1 ? 256 : 0)
    const base = 2 ** (10 + (window >> 3))
    const needed = single === 1 ? size : base + (base / 8) * (window & 7)
    if (needed > MAX_WINDOW) throw corrupt(`a window of ${needed} bytes, where ${MAX_WINDOW} are allowed`)
    this.#hasChecksum = (descriptor & 4) !== 0
    this.#state = 'block'
    const rest = header.slice(length)
    this.#header = []
    for (const byte of rest) this.push(Uint8Array.of(byte))
  }

  #block(): void {
    if (this.#header.length < 3) return
    const value = numberOf(this.#header, 0, 3)
    const last = (value & 1) === 1
    // A run of one byte is stored as that byte.
    this.#skip = ((value >> 1) & 3) === 1 ? 1 : value >> 3
    this.#header = []
    if (!last) return
    this.#state = 'frame'
    if (this.#hasChecksum) this.#skip += 4
  }
}

/** Little-endian. */
function numberOf(bytes: readonly number[], at: number, length: number): number {
  let value = 0
  for (let i = length - 1; i >= 0; i--) value = value * 256 + (bytes[at + i] ?? 0)
  return value
}

/** Pieces are handed on as soon as they are whole, 128 KiB at most. */
export interface ZstdDecompressor {
  /** E_CORRUPT for what is not zstd. */
  push(piece: Uint8Array): void
  /** E_CORRUPT where the last frame is not whole. */
  end(): void
}

/**
 * Decompresses frame after frame. Memory is bounded by the window of a frame (32 MiB; larger ones are E_CORRUPT). A few
 * bytes can stand for 128 KiB: who pushes bounds how much comes at once.
 */
export async function zstdDecompressor(onPiece: (piece: Uint8Array) => void): Promise<ZstdDecompressor> {
  const { Decompress } = await import('fzstd')
  const guard = new WindowGuard()
  let refused: unknown
  const stream = new Decompress((piece) => {
    try {
      onPiece(piece)
    } catch (error) {
      refused = error
      throw error
    }
  })
  const push = (piece: Uint8Array, last: boolean) => {
    guard.push(piece)
    try {
      stream.push(piece, last)
    } catch (error) {
      if (refused !== undefined) throw refused
      throw corrupt(error instanceof Error ? error.message : String(error), error)
    }
  }
  return {
    push: (piece) => push(piece, false),
    end: () => push(new Uint8Array(), true),
  }
}
