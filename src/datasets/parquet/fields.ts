import { show } from '../../checks.ts'
import { HeadraceError } from '../../errors.ts'
import type { Field, FieldKind } from '../types.ts'
import type { ColumnFacts } from './index-build.ts'

/** A field and the column that it is. */
export interface ColumnField {
  readonly name: string
  readonly field: Field
  readonly facts: ColumnFacts
}

/** undefined for what no field holds: lists of texts, lists of lists. */
function fieldOf({ dtype, text, valueBytes, lists, size }: ColumnFacts): Field | undefined {
  if (lists > 1 || (lists === 1 && valueBytes === 0)) return undefined
  if (valueBytes === 0) return { kind: text ? 'string' : 'bytes' }
  if (lists === 1) {
    if (size === undefined) return { kind: 'bytes' }
    return dtype === undefined
      ? { kind: 'tensor', dtype: 'uint8', shape: [size, valueBytes] }
      : { kind: 'tensor', dtype, shape: [size] }
  }
  if (dtype === undefined) return { kind: 'tensor', dtype: 'uint8', shape: [valueBytes] }
  // Its bits are no number in JavaScript.
  return dtype === 'float16' ? { kind: 'tensor', dtype, shape: [] } : { kind: 'number', dtype }
}

/** Bytes may be pictures or text, and text is bytes. */
function typed(name: string, field: Field, kind: FieldKind | undefined): Field {
  if (kind === undefined || kind === field.kind) return field
  const stored = field.kind === 'bytes' || field.kind === 'string'
  if (stored && (kind === 'image' || kind === 'bytes' || kind === 'string')) return { kind }
  throw new HeadraceError('E_USAGE', `types: ${name} is ${field.kind}, and cannot be ${kind}`)
}

/**
 * The columns that are asked for, by the name of a field or of a top-level column that has several; else all that a field
 * can hold. E_USAGE for a name that there is not, E_UNSUPPORTED for a column that no field holds.
 */
export function columnFields(
  all: readonly ColumnFacts[],
  columns: readonly string[] | undefined,
  types: Readonly<Record<string, FieldKind>>,
): readonly ColumnField[] {
  const chosen = new Map<string, ColumnFacts>()
  const names = (): string =>
    all
      .map(({ name }) => name)
      .slice(0, 20)
      .join(', ')
  if (columns === undefined) for (const facts of all) if (fieldOf(facts)) chosen.set(facts.name, facts)
  for (const wanted of columns ?? []) {
    const found = all.filter(({ name, path }) => name === wanted || path[0] === wanted)
    const exact = found.find(({ name }) => name === wanted)
    if (found.length === 0)
      throw new HeadraceError('E_USAGE', `there is no column ${show(wanted)}; there are ${names()}`, { field: wanted })
    for (const facts of exact ? [exact] : found) {
      if (fieldOf(facts) === undefined)
        throw new HeadraceError('E_UNSUPPORTED', `column ${show(facts.name)} holds lists of texts or of lists`, {
          field: facts.name,
        })
      chosen.set(facts.name, facts)
    }
  }
  if (chosen.size === 0)
    throw new HeadraceError('E_USAGE', `there is no column that a field holds; there are ${names()}`)
  for (const name of Object.keys(types))
    if (!chosen.has(name))
      throw new HeadraceError(
        'E_USAGE',
        `types: there is no field ${show(name)}; there are ${[...chosen.keys()].join(', ')}`,
      )
  return Array.from(chosen.values(), (facts) => {
    const { name } = facts
    return { name, facts, field: typed(name, fieldOf(facts) as Field, types[name]) }
  })
}
