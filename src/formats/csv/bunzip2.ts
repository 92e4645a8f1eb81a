import { corrupt } from '../layout.ts'
import { BLOCK_MARK, blockCrc, combined, END_MARK, GROUP, LEVEL_BYTES, MAX_CODE_BITS } from './bzip2-crc.ts'

/** 3 MiB: no packed block is longer, 900,001 symbols of 20 bits and its tables. */
const LONGEST_BLOCK = 3 * 2 ** 20

/** Bits, highest first. */
class Bits {
  bytes: Uint8Array = new Uint8Array(0)
  /** Of the next bit. */
  at = 0
  readonly #fail: (reason: string) => Error

  constructor(fail: (reason: string) => Error) {
    this.#fail = fail
  }

  /** Up to 24. */
  take(count: number): number {
    let value = 0
    if (this.at + count > this.bytes.length * 8) throw this.#fail('the bzip2 data end too early')
    for (let left = count; left > 0; ) {
      const bit = this.at & 7
      const some = Math.min(left, 8 - bit)
      value = (value << some) | (((this.bytes[this.at >> 3] ?? 0) >> (8 - bit - some)) & ((1 << some) - 1))
      this.at += some
      left -= some
    }
    return value
  }

  takeMark(mark: readonly number[]): boolean {
    const begun = this.at
    if (this.take(24) === mark[0] && this.take(24) === mark[1]) return true
    this.at = begun
    return false
  }

  take32(): number {
    return ((this.take(16) << 16) | this.take(16)) >>> 0
  }
}

/** Huffman codes by length: the first code, and where its symbols stand. */
interface Codes {
  readonly limit: Int32Array
  readonly base: Int32Array
  readonly symbols: Uint16Array
}

function codesOf(lengths: Uint8Array): Codes {
  const counts = new Int32Array(MAX_CODE_BITS + 2)
  for (const length of lengths) counts[length] = (counts[length] ?? 0) + 1
  const limit = new Int32Array(MAX_CODE_BITS + 1).fill(-1)
  const base = new Int32Array(MAX_CODE_BITS + 1)
  const symbols = new Uint16Array(lengths.length)
  let [code, place] = [0, 0]
  for (let length = 1; length <= MAX_CODE_BITS; length++) {
    base[length] = place - code
    for (let symbol = 0; symbol < lengths.length; symbol++) if (lengths[symbol] === length) symbols[place++] = symbol
    code += counts[length] ?? 0
    limit[length] = (counts[length] ?? 0) === 0 ? -1 : code - 1
    code *= 2
  }
  return { limit, base, symbols }
}

/** Unpacks one stream after the other. What is held is a block, at most 900,000 bytes, a few times over. */
export async function* bunzip2Pieces(
  packed: Iterable<Promise<Uint8Array>>,
  file: string,
): AsyncGenerator<Uint8Array, void, undefined> {
  const fail = (reason: string) => corrupt(file, reason)
  const bits = new Bits(fail)
  const source = packed[Symbol.iterator]()
  const refill = async (): Promise<void> => {
    const parts = [bits.bytes.subarray(bits.at >> 3)]
    let held = parts[0]?.length ?? 0
    while (held < LONGEST_BLOCK) {
      const { done, value } = source.next()
      if (done === true) break
      const piece = await value
      parts.push(piece)
      held += piece.length
    }
    bits.bytes = parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts)
    bits.at &= 7
  }

  await refill()
  do {
    if (bits.take(24) !== 0x425a68) throw fail('not bzip2 data')
    const level = bits.take(8) - 0x30
    if (level < 1 || level > 9) throw fail(`bzip2 data of level ${level}`)
    let stream = 0
    while (bits.takeMark(BLOCK_MARK)) {
      const wanted = bits.take32()
      const bytes = unpackBlock(bits, level * LEVEL_BYTES, fail)
      const found = ~blockCrc(bytes, -1) >>> 0
      if (found !== wanted) throw fail('the checksum of a bzip2 block is wrong')
      stream = combined(stream, found)
      yield bytes
      await refill()
    }
    if (!bits.takeMark(END_MARK)) throw fail('bzip2 data with neither a block nor their end')
    if (bits.take32() !== stream >>> 0) throw fail('the checksum of the bzip2 data is wrong')
    bits.at = Math.ceil(bits.at / 8) * 8
    await refill()
  } while (bits.bytes.length > 0)
}

function unpackBlock(bits: Bits, most: number, fail: (reason: string) => Error): Uint8Array {
  if (bits.take(1) !== 0) throw fail('a bzip2 block is randomised, as nothing has written since 1997')
  const origin = bits.take(24)
  const used = usedBytes(bits)
  const last = unpackSymbols(bits, used, most, fail)
  if (origin >= last.length) throw fail('a bzip2 block begins behind its end')
  return expanded(untransformed(last, origin), fail)
}

