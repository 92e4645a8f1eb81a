/** Where a value of a config was written. */
export interface Place {
  readonly file?: string
  /** 1-based. */
  readonly line?: number
  readonly column?: number
  /** The override that said so, as it was given. */
  readonly override?: string
}

export type Scalar = null | boolean | number | string

/** A config, each of whose values knows where it was written. */
export type ConfigNode = ScalarNode | ListNode | MapNode

interface Written {
  /** Of the value. */
  readonly place: Place
  /** Of the key before it. */
  readonly named?: Place
}

export interface ScalarNode extends Written {
  readonly kind: 'scalar'
  readonly value: Scalar
  /** Written as a float, such as 1.0: YAML writes it so again. */
  readonly float?: true
}

export interface ListNode extends Written {
  readonly kind: 'list'
  readonly items: readonly ConfigNode[]
}

export interface MapNode extends Written {
  readonly kind: 'map'
  readonly entries: ReadonlyMap<string, ConfigNode>
}

export type PlainValue = Scalar | readonly PlainValue[] | { readonly [key: string]: PlainValue }
export type PlainTree = { readonly [key: string]: PlainValue }

export function mapNode(entries: Iterable<readonly [string, ConfigNode]>, place: Place): MapNode {
  return { kind: 'map', entries: new Map(entries), place }
}

export function scalarNode(value: Scalar, place: Place): ScalarNode {
  return { kind: 'scalar', value, place }
}

export function isNull(node: ConfigNode | undefined): boolean {
  return node === undefined || (node.kind === 'scalar' && node.value === null)
}

export function plain(node: ConfigNode): PlainValue {
  if (node.kind === 'scalar') return node.value
  if (node.kind === 'list') return node.items.map(plain)
  return plainTree(node)
}

/** `__proto__` is a key like others. */
export function plainTree({ entries }: MapNode): PlainTree {
  return Object.fromEntries([...entries].map(([key, node]) => [key, plain(node)]))
}

/** What plain data says, all of it at one place. */
export function nodeOf(value: PlainValue, place: Place): ConfigNode {
  if (Array.isArray(value)) return { kind: 'list', items: value.map((item) => nodeOf(item, place)), place }
  if (typeof value === 'object' && value !== null)
    return mapNode(
      Object.entries(value).map(([key, item]) => [key, nodeOf(item, place)] as const),
      place,
    )
  return scalarNode(value as Scalar, place)
}

/** As Hydra merges: maps key by key, everything else is replaced. */
export function merged(below: ConfigNode, above: ConfigNode): ConfigNode {
  if (below.kind !== 'map' || above.kind !== 'map') return above
  const entries = new Map(below.entries)
  for (const [key, node] of above.entries) {
    const old = entries.get(key)
    entries.set(key, old === undefined ? node : merged(old, node))
  }
  return { ...below, entries }
}

/** The node at a path; numbers count items of lists. */
export function nodeAt(root: ConfigNode, path: readonly string[]): ConfigNode | undefined {
  let node: ConfigNode | undefined = root
  for (const name of path) {
    if (node?.kind === 'map') node = node.entries.get(name)
    else if (node?.kind === 'list' && /^\d+$/.test(name)) node = node.items[Number(name)]
    else return undefined
  }
  return node
}

/**
 * The config with `node` at `path`, or without what is there where `node` is undefined. Maps are made on the way; what is
 * no map on the way is replaced by one.
 */
export function withNode(root: ConfigNode, path: readonly string[], node: ConfigNode | undefined): ConfigNode {
  const [name, ...rest] = path
  if (name === undefined) return node ?? root
  if (root.kind === 'list' && /^\d+$/.test(name) && Number(name) < root.items.length) {
    const at = Number(name)
    const changed = rest.length === 0 ? node : withNode(root.items[at] as ConfigNode, rest, node)
    return {
      ...root,
      items: root.items.flatMap((item, i) => (i !== at ? [item] : changed === undefined ? [] : [changed])),
    }
  }
  const entries = new Map(root.kind === 'map' ? root.entries : [])
  const old = entries.get(name)
  if (rest.length > 0) {
    if (old === undefined && node === undefined) return root
    entries.set(name, withNode(old ?? mapNode([], node?.place ?? root.place), rest, node))
  } else if (node === undefined) entries.delete(name)
  else entries.set(name, node)
  return { ...(root.kind === 'map' ? root : mapNode([], root.place)), entries }
}

/** `file:line:column`, or the override. */
export function placeText({ file, line, column, override }: Place): string {
  if (override !== undefined) return `override ${override}`
  return [file ?? '(built in)', line, column].filter((part) => part !== undefined).join(':')
}
