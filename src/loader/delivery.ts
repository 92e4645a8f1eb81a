import { show } from '../checks.ts'
import { HeadraceError } from '../errors.ts'

/** A range of positions, [from, to). */
export type PositionRange = readonly [from: number, to: number]

/** The most steps between the first that is not delivered and the last that is: keeps a state below 1 KiB. */
export const MAX_WINDOW = 32

/** Which steps of an epoch are delivered: all before the first that is not, and some behind it. */
export class Delivery {
  #first: number
  readonly #beyond: Set<number>

  constructor(first: number, beyond: Iterable<number> = []) {
    this.#first = first
    this.#beyond = new Set(beyond)
  }

  /** The first step that is not delivered. */
  get first(): number {
    return this.#first
  }

  has(step: number): boolean {
    return step < this.#first || this.#beyond.has(step)
  }

  add(step: number): void {
    this.#beyond.add(step)
    while (this.#beyond.delete(this.#first)) this.#first++
  }

  /** Those behind the first, as ranges of the epoch's global sequence that ends at `end`. */
  ranges(globalBatch: number, end: number): PositionRange[] {
    const ranges: [number, number][] = []
    for (const step of [...this.#beyond].sort((a, b) => a - b)) {
      const from = step * globalBatch
      const to = Math.min(from + globalBatch, end)
      const last = ranges.at(-1)
      if (last?.[1] === from) last[1] = to
      else ranges.push([from, to])
    }
    return ranges
  }
}

/** The steps of ranges that came with a state. E_STATE where they are none. */
export function stepsOf(ranges: readonly PositionRange[], globalBatch: number, end: number): number[] {
  const steps: number[] = []
  for (const [from, to] of ranges) {
    if (
      from % globalBatch !== 0 ||
      (to % globalBatch !== 0 && to !== end) ||
      to > end ||
      to - from > MAX_WINDOW * globalBatch
    )
      throw new HeadraceError('E_STATE', `resume: delivered [${from}, ${to}] is no range of global batches`)
    for (let position = from; position < to; position += globalBatch) steps.push(position / globalBatch)
  }
  return steps
}

/** Checks what came from outside as the ranges of a state that stands at `position`; says what is wrong. */
export function rangesFault(ranges: unknown, position: number): string | undefined {
  if (ranges === undefined) return undefined
  if (!Array.isArray(ranges) || ranges.length > MAX_WINDOW)
    return `delivered must be at most ${MAX_WINDOW} ranges, but got ${show(ranges)}`
  let last = position
  for (const range of ranges) {
    const [from, to] = Array.isArray(range) && range.length === 2 ? range : []
    if (!Number.isSafeInteger(from) || !Number.isSafeInteger(to) || from <= last || to <= from)
      return `delivered must be ascending ranges behind position ${position}, but got ${show(ranges)}`
    last = to
  }
  return undefined
}
