import type { Distribution, Warning } from '../types.ts'
import { distributionOf } from './distributions.ts'
import { configError, shown } from './errors.ts'
import { type ConfigNode, isNull, type MapNode, mapNode, type Place, type PlainValue, plain } from './node.ts'
import { isSecret } from './secrets.ts'
import { closest } from './suggestion.ts'

export interface NumberRange {
  readonly min?: number
  readonly max?: number
}

interface MutableTree {
  [key: string]: PlainValue | MutableTree
}

/** What all sections of one config share. */
export class Reading {
  readonly warnings: Warning[] = []
  /** Every key that is known, with what is given or DLIO's default. */
  readonly resolved: MutableTree = {}

  warn(message: string, key: string, place: Place | undefined): void {
    const { file, line, column } = place ?? {}
    this.warnings.push({
      message,
      key,
      ...(file !== undefined && { file }),
      ...(line !== undefined && { line }),
      ...(column !== undefined && { column }),
    })
  }
}

/**
 * A map of a config whose keys are asked for one by one, each once and with its type and default. What nobody asked for
 * is unknown: `close` warns of it.
 */
export class Section {
  readonly #reading: Reading
  readonly #entries: ReadonlyMap<string, ConfigNode>
  readonly #path: string
  readonly #resolved: MutableTree
  readonly #known = new Set<string>()

  private constructor(reading: Reading, map: MapNode, path: string, resolved: MutableTree) {
    this.#reading = reading
    this.#entries = map.entries
    this.#path = path
    this.#resolved = resolved
  }

  static root(reading: Reading, map: MapNode): Section {
    return new Section(reading, map, '', reading.resolved)
  }

  keyOf(name: string): string {
    return this.#path === '' ? name : `${this.#path}.${name}`
  }

  /** Whether the config itself says something of the key. */
  has(name: string): boolean {
    return this.#entries.has(name)
  }

  node(name: string): ConfigNode | undefined {
    return this.#entries.get(name)
  }

  place(name: string): Place | undefined {
    return this.#entries.get(name)?.place
  }

  warn(name: string, message: string): void {
    const node = this.#entries.get(name)
    this.#reading.warn(message, this.keyOf(name), node?.named ?? node?.place)
  }

  /** E_CONFIG about a key of this section. */
  error(name: string, message: string, hint?: string): Error {
    return configError(this.place(name), `${this.keyOf(name)} ${message}`, hint, this.keyOf(name))
  }

