import type { OpRecord } from './types.ts'

/**
 * Records that are held to be put in order. Logs are written as operations end, those of several threads piece by
 * piece: a second of each, or 128 KiB.
 */
const HELD = 65_536

/** A binary heap: the earliest start comes out first; of equal ones the one that went in first. */
class Heap {
  readonly #records: OpRecord[] = []
  readonly #turns: number[] = []
  #turn = 0

  get size(): number {
    return this.#records.length
  }

  push(record: OpRecord): void {
    let at = this.#records.length
    const turn = this.#turn++
    this.#records.push(record)
    this.#turns.push(turn)
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!this.#before(at, parent)) break
      this.#swap(at, parent)
      at = parent
    }
  }

  pop(): OpRecord | undefined {
    const last = this.#records.length - 1
    if (last < 0) return undefined
    this.#swap(0, last)
    const first = this.#records.pop()
    this.#turns.pop()
    for (let at = 0; ; ) {
      let least = at
      for (const child of [2 * at + 1, 2 * at + 2]) if (child < last && this.#before(child, least)) least = child
      if (least === at) return first
      this.#swap(at, least)
      at = least
    }
  }

  #before(a: number, b: number): boolean {
    const difference = (this.#records[a] as OpRecord).start - (this.#records[b] as OpRecord).start
    return difference < 0 || (difference === 0 && (this.#turns[a] as number) < (this.#turns[b] as number))
  }

  #swap(a: number, b: number): void {
    const record = this.#records[a] as OpRecord
    this.#records[a] = this.#records[b] as OpRecord
    this.#records[b] = record
    const turn = this.#turns[a] as number
    this.#turns[a] = this.#turns[b] as number
    this.#turns[b] = turn
  }
}

/** Records by their start, as far as `held` of them reach: what is out of order by more comes late, and is not lost. */
export async function* inStartOrder(
  batches: AsyncIterable<readonly OpRecord[]>,
  held = HELD,
): AsyncGenerator<readonly OpRecord[]> {
  const heap = new Heap()
  for await (const batch of batches) {
    const ready: OpRecord[] = []
    for (const record of batch) {
      heap.push(record)
      if (heap.size <= held) continue
      const first = heap.pop()
      if (first !== undefined) ready.push(first)
    }
    if (ready.length > 0) yield ready
  }
  while (heap.size > 0) {
    const ready: OpRecord[] = []
    for (let first = heap.pop(); first !== undefined; first = heap.pop()) {
      ready.push(first)
      if (ready.length === 1024) break
    }
    yield ready
  }
}
