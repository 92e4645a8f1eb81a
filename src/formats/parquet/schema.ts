import type { DType } from '../../dtype.ts'
import { PHYSICAL } from './columns.ts'

/** A node of a schema as it stands in the footer: the tree is walked depth first. */
export interface SchemaNode {
  name: string
  physical: number
  typeLength: number
  repetition: number
  children: number
  logical: string
}

/** What has values: a column, or a part of one. */
export interface Leaf {
  /** Among the leaves. */
  readonly index: number
  /** Of the top-level column that it belongs to. */
  readonly name: string
  readonly path: readonly string[]
  readonly physical: number
  /** Bytes of a value in a page; 0: every value says it. */
  readonly storedBytes: number
  /** Bytes of a value as records hold it; 0: they differ. */
  readonly valueBytes: number
  /** undefined: bytes that are no numbers. */
  readonly dtype: DType | undefined
  /** Whether bytes are UTF-8. */
  readonly text: boolean
  readonly maxDefinition: number
  readonly maxRepetition: number
  /** From this definition level on an element is there, be it null. */
  readonly elementDefinition: number
}

const OPTIONAL = 1
const REPEATED = 2
const MAX_NODES = 100_000
const MAX_DEPTH = 64

/** The leaves of a schema; `broken` makes the error for a tree that is none. */
export function readLeaves(nodes: readonly SchemaNode[], broken: () => Error): readonly Leaf[] {
  if (nodes.length === 0 || nodes.length > MAX_NODES) throw broken()
  const leaves: Leaf[] = []
  let next = 0
  const walk = (path: readonly string[], definition: number, repetition: number, element: number): void => {
    const node = nodes[next++]
    if (node === undefined || path.length > MAX_DEPTH) throw broken()
    const root = path.length === 0 && next === 1
    const inner = root ? [] : [...path, node.name]
    const def = definition + (!root && (node.repetition === OPTIONAL || node.repetition === REPEATED) ? 1 : 0)
    const rep = repetition + (!root && node.repetition === REPEATED ? 1 : 0)
    const from = !root && node.repetition === REPEATED ? def : element
    if (node.children < 0 || node.children > nodes.length) throw broken()
    if (node.children === 0 && !root) {
      leaves.push({
        index: leaves.length,
        name: inner[0] as string,
        path: inner,
        physical: node.physical,
        ...widths(node),
        text: node.logical === 'string',
        maxDefinition: def,
        maxRepetition: rep,
        elementDefinition: from,
      })
    }
    for (let i = 0; i < node.children; i++) walk(inner, def, rep, from)
  }
  walk([], 0, 0, 0)
  if (next !== nodes.length) throw broken()
  return leaves
}

function widths({ physical, typeLength, logical }: SchemaNode): Pick<Leaf, 'storedBytes' | 'valueBytes' | 'dtype'> {
  switch (physical) {
    case PHYSICAL.boolean:
      return { storedBytes: 0, valueBytes: 1, dtype: 'bool' }
    case PHYSICAL.int32: {
      const small = /^u?int(8|16)$/.exec(logical)
      const dtype = small || logical === 'uint32' ? (logical as DType) : 'int32'
      return { storedBytes: 4, valueBytes: small ? Number(small[1]) / 8 : 4, dtype }
    }
    case PHYSICAL.int64:
      return { storedBytes: 8, valueBytes: 8, dtype: logical === 'uint64' ? 'uint64' : 'int64' }
    case PHYSICAL.int96:
      return { storedBytes: 12, valueBytes: 12, dtype: undefined }
    case PHYSICAL.float:
      return { storedBytes: 4, valueBytes: 4, dtype: 'float32' }
    case PHYSICAL.double:
      return { storedBytes: 8, valueBytes: 8, dtype: 'float64' }
    case PHYSICAL.fixedByteArray: {
      const half = logical === 'float16' && typeLength === 2
      const bytes = typeLength > 0 ? typeLength : 0
      return { storedBytes: bytes, valueBytes: bytes, dtype: half ? 'float16' : undefined }
    }
    default:
      return { storedBytes: 0, valueBytes: 0, dtype: undefined }
  }
}
