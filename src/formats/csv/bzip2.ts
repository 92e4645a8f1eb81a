import { BLOCK_MARK, blockCrc, combined, END_MARK, GROUP, LEVEL_BYTES } from './bzip2-crc.ts'

/** bzip2 keeps 19 bytes of a block free for a run that ends it. */
const SPARE = 19
/** Longest code that bzip2 itself writes. */
const LONGEST_CODE = 17
/** 100 KB blocks: text of numbers packs no better in longer ones, and sorting them takes longer. */
const DEFAULT_LEVEL = 1

class BitWriter {
  #bytes = new Uint8Array(64 * 1024)
  #used = 0
  #held = 0
  #count = 0

  /** Up to 24 bits, highest first. */
  put(value: number, count: number): void {
    this.#held = (this.#held << count) | value
    this.#count += count
    while (this.#count >= 8) {
      this.#count -= 8
      this.#byte((this.#held >>> this.#count) & 0xff)
    }
    this.#held &= (1 << this.#count) - 1
  }

  put32(value: number): void {
    this.put(value >>> 16, 16)
    this.put(value & 0xffff, 16)
  }

  putMark(mark: readonly [number, number]): void {
    this.put(mark[0], 24)
    this.put(mark[1], 24)
  }

  /** The whole bytes so far; with `pad` the last one too. */
  taken(pad: 'whole' | 'pad'): Uint8Array {
    if (pad === 'pad' && this.#count > 0) this.put(0, 8 - this.#count)
    const bytes = this.#bytes.slice(0, this.#used)
    this.#used = 0
    return bytes
  }

  #byte(byte: number): void {
    if (this.#used === this.#bytes.length) {
      const larger = new Uint8Array(this.#bytes.length * 2)
      larger.set(this.#bytes)
      this.#bytes = larger
    }
    this.#bytes[this.#used++] = byte
  }
}

/** Collects a block: four equal bytes are followed by how many more there are. */
class Block {
  readonly bytes: Uint8Array
  readonly #most: number
  length = 0
  crc = -1
  #equal = 0
  #more = 0
  #last = -1

  constructor(most: number) {
    this.#most = most - SPARE
    this.bytes = new Uint8Array(most)
  }

  /** How many of the bytes found room. */
  put(bytes: Uint8Array): number {
    let at = 0
    for (; at < bytes.length && this.length < this.#most; at++) this.#put(bytes[at] ?? 0)
    this.crc = blockCrc(bytes.subarray(0, at), this.crc)
    return at
  }

  end(): Uint8Array {
    this.#endRun()
    return this.bytes.subarray(0, this.length)
  }

  #put(byte: number): void {
    if (byte === this.#last && this.#equal === 4 && this.#more < 251) {
      this.#more++
      return
    }
    if (byte !== this.#last || this.#equal === 4) this.#endRun()
    this.#last = byte
    this.#equal++
    this.bytes[this.length++] = byte
  }

  #endRun(): void {
    if (this.#equal === 4) this.bytes[this.length++] = this.#more
    this.#equal = 0
    this.#more = 0
  }
}

/** Packs as one stream. `level` 1 to 9: blocks of so many 100,000 bytes. */
export function* bzip2Pieces(text: Iterable<Uint8Array>, level = DEFAULT_LEVEL): Generator<Uint8Array> {
  const size = Math.min(9, Math.max(1, level))
  const out = new BitWriter()
  out.put(0x425a68, 24)
  out.put(0x30 + size, 8)
  let stream = 0
  let block = new Block(size * LEVEL_BYTES)
  const flush = (): Uint8Array => {
    const crc = ~block.crc >>> 0
    stream = combined(stream, crc)
    packBlock(out, block.end(), crc)
    block = new Block(size * LEVEL_BYTES)
    return out.taken('whole')
  }
  for (const piece of text)
    for (let at = 0; at < piece.length; ) {
      const some = block.put(piece.subarray(at))
      at += some
      if (some === 0) yield flush()
    }
  if (block.length > 0) yield flush()
  out.putMark(END_MARK)
  out.put32(stream >>> 0)
  yield out.taken('pad')
}

function packBlock(out: BitWriter, bytes: Uint8Array, crc: number): void {
  const { last, origin } = transformed(bytes)
  const used = [...new Set(last)].sort((a, b) => a - b)
  const symbols = movedToFront(last, used)
  const lengths = codeLengths(symbols, used.length + 2)
  out.putMark(BLOCK_MARK)
  out.put32(crc)
  out.put(0, 1)
  out.put(origin, 24)
  putUsed(out, used)
  // Two tables are the fewest that there may be: both are the same, and the first one is selected throughout.
  const groups = Math.ceil(symbols.length / GROUP)
  out.put(2, 3)
  out.put(groups, 15)
  for (let i = 0; i < groups; i++) out.put(0, 1)
  for (let table = 0; table < 2; table++) putLengths(out, lengths)
  const codes = codesOf(lengths)
  for (const symbol of symbols) out.put(codes[symbol] ?? 0, lengths[symbol] ?? 0)
}

function putUsed(out: BitWriter, used: readonly number[]): void {
  const ranges = new Uint16Array(16)
  for (const byte of used) ranges[byte >> 4] = (ranges[byte >> 4] ?? 0) | (0x8000 >> (byte & 15))
  out.put(
    ranges.reduce((mask, range, i) => (range === 0 ? mask : mask | (0x8000 >> i)), 0),
    16,
  )
  for (const range of ranges) if (range !== 0) out.put(range, 16)
}

function putLengths(out: BitWriter, lengths: Uint8Array): void {
  let current = lengths[0] ?? 1
  out.put(current, 5)
  for (const length of lengths) {
    for (; current < length; current++) out.put(0b10, 2)
    for (; current > length; current--) out.put(0b11, 2)
    out.put(0, 1)
  }
}

/** Sorts the rotations of a block by doubling the length that is compared; gives their last bytes, and where the block is. */
function transformed(bytes: Uint8Array): { readonly last: Uint8Array; readonly origin: number } {
  const n = bytes.length
  const [order, next] = [new Int32Array(n), new Int32Array(n)]
  let [ranks, newRanks] = [Int32Array.from(bytes), new Int32Array(n)]
  const counts = new Int32Array(Math.max(256, n) + 1)
  const sortByRank = (from: Int32Array, to: Int32Array, most: number): void => {
    counts.fill(0, 0, most + 1)
    for (let i = 0; i < n; i++) counts[(ranks[i] ?? 0) + 1] = (counts[(ranks[i] ?? 0) + 1] ?? 0) + 1
    for (let rank = 0; rank < most; rank++) counts[rank + 1] = (counts[rank + 1] ?? 0) + (counts[rank] ?? 0)
    for (let i = 0; i < n; i++) {
      const rotation = from[i] ?? 0
      const rank = ranks[rotation] ?? 0
      const place = counts[rank] ?? 0
      counts[rank] = place + 1
      to[place] = rotation
    }
  }
  for (let i = 0; i < n; i++) next[i] = i
  sortByRank(next, order, 256)
  for (let length = 0, classes = 0; length < n && classes < n; length = Math.max(1, length * 2)) {
    if (length > 0) {
      for (let i = 0; i < n; i++) next[i] = ((order[i] ?? 0) - length + n) % n
      sortByRank(next, order, classes)
    }
    classes = 0
    let [before, beforeSecond] = [-1, -1]
    for (let i = 0; i < n; i++) {
      const rotation = order[i] ?? 0
      const rank = ranks[rotation] ?? 0
      const second = length === 0 ? 0 : (ranks[(rotation + length) % n] ?? 0)
      if (rank !== before || second !== beforeSecond) classes++
      before = rank
      beforeSecond = second
      newRanks[rotation] = classes - 1
    }
    ;[ranks, newRanks] = [newRanks, ranks]
  }
  const last = new Uint8Array(n)
  let origin = 0
  for (let i = 0; i < n; i++) {
    const rotation = order[i] ?? 0
    if (rotation === 0) origin = i
    last[i] = bytes[(rotation + n - 1) % n] ?? 0
  }
  return { last, origin }
}

/** Symbols 0 and 1 write the lengths of runs of what is in front, the others places; the last one is the end. */
function movedToFront(last: Uint8Array, used: readonly number[]): Uint16Array {
  const order = [...used]
  const symbols = new Uint16Array(last.length + 1)
  let [count, run] = [0, 0]
  const endRun = (): void => {
    for (; run > 0; run = (run - 1) >> 1) symbols[count++] = run % 2 === 1 ? 0 : 1
  }
  for (const byte of last) {
    const place = order.indexOf(byte)
    if (place === 0) {
      run++
      continue
    }
    endRun()
    order.copyWithin(1, 0, place)
    order[0] = byte
    symbols[count++] = place + 1
  }
  endRun()
  symbols[count++] = used.length + 1
  return symbols.slice(0, count)
}

/** Huffman's lengths, none longer than bzip2 writes. */
function codeLengths(symbols: Uint16Array, alphabet: number): Uint8Array {
  const counts = new Float64Array(alphabet).fill(1)
  for (const symbol of symbols) counts[symbol] = (counts[symbol] ?? 0) + 1
  for (;;) {
    const lengths = huffmanLengths(counts)
    if (lengths.every((length) => length <= LONGEST_CODE)) return lengths
    for (let i = 0; i < alphabet; i++) counts[i] = Math.ceil((counts[i] ?? 0) / 2)
  }
}

function huffmanLengths(counts: Float64Array): Uint8Array {
  const n = counts.length
  const weights = [...counts]
  const parents: number[] = []
  const open = Array.from({ length: n }, (_, i) => i)
  while (open.length > 1) {
    open.sort((a, b) => (weights[b] ?? 0) - (weights[a] ?? 0))
    const [a = 0, b = 0] = [open.pop(), open.pop()]
    parents[a] = weights.length
    parents[b] = weights.length
    open.push(weights.length)
    weights.push((weights[a] ?? 0) + (weights[b] ?? 0))
  }
  return Uint8Array.from({ length: n }, (_, leaf) => {
    let length = 0
    for (let node = parents[leaf]; node !== undefined; node = parents[node]) length++
    return length
  })
}

function codesOf(lengths: Uint8Array): Uint32Array {
  const codes = new Uint32Array(lengths.length)
  let code = 0
  for (let length = 1; length <= LONGEST_CODE; length++) {
    for (let symbol = 0; symbol < lengths.length; symbol++) if (lengths[symbol] === length) codes[symbol] = code++
    code *= 2
  }
  return codes
}
