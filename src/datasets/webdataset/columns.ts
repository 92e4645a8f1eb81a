import { show } from '../../checks.ts'
import { HeadraceError } from '../../errors.ts'
import type { Columns, NumberColumn } from '../../formats/columns.ts'
import type { Field, FieldKind } from '../types.ts'
import { kindOf } from './fields.ts'
import { ABSENT, type ExtensionFacts, type WebDatasetFacts } from './index-build.ts'

/** A field of a sample, and under which extensions it may lie: the first that a sample has. */
export interface MemberField {
  readonly name: string
  readonly kind: FieldKind
  readonly extensions: readonly MemberColumns[]
}

/** Where an extension's bytes lie, of every sample. */
interface MemberColumns {
  readonly facts: ExtensionFacts
  readonly offsets: NumberColumn
  readonly sizes: NumberColumn
}

export interface Place {
  readonly offset: number
  readonly size: number
  readonly extension: string
}

/** `['jpg;png', 'cls']` or `{ image: 'jpg;png', label: 'cls' }`. */
export type Extensions = readonly string[] | Readonly<Record<string, string>>

/** Field names and the extensions that each may have. */
function asked(extensions: Extensions): readonly (readonly [string, readonly string[]])[] {
  const split = (text: unknown): readonly string[] => {
    const names = typeof text === 'string' ? text.split(';').map((name) => name.replace(/^\./, '').toLowerCase()) : []
    if (names.length > 0 && !names.includes('')) return names
    throw new HeadraceError('E_USAGE', `extensions must be like 'jpg' or 'jpg;png', but got ${show(text)}`)
  }
  if (!Array.isArray(extensions)) return Object.entries(extensions).map(([name, text]) => [name, split(text)])
  return extensions.map((text) => {
    const names = split(text)
    return [names[0] as string, names]
  })
}

/**
 * The fields of a dataset: those asked for, which every sample must have, or a field for each extension that every sample
 * has. E_USAGE says of what is asked for how many samples lack it.
 */
export function memberFields(
  columns: Columns,
  length: number,
  extensions: Extensions | undefined,
  types: Readonly<Record<string, FieldKind>>,
): readonly MemberField[] {
  const { extensions: all } = columns.about as unknown as WebDatasetFacts
  const whole = all.filter(({ count }) => count === length)
  const wanted = extensions === undefined ? whole.map(({ name }) => [name, [name]] as const) : asked(extensions)
  const made = wanted.map(([name, names]): MemberField => {
    const found = names.flatMap((each): MemberColumns[] => {
      const i = all.findIndex((facts) => facts.name === each)
      const facts = all[i]
      if (facts === undefined) return []
      return [{ facts, offsets: columns.numbers(`offset${i}`), sizes: columns.numbers(`size${i}`) }]
    })
    const lacking = lackingIn(found, length)
    if (lacking > 0) throw missing(names, lacking, length, whole)
    return { name, kind: types[name] ?? usualKind(found), extensions: found }
  })
  if (made.length === 0)
    throw new HeadraceError('E_USAGE', 'no extension is in every sample: the option extensions says which are meant', {
      hint: `there are ${all.map(({ name, count }) => `${name} in ${count} of ${length}`).join(', ')}`,
    })
  return made
}

/** Arrays that differ in size differ in shape: no tensor holds them. */
function usualKind(found: readonly MemberColumns[]): FieldKind {
  const kinds = new Set(found.map(({ facts }) => kindOf(facts.name)))
  const [kind = 'bytes'] = kinds
  if (kinds.size > 1) return 'bytes'
  const sizes = new Set(found.flatMap(({ facts }) => [facts.least, facts.largest]))
  return kind === 'tensor' && sizes.size > 1 ? 'bytes' : kind
}

function lackingIn(found: readonly MemberColumns[], length: number): number {
  const [only] = found
  if (found.length === 1 && only !== undefined) return length - only.facts.count
  let lacking = 0
  for (let id = 0; id < length; id++) if (!found.some(({ sizes }) => sizes.at(id) !== ABSENT)) lacking++
  return lacking
}

function missing(
  names: readonly string[],
  lacking: number,
  length: number,
  whole: readonly ExtensionFacts[],
): HeadraceError {
  const what = names.map((name) => `.${name}`).join(' or ')
  return new HeadraceError('E_USAGE', `${lacking} of ${length} samples have no ${what}`, {
    hint: `every sample has ${whole.map(({ name }) => `.${name}`).join(', ') || 'nothing in common'}`,
  })
}

/** Where a sample's field lies in its shard. */
export function placeOf({ extensions }: MemberField, id: number): Place {
  for (const { facts, offsets, sizes } of extensions) {
    const size = sizes.at(id)
    if (size !== ABSENT) return { offset: offsets.at(id), size, extension: facts.name }
  }
  // Fields that a sample lacks are refused when the dataset is opened.
  return { offset: 0, size: 0, extension: '' }
}

/** Of a field that is no tensor. */
export function fieldOf(kind: FieldKind): Field {
  return kind === 'number' ? { kind, dtype: 'int64' } : { kind }
}
