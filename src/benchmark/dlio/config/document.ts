import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  Scalar,
  visit,
} from 'yaml'
import { configError } from './errors.ts'
import type { ConfigNode, MapNode, Place } from './node.ts'
import { type Resolved, resolvePlain, resolveTagged } from './scalars.ts'

/** Levels; a config has six. Bounds the stack. */
const MAX_DEPTH = 64
/** Values, aliases followed: a file of a few lines of aliases of aliases could otherwise fill the memory. */
const MAX_NODES = 1_000_000

const WORDS: Readonly<Record<string, string>> = {
  TAB_AS_INDENT: 'a tab cannot indent YAML: write spaces',
  BAD_INDENT: 'this line is indented differently from the ones that it belongs to',
  BLOCK_AS_IMPLICIT_KEY: 'a value cannot have keys as well: is the next line indented as it should be?',
  DUPLICATE_KEY: 'this key is there twice',
  MULTIPLE_DOCS: 'there is more than one YAML document (---) in the file',
  MISSING_CHAR: 'something is missing here, such as a quote or bracket at the end',
}

/** Reads YAML (or JSON, which is YAML) as DLIO's Python does. E_CONFIG with file, line and column for what is not. */
export function parseConfig(text: string, file: string): MapNode {
  const lines = new LineCounter()
  const document = parseDocument(text.replace(/^\uFEFF/, ''), {
    // Scalars stay texts: `scalars.ts` reads them.
    schema: 'failsafe',
    version: '1.1',
    uniqueKeys: true,
    strict: true,
    stringKeys: false,
    prettyErrors: false,
    lineCounter: lines,
    // At 'silent' a second document would be passed over.
    logLevel: 'error',
  })
  const at = (offset: number): Place => {
    const { line, col } = lines.linePos(offset)
    return { file, line: Math.max(line, 1), column: Math.max(col, 1) }
  }
  const [broken] = document.errors
  if (broken !== undefined) {
    const first = broken.message.split('\n')[0] ?? ''
    throw configError(at(broken.pos[0]), WORDS[broken.code] ?? `not YAML: ${first}`)
  }
  if (document.contents === null) return { kind: 'map', entries: new Map(), place: at(0) }
  const reader = new NodeReader(at, anchorsOf(document))
  const root = reader.read(document.contents, 0)
  if (root.kind === 'map') return root
  if (root.kind === 'scalar' && root.value === null) return { kind: 'map', entries: new Map(), place: root.place }
  throw configError(
    root.place,
    `a config is a map of keys, but this is ${root.kind === 'list' ? 'a list' : 'one value'}`,
  )
}

/** By name, in the order of the text: a name that is there again counts from there on. */
function anchorsOf(document: Document): ReadonlyMap<string, readonly Node[]> {
  const anchors = new Map<string, Node[]>()
  visit(document, {
    Node: (_, node) => {
      if (isAlias(node) || node.anchor === undefined) return
      anchors.set(node.anchor, [...(anchors.get(node.anchor) ?? []), node])
    },
  })
  return anchors
}

class NodeReader {
  readonly #at: (offset: number) => Place
  readonly #anchors: ReadonlyMap<string, readonly Node[]>
  #count = 0

  constructor(at: (offset: number) => Place, anchors: ReadonlyMap<string, readonly Node[]>) {
    this.#at = at
    this.#anchors = anchors
  }

  read(node: Node | null, depth: number, fallback = 0): ConfigNode {
    const place = this.#at(node?.range?.[0] ?? fallback)
    if (++this.#count > MAX_NODES)
      throw configError(place, `the file has more than ${MAX_NODES} values, aliases followed`)
    if (depth > MAX_DEPTH) throw configError(place, `nested deeper than ${MAX_DEPTH} levels`)
    if (node === null) return { kind: 'scalar', value: null, place }
    if (isAlias(node)) {
      const before = (found: Node) => (found.range?.[0] ?? 0) < (node.range?.[0] ?? 0)
      const target = this.#anchors.get(node.source)?.findLast(before)
      if (target === undefined) throw configError(place, `*${node.source} names no anchor`)
      return this.read(target, depth + 1)
    }
    if (isScalar(node)) return { kind: 'scalar', ...this.#scalar(node, place), place }
    const known = isSeq(node) ? 'tag:yaml.org,2002:seq' : 'tag:yaml.org,2002:map'
    if (node.tag !== undefined && node.tag !== known && node.tag !== '!')
      throw configError(place, `the tag ${node.tag} cannot be read here`)
    if (isSeq(node)) return { kind: 'list', items: node.items.map((item) => this.read(item as Node, depth + 1)), place }
    if (isMap(node)) return this.#map(node.items as readonly { key: Node; value: Node | null }[], depth, place)
    throw configError(place, 'this kind of YAML has no use in a config')
  }

  #scalar(node: Scalar, place: Place): Resolved {
    const text = String(node.value ?? '')
    if (node.tag !== undefined && node.tag !== 'tag:yaml.org,2002:str') {
      const found = resolveTagged(node.tag, text)
      if (found === undefined) throw configError(place, `the tag ${node.tag} cannot be read here`)
      return found
    }
    return node.type === Scalar.PLAIN && node.tag === undefined ? resolvePlain(node.source ?? text) : { value: text }
  }

  #map(items: readonly { key: Node; value: Node | null }[], depth: number, place: Place): MapNode {
    const entries = new Map<string, ConfigNode>()
    const inherited = new Map<string, ConfigNode>()
    for (const { key, value } of items) {
      const named = this.#at(key.range?.[0] ?? 0)
      if (!isScalar(key)) throw configError(named, 'a key must be one word or number')
      const node = this.read(value, depth + 1, key.range?.[1] ?? 0)
      if (key.type === Scalar.PLAIN && key.value === '<<') this.#inherit(node, inherited)
      else entries.set(String(this.#scalar(key, named).value), { ...node, named })
    }
    return { kind: 'map', entries: new Map([...inherited, ...entries]), place }
  }

  /** Of several maps under `<<` the first that has a key wins. */
  #inherit(node: ConfigNode, into: Map<string, ConfigNode>): void {
    for (const from of node.kind === 'list' ? node.items : [node]) {
      if (from.kind !== 'map') throw configError(from.place, '<< takes a map, or a list of maps')
      for (const [key, value] of from.entries) if (!into.has(key)) into.set(key, value)
    }
  }
}
