import { nonNegativeInteger } from '../../checks.ts'
import type { ListEntry, ListOptions } from '../types.ts'

/** Entries of one prefix that are held while those before it are given out: two pages of S3. */
const HELD = 2000

/** Takes entries out of a listing before they are asked for, up to a bound. */
class Ahead {
  readonly #source: AsyncIterator<ListEntry>
  #held: ListEntry[] = []
  #failure: { readonly error: unknown } | undefined
  #ended = false
  #filling = false
  #wake: (() => void) | undefined

  constructor(source: AsyncIterable<ListEntry>) {
    this.#source = source[Symbol.asyncIterator]()
    void this.#fill()
  }

  async *entries(): AsyncGenerator<ListEntry> {
    for (;;) {
      const taken = this.#held
      this.#held = []
      void this.#fill()
      yield* taken
      if (this.#held.length > 0) continue
      if (this.#failure !== undefined) throw this.#failure.error
      if (this.#ended) return
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  /** Ends the listing where it is. */
  async leave(): Promise<void> {
    this.#ended = true
    await this.#source.return?.().catch(() => {})
  }

  async #fill(): Promise<void> {
    if (this.#filling) return
    this.#filling = true
    try {
      while (!this.#ended && this.#held.length < HELD) {
        const { done, value } = await this.#source.next()
        if (done) this.#ended = true
        else this.#held.push(value)
        this.#wake?.()
      }
    } catch (error) {
      this.#failure = { error }
      this.#ended = true
      this.#wake?.()
    } finally {
      this.#filling = false
    }
  }
}

type List = (prefix: string, options: ListOptions) => AsyncIterable<ListEntry>

/** A listing as its options want it: one after the other, or prefixes side by side. */
export function listing(list: List, prefix: string, { parallel, ...options }: ListOptions): AsyncIterable<ListEntry> {
  const together = nonNegativeInteger('parallel', parallel ?? 0, 1024)
  if (together < 2 || options.delimiter !== undefined) return list(prefix, options)
  return parallelList(list, prefix, options, together)
}

/**
 * Lists the prefixes that a delimiter makes of the first level side by side, `parallel` of them, and gives out all in
 * the order of one listing. One request more than that at least; memory: 2,000 entries for each that is under way.
 */
async function* parallelList(
  list: List,
  prefix: string,
  options: ListOptions,
  together: number,
): AsyncGenerator<ListEntry> {
  const level = new Ahead(list(prefix, { ...options, delimiter: '/' }))
  const queue: (ListEntry | Ahead)[] = []
  let running = 0
  try {
    for await (const entry of level.entries()) {
      if (entry.kind === 'object') queue.push(entry)
      else {
        queue.push(new Ahead(list(entry.prefix, options)))
        running++
      }
      while (running >= together || queue.length > HELD) {
        const first = queue[0]
        if (first instanceof Ahead) {
          yield* first.entries()
          running--
        } else if (first !== undefined) yield first
        queue.shift()
      }
    }
    for (let first = queue[0]; first !== undefined; first = queue[0]) {
      if (first instanceof Ahead) yield* first.entries()
      else yield first
      queue.shift()
    }
  } finally {
    await Promise.all([level, ...queue].map((each) => (each instanceof Ahead ? each.leave() : undefined)))
  }
}
