import { type Cipher, createCipheriv } from 'node:crypto'
import { nonNegativeInteger } from './checks.ts'
import { highWord, lowWord } from './words.ts'

/** Every page of a body is told apart from every other, so that nothing is deduplicated: bytes. */
const PAGE = 4096
/** Of the number within a page: bytes. */
const STAMP = 8

/** Of AES. */
const CIPHER_BLOCK = 16
/** Enciphered at once: bytes. */
const STEP = 2 ** 20

/**
 * Bytes that no compressor makes smaller, piece by piece: a key stream of AES-128 in counter mode, the same for the same
 * key (16 bytes), from any offset on. Each piece is memory of its own.
 */
export class NoiseStream {
  readonly #cipher: Cipher
  readonly #zeros: Uint8Array

  constructor(key: Uint8Array, offset = 0, step: number = STEP) {
    const counter = new DataView(new ArrayBuffer(CIPHER_BLOCK))
    counter.setBigUint64(8, BigInt(Math.floor(offset / CIPHER_BLOCK)))
    this.#cipher = createCipheriv('aes-128-ctr', key, new Uint8Array(counter.buffer))
    this.#zeros = new Uint8Array(step)
    if (offset % CIPHER_BLOCK > 0) this.#cipher.update(new Uint8Array(offset % CIPHER_BLOCK))
  }

  /** At most `length` bytes, and at most a step. */
  next(length: number): Uint8Array {
    return this.#cipher.update(this.#zeros.subarray(0, length))
  }
}

/** Fills with bytes that no compressor makes smaller: a key stream of AES-128 in counter mode. The same for the same seed. */
export function fillNoise(bytes: Uint8Array, seed: number): void {
  nonNegativeInteger('seed', seed)
  const key = new DataView(new ArrayBuffer(16))
  key.setUint32(0, lowWord(seed))
  key.setUint32(4, highWord(seed))
  const noise = new NoiseStream(new Uint8Array(key.buffer), 0, Math.min(bytes.length, STEP))
  for (let at = 0; at < bytes.length; at += STEP) bytes.set(noise.next(bytes.length - at), at)
}

/**
 * Bodies of objects that nobody makes smaller, for next to nothing: one block of noise, with the object's number mixed
 * into every page of it. A pure function of seed, number and size. A body is valid until the next one is made.
 */
export class NoiseBody {
  readonly #block: Uint8Array
  readonly #view: DataView
  /** What the pages began with: two words each. */
  readonly #salts: Uint32Array

  /** `size`: of the largest body, bytes. */
  constructor(size: number, seed: number) {
    this.#block = new Uint8Array(Math.max(size, STAMP))
    fillNoise(this.#block, seed)
    this.#view = new DataView(this.#block.buffer)
    const pages = Math.max(1, Math.floor(this.#block.length / PAGE))
    this.#salts = Uint32Array.from({ length: 2 * pages }, (_, i) => this.#view.getUint32((i >> 1) * PAGE + 4 * (i & 1)))
  }

  /** Largest body, bytes. */
  get size(): number {
    return this.#block.length
  }

  /** `number`: an integer of 0 or more. Bodies of different numbers differ in every whole page. */
  body(number: number, size: number): Uint8Array {
    const low = lowWord(number)
    const high = highWord(number)
    const salts = this.#salts
    for (let i = 0; i < salts.length; i += 2) {
      const at = (i >> 1) * PAGE
      if (at >= size) break
      this.#view.setUint32(at, (salts[i] as number) ^ low)
      this.#view.setUint32(at + 4, (salts[i + 1] as number) ^ high)
    }
    return this.#block.subarray(0, size)
  }
}
