import { byUtf8, type OrderedMap } from '../disk/keys.ts'

/** Where a page begins: behind a key, or behind all that begins with a common prefix. */
export interface Position {
  readonly kind: 'key' | 'prefix'
  readonly name: string
}

export interface Wanted {
  readonly prefix: string
  /** Empty: none. */
  readonly delimiter: string
  readonly after: Position | undefined
  readonly limit: number
}

export interface Page<V> {
  readonly values: readonly V[]
  readonly prefixes: readonly string[]
  /** The last of a page that more follows. */
  readonly last: Position | undefined
}

/**
 * One page of a listing in order of UTF-8 bytes; keys that share what stands before the delimiter count as one.
 * `nameOf`: of a key that has more behind its name.
 */
export function pageOf<V>(
  map: OrderedMap<V>,
  { prefix, delimiter, after, limit }: Wanted,
  nameOf: (key: string, value: V) => string = (key) => key,
): Page<V> {
  const values: V[] = []
  const prefixes: string[] = []
  let last: Position | undefined
  if (limit === 0) return { values, prefixes, last }
  let walk =
    after?.kind === 'prefix' && byUtf8(after.name, prefix) >= 0
      ? map.behind(after.name)
      : map.from(after !== undefined && byUtf8(after.name, prefix) > 0 ? after.name : prefix)
  for (let step = walk.next(); step.done !== true; step = walk.next()) {
    const [key, value] = step.value
    if (!key.startsWith(prefix)) break
    if (key === after?.name) continue
    if (values.length + prefixes.length === limit) return { values, prefixes, last }
    const cut = delimiter === '' ? -1 : nameOf(key, value).indexOf(delimiter, prefix.length)
    if (cut < 0) {
      values.push(value)
      last = { kind: 'key', name: key }
    } else {
      const name = key.slice(0, cut + delimiter.length)
      prefixes.push(name)
      last = { kind: 'prefix', name }
      walk = map.behind(name)
    }
  }
  return { values, prefixes, last: undefined }
}