  #refuse(name: string, node: ConfigNode, wanted: string): Error {
    const place = node.place
    return configError(
      place,
      `${this.keyOf(name)} must be ${wanted}, but is ${shown(node, name)}`,
      undefined,
      this.keyOf(name),
    )
  }

  #note<T extends PlainValue>(name: string, value: T): T {
    this.#known.add(name)
    this.#resolved[name] = value
    return value
  }

  /** Without a range an integer may be negative. */
  integer(
    name: string,
    fallback: number,
    { min = -Number.MAX_SAFE_INTEGER, max = Number.MAX_SAFE_INTEGER }: NumberRange = {},
  ): number {
    const node = this.#entries.get(name)
    if (node === undefined) return this.#note(name, fallback)
    const value = node.kind === 'scalar' ? node.value : undefined
    // 16.0 is an integer to whoever wrote 1.6e1.
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < min || value > max)
      throw this.#refuse(name, node, rangeText('an integer', min, max, Number.MAX_SAFE_INTEGER))
    return this.#note(name, value)
  }

  /** null where DLIO has no default. */
  optionalInteger(name: string, range: NumberRange = {}): number | null {
    if (isNull(this.#entries.get(name))) return this.#note(name, null)
    return this.integer(name, 0, range)
  }

  number(name: string, fallback: number, { min = -Infinity, max = Infinity }: NumberRange = {}): number {
    const node = this.#entries.get(name)
    if (node === undefined) return this.#note(name, fallback)
    const value = node.kind === 'scalar' ? node.value : undefined
    if (typeof value !== 'number' || !Number.isFinite(value) || value < min || value > max)
      throw this.#refuse(name, node, rangeText('a number', min, max, Infinity))
    return this.#note(name, value)
  }

  boolean(name: string, fallback: boolean): boolean {
    const node = this.#entries.get(name)
    if (node === undefined) return this.#note(name, fallback)
    if (node.kind === 'scalar' && typeof node.value === 'boolean') return this.#note(name, node.value)
    throw this.#refuse(name, node, 'true or false')
  }

  text(name: string, fallback: string): string {
    return this.optionalText(name, fallback) ?? fallback
  }

  optionalText(name: string, fallback: string | null = null): string | null {
    const node = this.#entries.get(name)
    if (isNull(node) || node === undefined) return this.#note(name, fallback)
    if (node.kind === 'scalar' && typeof node.value === 'string') return this.#note(name, node.value)
    // A name of digits is a number to YAML.
    if (node.kind === 'scalar' && typeof node.value === 'number') return this.#note(name, String(node.value))
    throw this.#refuse(name, node, 'a text')
  }

  choice<T extends string>(name: string, fallback: T, allowed: readonly T[]): T
  choice<T extends string>(name: string, fallback: T | null, allowed: readonly T[]): T | null
  choice<T extends string>(name: string, fallback: T | null, allowed: readonly T[]): T | null {
    const node = this.#entries.get(name)
    if (node === undefined || (fallback === null && isNull(node))) return this.#note(name, fallback)
    const value = node.kind === 'scalar' ? node.value : undefined
    const found = allowed.find((each) => each === value)
    if (found !== undefined) return this.#note(name, found)
    const near = typeof value === 'string' ? closest(value, allowed) : undefined
    throw configError(
      node.place,
      `${this.keyOf(name)} must be one of ${allowed.join(', ')}, but is ${shown(node)}`,
      near === undefined ? undefined : `did you mean ${near}?`,
      this.keyOf(name),
    )
  }

  integers(name: string, range: NumberRange = {}): readonly number[] {
    const node = this.#entries.get(name)
    if (isNull(node) || node === undefined) return this.#note(name, [])
    const { min = -Number.MAX_SAFE_INTEGER } = range
    const items = node.kind === 'list' ? node.items.map(plain) : undefined
    const numbers = items?.filter((item) => typeof item === 'number' && Number.isSafeInteger(item) && item >= min)
    if (items === undefined || numbers?.length !== items.length)
      throw this.#refuse(
        name,
        node,
        rangeText('a list of integers', min, Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER),
      )
    return this.#note(name, numbers as number[])
  }

  /** One text is a list of one. */
  texts(name: string): readonly string[] {
    const node = this.#entries.get(name)
    if (isNull(node) || node === undefined) return this.#note(name, [])
    const items = (node.kind === 'list' ? node.items : [node]).map(plain)
    if (!items.every((item) => typeof item === 'string')) throw this.#refuse(name, node, 'a list of texts')
    return this.#note(name, items as string[])
  }

  /** `stdev`: the key beside it that DLIO takes the deviation of a bare number from. */
  distribution(name: string, stdev?: string): Distribution {
    const node = this.#entries.get(name)
    const beside = stdev === undefined ? undefined : this.#entries.get(stdev)
    this.#note(name, node === undefined ? 0 : plain(node))
    if (stdev !== undefined) this.#note(stdev, beside === undefined ? null : plain(beside))
    return distributionOf(node, beside, this.keyOf(name))
  }

  /** Maps of a list, one section each; their own keys are reported under `name`. */
  sections(name: string): readonly Section[] {
    const node = this.#entries.get(name)
    this.#note(name, node === undefined ? [] : plain(node))
    if (isNull(node) || node === undefined) return []
    if (node.kind !== 'list') throw this.#refuse(name, node, 'a list of maps')
    return node.items.map((item, i) => {
      if (item.kind !== 'map') throw this.#refuse(`${name}.${i}`, item, 'a map')
      return new Section(this.#reading, item, this.keyOf(`${name}.${i}`), {})
    })
  }

  /** Absent and null are empty. */
  section(name: string): Section {
    const node = this.#entries.get(name)
    this.#known.add(name)
    const resolved: MutableTree = {}
    this.#resolved[name] = resolved
    if (isNull(node) || node === undefined)
      return new Section(this.#reading, mapNode([], {}), this.keyOf(name), resolved)
    if (node.kind !== 'map') throw this.#refuse(name, node, 'a map')
    return new Section(this.#reading, node, this.keyOf(name), resolved)
  }

  /** A key that is known and changes nothing, which is said where it is given. One that was read before keeps its type. */
  without(name: string, reason: string): void {
    const node = this.#entries.get(name)
    const read = this.#known.has(name)
    this.#known.add(name)
    if (node === undefined) return
    if (!read) this.#resolved[name] = isSecret(name) ? '***' : plain(node)
    this.warn(name, `${this.keyOf(name)} has no effect: ${reason}`)
  }

  /** A key of other programs' about which nothing need be said. */
  passed(name: string): void {
    const node = this.#entries.get(name)
    this.#known.add(name)
    if (node !== undefined) this.#resolved[name] = plain(node)
  }

  /** A key whose value is not for messages and outputs. */
  secret(name: string): string | undefined {
    const node = this.#entries.get(name)
    this.#known.add(name)
    if (isNull(node) || node === undefined) return undefined
    this.#resolved[name] = '***'
    if (node.kind === 'scalar' && (typeof node.value === 'string' || typeof node.value === 'number'))
      return String(node.value)
    throw this.#refuse(name, node, 'a text')
  }

  /** What of the known keys the output shows instead of what was read. */
  set(name: string, value: PlainValue): void {
    this.#note(name, value)
  }

  /** Warns of what nobody asked for, with the nearest key that there is. */
  close(): void {
    for (const [name, node] of this.#entries) {
      if (this.#known.has(name)) continue
      this.#resolved[name] = isSecret(name) ? '***' : plain(node)
      const near = closest(name, this.#known)
      this.warn(
        name,
        `${this.keyOf(name)} is no key of DLIO's and is ignored${near === undefined ? '' : `; did you mean ${this.keyOf(near)}?`}`,
      )
    }
  }
}

function rangeText(what: string, min: number, max: number, infinite: number): string {
  if (max < infinite) return `${what} from ${min} to ${max}`
  return min > -infinite ? `${what} of ${min} or more` : what
}
