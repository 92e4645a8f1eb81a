/**
 * Writes JPEGs from coefficients: any sampling, size and values, which no encoder at hand makes. Sequential, one scan,
 * with Huffman tables that give every symbol a code of the same length.
 */

export interface Picture {
  readonly width: number
  readonly height: number
  /** Horizontal and vertical factor of component 0; the others have 1 x 1. */
  readonly factors: readonly [number, number]
  /** One table a component, 64 entries row by row. */
  readonly tables: readonly Uint16Array[]
  /** 64 coefficients of a block, row by row; also of blocks that only fill the last MCU. */
  readonly block: (component: number, y: number, x: number) => ArrayLike<number>
}

const DC_LENGTH = 5
const DC_SYMBOLS = Array.from({ length: 16 }, (_, size) => size)
const AC_LENGTH = 8
const RUN_OF_16 = 0xf0
/** (zeros before it, bits of the value); 0 ends a block. */
const AC_SYMBOLS = [
  0,
  RUN_OF_16,
  ...Array.from({ length: 256 }, (_, symbol) => symbol).filter((symbol) => (symbol & 15) !== 0),
]
const AC_CODES = new Map(AC_SYMBOLS.map((symbol, code) => [symbol, code]))

/** Places of a block by diagonals, each the other way round than the one before. */
const ZIGZAG: readonly number[] = Array.from({ length: 64 }, (_, place) => place).sort((a, b) => {
  const [sumA, sumB] = [(a >> 3) + (a & 7), (b >> 3) + (b & 7)]
  if (sumA !== sumB) return sumA - sumB
  return (sumA & 1) === 0 ? (a & 7) - (b & 7) : (b & 7) - (a & 7)
})

export function writeJpeg(picture: Picture): Uint8Array {
  const out = [0xff, 0xd8]
  const segment = (code: number, ...content: number[]): void => {
    out.push(0xff, code, (content.length + 2) >> 8, (content.length + 2) & 255, ...content)
  }
  const { width, height, tables } = picture
  const count = tables.length
  for (const [i, table] of tables.entries()) {
    const entries = ZIGZAG.map((place) => table[place] as number)
    if (Math.max(...entries) < 256) segment(0xdb, i, ...entries)
    else segment(0xdb, 16 + i, ...entries.flatMap((entry) => [entry >> 8, entry & 255]))
  }
  const factors = (c: number): readonly [number, number] => (c === 0 ? picture.factors : [1, 1])
  const frame = tables.flatMap((_, c) => [c + 1, factors(c)[0] * 16 + factors(c)[1], c])
  segment(0xc1, 8, height >> 8, height & 255, width >> 8, width & 255, count, ...frame)
  segment(0xc4, 0x00, ...lengths(DC_LENGTH, DC_SYMBOLS.length), ...DC_SYMBOLS)
  segment(0xc4, 0x10, ...lengths(AC_LENGTH, AC_SYMBOLS.length), ...AC_SYMBOLS)
  segment(0xda, count, ...tables.flatMap((_, c) => [c + 1, 0]), 0, 63, 0)

  const bits = bitWriter(out)
  const previous = tables.map(() => 0)
  const write = (c: number, y: number, x: number): void => {
    const block = picture.block(c, y, x)
    writeBlock(bits, block, previous[c] as number)
    previous[c] = block[0] as number
  }
  const [H, V] = count === 1 ? [1, 1] : picture.factors
  for (let my = 0; my < Math.ceil(height / (8 * V)); my++)
    for (let mx = 0; mx < Math.ceil(width / (8 * H)); mx++)
      for (let c = 0; c < count; c++) {
        const [h, v] = c === 0 ? [H, V] : [1, 1]
        for (let i = 0; i < v; i++) for (let k = 0; k < h; k++) write(c, my * v + i, mx * h + k)
      }
  bits(7, 0x7f) // ones up to the next whole byte; what is left over is not written
  out.push(0xff, 0xd9)
  return Uint8Array.from(out)
}

/** How many codes there are of each length 1..16. */
const lengths = (length: number, codes: number): number[] =>
  Array.from({ length: 16 }, (_, i) => (i + 1 === length ? codes : 0))

type BitWriter = (count: number, value: number) => void

function bitWriter(out: number[]): BitWriter {
  let byte = 0
  let filled = 0
  return (count, value) => {
    for (let i = count - 1; i >= 0; i--) {
      byte = (byte << 1) | ((value >> i) & 1)
      if (++filled < 8) continue
      out.push(byte)
      if (byte === 0xff) out.push(0)
      byte = 0
      filled = 0
    }
  }
}

function writeBlock(bits: BitWriter, block: ArrayLike<number>, previous: number): void {
  const value = (v: number, size: number): void => bits(size, v < 0 ? v + 2 ** size - 1 : v)
  const difference = (block[0] as number) - previous
  const size = sizeOf(difference)
  bits(DC_LENGTH, size)
  value(difference, size)
  let zeros = 0
  for (const place of ZIGZAG.slice(1)) {
    const v = block[place] as number
    if (v === 0) {
      zeros++
      continue
    }
    for (; zeros > 15; zeros -= 16) bits(AC_LENGTH, AC_CODES.get(RUN_OF_16) as number)
    bits(AC_LENGTH, AC_CODES.get(zeros * 16 + sizeOf(v)) as number)
    value(v, sizeOf(v))
    zeros = 0
  }
  if (zeros > 0) bits(AC_LENGTH, AC_CODES.get(0) as number)
}

/** Bits of a value's magnitude. */
const sizeOf = (v: number): number => 32 - Math.clz32(Math.abs(v))