function usedBytes(bits: Bits): number[] {
  const ranges = bits.take(16)
  const used: number[] = []
  for (let range = 0; range < 16; range++) {
    if ((ranges & (0x8000 >> range)) === 0) continue
    const members = bits.take(16)
    for (let i = 0; i < 16; i++) if ((members & (0x8000 >> i)) !== 0) used.push(range * 16 + i)
  }
  return used
}

/** The last column of the sorted rotations. */
function unpackSymbols(bits: Bits, used: number[], most: number, fail: (reason: string) => Error): Uint8Array {
  const tables = bits.take(3)
  const groups = bits.take(15)
  if (used.length === 0 || tables < 2 || tables > 6 || groups === 0) throw fail('a bzip2 block has no codes')
  const selectors = new Uint8Array(groups)
  const order = [0, 1, 2, 3, 4, 5]
  for (let i = 0; i < groups; i++) {
    let place = 0
    while (bits.take(1) === 1) if (++place >= tables) throw fail('a bzip2 selector names no table')
    selectors[i] = toFront(order, place)
  }
  const codes = Array.from({ length: tables }, () => codesOf(codeLengths(bits, used.length + 2, fail)))

  const out = new Uint8Array(most)
  const end = used.length + 1
  let [count, run, weight, left, group] = [0, 0, 1, 0, 0]
  let table = codes[0]
  for (;;) {
    if (left === 0) {
      if (group >= groups) throw fail('a bzip2 block has more symbols than selectors')
      table = codes[selectors[group++] ?? 0]
      left = GROUP
    }
    left--
    const symbol = table === undefined ? -1 : decode(bits, table)
    if (symbol < 0) throw fail('a bzip2 code that stands for nothing')
    if (symbol <= 1) {
      // Digits of a run's length, 1 and 2, the lowest first.
      run += weight * (symbol + 1)
      weight *= 2
      if (run > most) throw fail('a bzip2 block is longer than its level')
      continue
    }
    if (run > 0) {
      if (count + run > most) throw fail('a bzip2 block is longer than its level')
      out.fill(used[0] ?? 0, count, count + run)
      count += run
    }
    run = 0
    weight = 1
    if (symbol === end) return out.subarray(0, count)
    if (count >= most) throw fail('a bzip2 block is longer than its level')
    out[count++] = toFront(used, symbol - 1)
  }
}

function toFront(order: number[], place: number): number {
  const found = order[place] ?? 0
  order.copyWithin(1, 0, place)
  order[0] = found
  return found
}

function codeLengths(bits: Bits, symbols: number, fail: (reason: string) => Error): Uint8Array {
  const lengths = new Uint8Array(symbols)
  let length = bits.take(5)
  for (let symbol = 0; symbol < symbols; symbol++) {
    for (;;) {
      if (length < 1 || length > MAX_CODE_BITS) throw fail(`a bzip2 code of ${length} bits`)
      if (bits.take(1) === 0) break
      length += bits.take(1) === 0 ? 1 : -1
    }
    lengths[symbol] = length
  }
  return lengths
}

function decode(bits: Bits, { limit, base, symbols }: Codes): number {
  let code = 0
  for (let length = 1; length <= MAX_CODE_BITS; length++) {
    code = code * 2 + bits.take(1)
    if (code <= (limit[length] ?? -1)) return symbols[code + (base[length] ?? 0)] ?? -1
  }
  return -1
}

/** The block whose sorted rotations end with `last`. */
function untransformed(last: Uint8Array, origin: number): Uint8Array {
  const starts = new Int32Array(257)
  for (const byte of last) starts[byte + 1] = (starts[byte + 1] ?? 0) + 1
  for (let byte = 0; byte < 256; byte++) starts[byte + 1] = (starts[byte + 1] ?? 0) + (starts[byte] ?? 0)
  const next = new Int32Array(last.length)
  for (let i = 0; i < last.length; i++) {
    const byte = last[i] ?? 0
    const place = starts[byte] ?? 0
    starts[byte] = place + 1
    next[place] = i
  }
  const block = new Uint8Array(last.length)
  for (let i = 0, at = next[origin] ?? 0; i < block.length; i++, at = next[at] ?? 0) block[i] = last[at] ?? 0
  return block
}

/** After four equal bytes a count says how many more there are. */
function expanded(block: Uint8Array, fail: (reason: string) => Error): Uint8Array {
  let length = 0
  const walk = (write: (byte: number, count: number) => void): void => {
    let [equal, before] = [0, -1]
    for (const byte of block) {
      if (equal === 4) {
        write(before, byte)
        equal = 0
        before = -1
        continue
      }
      equal = byte === before ? equal + 1 : 1
      before = byte
      write(byte, 1)
    }
    if (equal === 4) throw fail('a bzip2 block ends within a run')
  }
  walk((_, count) => {
    length += count
  })
  const out = new Uint8Array(length)
  let at = 0
  walk((byte, count) => {
    out.fill(byte, at, at + count)
    at += count
  })
  return out
}
