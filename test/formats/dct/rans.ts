import { at, expect, numbers, type Strip, taker } from './sample.ts'
import { escapesOf, isWide, type Sections, setBits, total } from './strips.ts'

const LANES = 16
const CONTEXTS = 16
/** Frequencies are in 1/1024. */
const SCALE = 1024
/** States are at least this and end as this. */
const LOWEST = 0x10000

/** First of the two contexts (component 0, the others) of a section; MASK has one a group. */
const HDR = 0
const DC = 2
const NIB = 4
const ESC = 6
const MASK = 8

/** The cache's table, ready to be looked up in: of each context the symbol of each slot. */
export interface Model {
  readonly frequency: (context: number, symbol: number) => number
  readonly start: (context: number, symbol: number) => number
  readonly symbol: (context: number, slot: number) => number
}

export function modelOf(table: Uint16Array): Model {
  const starts = new Uint16Array(CONTEXTS * 256)
  const symbols = new Uint8Array(CONTEXTS * SCALE)
  for (let context = 0; context < CONTEXTS; context++) {
    let start = 0
    for (let symbol = 0; symbol < 256; symbol++) {
      const entry = at(table, 256 * context + symbol)
      expect(entry >= 1, 'a symbol without a frequency')
      starts[256 * context + symbol] = start
      symbols.fill(symbol, context * SCALE + start, context * SCALE + start + entry)
      start += entry
    }
    expect(start === SCALE, 'frequencies that do not sum to 1024')
  }
  return {
    frequency: (context, symbol) => at(table, 256 * context + symbol),
    start: (context, symbol) => at(starts, 256 * context + symbol),
    symbol: (context, slot) => at(symbols, SCALE * context + slot),
  }
}

/** The sections of the strips of one MCU row. */
export function decodeRow(strips: readonly Strip[], code: Uint8Array, model: Model): Sections[] {
  const takeHead = taker(code)
  const states = numbers(takeHead(4 * LANES), 4)
  const rest = code.subarray(4 * LANES)
  let used = 0
  let lane = 0

  const next = (context: number): number => {
    const state = at(states, lane)
    const slot = state % SCALE
    const symbol = model.symbol(context, slot)
    // below 2^32: the quotient is below 2^22, a frequency below 2^10
    let after = model.frequency(context, symbol) * Math.floor(state / SCALE) + slot - model.start(context, symbol)
    if (after < LOWEST) {
      after = after * LOWEST + at(rest, used) + 256 * at(rest, used + 1)
      used += 2
    }
    states[lane] = after
    lane = (lane + 1) % LANES
    return symbol
  }
  const run = (count: number, context: (i: number) => number): Uint8Array =>
    Uint8Array.from({ length: count }, (_, i) => next(context(i)))
  const luma = (strip: Strip): number => (strip.component.index === 0 ? 0 : 1)

  const first = strips.map((strip) => {
    const hdr = run(strip.component.across, () => HDR + luma(strip))
    const dc = run(strip.component.across, () => DC + luma(strip))
    return { strip, hdr, dc }
  })
  lane = 0
  const second = first.map((known) => {
    const groups = groupsOf(known.hdr)
    const mask = run(groups.length, (i) => MASK + at(groups, i))
    return { ...known, mask, values: total(mask, setBits) }
  })
  lane = 0
  const third = second.map((known) => {
    const nib = run(Math.ceil(known.values / 2), () => NIB + luma(known.strip))
    return { ...known, nib, escapes: escapesOf(nib, known.values) }
  })
  lane = 0
  const fourth = third.map((known) => ({ ...known, esc: run(known.escapes, () => ESC + luma(known.strip)) }))

  for (const state of states) expect(state === LOWEST, 'a state that does not end as 2^16')
  const wides = rest.subarray(used)
  const takeWides = taker(wides)
  let taken = 0
  const sections = fourth.map(({ dc, hdr, mask, nib, esc }): Sections => {
    const size = 2 * (total(dc, isWide) + total(esc, isWide))
    taken += size
    return { dc, hdr, mask, nib, esc, wide: takeWides(size) }
  })
  expect(taken === wides.length, 'the row ends elsewhere than its WIDE sections')
  return sections
}

/** The group of each MASK byte of a strip. */
function groupsOf(hdr: Uint8Array): number[] {
  return Array.from(hdr).flatMap((byte) => [0, 1, 2, 3, 4, 5, 6, 7].filter((group) => ((byte >> group) & 1) === 1))
}
