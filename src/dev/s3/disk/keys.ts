/** Moves surrogates above U+E000 .. U+FFFF, where UTF-8 has the characters that they stand for. */
function rank(unit: number): number {
  if (unit < 0xd800) return unit
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800
}

/** Orders by UTF-8 bytes, as S3 lists. */
export function byUtf8(a: string, b: string): number {
  const shorter = Math.min(a.length, b.length)
  for (let i = 0; i < shorter; i++) {
    const left = a.charCodeAt(i)
    const right = b.charCodeAt(i)
    if (left !== right) return rank(left) - rank(right)
  }
  return a.length - b.length
}

/** Values under keys, walked in the order of the keys' UTF-8 bytes. Changes are cheap; the first walk after them sorts. */
export class OrderedMap<V> {
  readonly #values = new Map<string, V>()
  #order: string[] = []
  /** Keys that the order lacks. */
  #added: Set<string> = new Set()
  /** Whether the order has keys that are gone. */
  #removed = false

  get size(): number {
    return this.#values.size
  }

  get(key: string): V | undefined {
    return this.#values.get(key)
  }

  set(key: string, value: V): void {
    if (!this.#values.has(key)) this.#added.add(key)
    this.#values.set(key, value)
  }

  delete(key: string): void {
    if (!this.#values.delete(key)) return
    // A key that was never put in order must not be looked for there.
    if (!this.#added.delete(key)) this.#removed = true
  }

  values(): IterableIterator<V> {
    return this.#values.values()
  }

  /** From the first key that is not before `start`. For one turn of the event loop: changes end the walk's validity. */
  from(start: string): Generator<readonly [key: string, value: V]> {
    return this.#walk((key) => byUtf8(key, start) < 0)
  }

  /** From the first key that is behind all that begin with `prefix`. */
  behind(prefix: string): Generator<readonly [key: string, value: V]> {
    return this.#walk((key) => byUtf8(key, prefix) < 0 || key.startsWith(prefix))
  }

  *#walk(isBefore: (key: string) => boolean): Generator<readonly [key: string, value: V]> {
    const order = this.#sorted()
    let low = 0
    let high = order.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (isBefore(order[middle] ?? '')) low = middle + 1
      else high = middle
    }
    for (let i = low; i < order.length; i++) {
      const key = order[i] ?? ''
      const value = this.#values.get(key)
      if (value !== undefined) yield [key, value]
    }
  }

  #sorted(): readonly string[] {
    if (this.#removed) {
      // A key that was deleted and set again is both in the order and among the added.
      this.#order = this.#order.filter((key) => this.#values.has(key) && !this.#added.has(key))
      this.#removed = false
    }
    if (this.#added.size > 0) {
      const added = [...this.#added].sort(byUtf8)
      this.#order = this.#order.length === 0 ? added : merge(this.#order, added)
      this.#added = new Set()
    }
    return this.#order
  }
}

function merge(a: readonly string[], b: readonly string[]): string[] {
  const merged: string[] = []
  let i = 0
  for (const key of b) {
    for (let next = a[i]; next !== undefined && byUtf8(next, key) < 0; next = a[i]) {
      merged.push(next)
      i++
    }
    merged.push(key)
  }
  for (; i < a.length; i++) merged.push(a[i] ?? '')
  return merged
}
