import { show } from '../../../checks.ts'
import { HeadraceError } from '../../../errors.ts'
import { pythonFloat } from './dump.ts'
import { type ConfigNode, mapNode, type Place, type Scalar, type ScalarNode, scalarNode } from './node.ts'

/** The value of an override: one, or several that a sweep would run one after the other. */
export type OverrideValue = { readonly kind: 'value'; readonly node: ConfigNode } | { readonly kind: 'sweep' }

const MAX_DEPTH = 32

const NULL = /^null$/i
const BOOL = /^(?:true|false)$/i
const INT = /^[+-]?(?:0|[1-9](?:_?\d)*)$/
const FLOAT =
  /^[+-]?(?:(?:(?:\d(?:_?\d)*)?\.\d(?:_?\d)*|\d(?:_?\d)*\.)(?:e[+-]?\d(?:_?\d)*)?|\d(?:_?\d)*e[+-]?\d(?:_?\d)*|inf|nan)$/i

/** What a backslash takes its meaning from, outside quotes. */
const ESCAPED = '\\()[]{}:=, \t'

const SWEEPS: readonly string[] = ['choice', 'range', 'interval', 'glob', 'sort', 'shuffle', 'tag', 'extend_list']
const CASTS = ['int', 'float', 'bool', 'str'] as const
type Cast = (typeof CASTS)[number]

function typed(text: string, place: Place): ConfigNode {
  if (NULL.test(text)) return scalarNode(null, place)
  if (BOOL.test(text)) return scalarNode(text.toLowerCase() === 'true', place)
  const digits = text.replaceAll('_', '').toLowerCase()
  if (INT.test(text)) return scalarNode(Number(digits), place)
  if (!FLOAT.test(text)) return scalarNode(text, place)
  const value = digits.endsWith('inf') ? (digits.startsWith('-') ? -Infinity : Infinity) : Number(digits)
  return { kind: 'scalar', value, float: true, place }
}

/**
 * Parses what stands behind the `=` of an override by Hydra's grammar. E_USAGE says what is wrong, and where. `override`:
 * what messages call the whole; `offset`: where in it the value begins.
 */
export function parseOverrideValue(text: string, override: string, offset: number): OverrideValue {
  return new ValueParser(text, override, offset).whole()
}

class ValueParser {
  readonly #text: string
  readonly #override: string
  readonly #offset: number
  readonly #place: Place
  #at = 0
  #sweep = false

  constructor(text: string, override: string, offset: number) {
    this.#text = text
    this.#override = override
    this.#offset = offset
    this.#place = { override }
  }

  whole(): OverrideValue {
    if (this.#text.trim() === '') return { kind: 'value', node: scalarNode('', this.#place) }
    const node = this.#element(0)
    while (this.#taken(',')) {
      this.#sweep = true
      this.#element(0)
    }
    this.#space()
    if (this.#at < this.#text.length) throw this.#wrong(`${show(this.#text[this.#at])} is not expected here`)
    return this.#sweep ? { kind: 'sweep' } : { kind: 'value', node }
  }

  #wrong(message: string): HeadraceError {
    const at = this.#offset + this.#at + 1
    return new HeadraceError('E_USAGE', `override ${show(this.#override)}: ${message} (character ${at})`, {
      hint: 'a text with such characters goes into quotes of its own: \'workload.x="a(b"\'',
    })
  }

  #space(): void {
    while (this.#text[this.#at] === ' ' || this.#text[this.#at] === '\t') this.#at++
  }

  #taken(token: string): boolean {
    this.#space()
    if (this.#text[this.#at] !== token) return false
    this.#at++
    return true
  }

  #element(depth: number): ConfigNode {
    if (depth > MAX_DEPTH) throw this.#wrong(`nested deeper than ${MAX_DEPTH} levels`)
    this.#space()
    const place = this.#place
    const first = this.#text[this.#at]
    if (first === '[') return { kind: 'list', items: this.#sequence('[', ']', () => this.#element(depth + 1)), place }
    if (first === '{')
      return mapNode(
        this.#sequence('{', '}', () => this.#entry(depth + 1)),
        place,
      )
    if (first === "'" || first === '"') return scalarNode(this.#quoted(first), place)
    return this.#primitive(depth)
  }

  #sequence<T>(open: string, close: string, item: () => T): T[] {
    this.#taken(open)
    const items: T[] = []
    if (this.#taken(close)) return items
    do items.push(item())
    while (this.#taken(','))
    if (!this.#taken(close)) throw this.#wrong(`a ${close} is missing`)
    return items
  }

  #entry(depth: number): readonly [string, ConfigNode] {
    this.#space()
    const first = this.#text[this.#at]
    const key = first === "'" || first === '"' ? this.#quoted(first) : this.#unquoted(true).text
    if (!this.#taken(':')) throw this.#wrong('a : is missing behind a key')
    return [key, this.#element(depth)]
  }

  /** Backslashes count only before a quote; in pairs they are one each. */
  #quoted(quote: string): string {
    let out = ''
    for (this.#at++; this.#at < this.#text.length; this.#at++) {
      const [slashes = ''] = /^\\*/.exec(this.#text.slice(this.#at)) ?? []
      const next = this.#text[this.#at + slashes.length]
      if (next !== quote) {
        out += slashes + (next ?? '')
        this.#at += slashes.length
        continue
      }
      out += '\\'.repeat(Math.floor(slashes.length / 2))
      this.#at += slashes.length
      if (slashes.length % 2 === 0) {
        this.#at++
        return out
      }
      out += quote
    }
    throw this.#wrong(`the quote ${quote} does not end`)
  }

  #unquoted(isKey: boolean): { text: string; plain: boolean } {
    let out = ''
    let plain = true
    /** Where white space at the end begins that no backslash keeps. */
    let end = 0
    while (this.#at < this.#text.length) {
      const letter = this.#text[this.#at] as string
      const next = this.#text[this.#at + 1]
      if (letter === '\\' && next !== undefined && ESCAPED.includes(next)) {
        out += next
        plain = false
        this.#at += 2
        end = out.length
        continue
      }
      if (letter === '$' && next === '{') {
        out += this.#interpolation()
        end = out.length
        continue
      }
      if (',[]{}()'.includes(letter) || (isKey && letter === ':')) break
      if (letter === "'" || letter === '"') throw this.#wrong('a quote stands in the middle of a text')
      out += letter
      this.#at++
      if (letter !== ' ' && letter !== '\t') end = out.length
    }
    return { text: out.slice(0, end), plain }
  }

  #interpolation(): string {
    const from = this.#at
    let depth = 0
    while (this.#at < this.#text.length) {
      const letter = this.#text[this.#at++]
      if (letter === '{') depth++
      if (letter === '}' && --depth === 0) return this.#text.slice(from, this.#at)
    }
    this.#at = from
    throw this.#wrong('the interpolation ${ does not end')
  }

  #primitive(depth: number): ConfigNode {
    const { text, plain } = this.#unquoted(false)
    if (this.#text[this.#at] === '(' && /^[A-Za-z_]\w*$/.test(text)) return this.#call(text, depth)
    if (text === '') throw this.#wrong('a value is missing')
    return plain ? typed(text, this.#place) : scalarNode(text, this.#place)
  }

  #call(name: string, depth: number): ConfigNode {
    if (SWEEPS.includes(name)) {
      this.#sequence('(', ')', () => this.#argument(depth + 1))
      this.#sweep = true
      return scalarNode(null, this.#place)
    }
    const cast = CASTS.find((each) => each === name)
    if (cast === undefined) throw this.#wrong(`there is no function ${name}; there are ${CASTS.join(', ')}`)
    const [argument, ...more] = this.#sequence('(', ')', () => this.#argument(depth + 1))
    if (argument === undefined || more.length > 0) throw this.#wrong(`${name} takes one value`)
    return this.#cast(cast, argument)
  }

  /** `range(start=1,stop=3)` */
  #argument(depth: number): ConfigNode {
    this.#space()
    const [name = ''] = /^[A-Za-z_]\w*=/.exec(this.#text.slice(this.#at)) ?? []
    this.#at += name.length
    return this.#element(depth)
  }

  #cast(cast: Cast, node: ConfigNode): ConfigNode {
    if (node.kind === 'list') return { ...node, items: node.items.map((item) => this.#cast(cast, item)) }
    if (node.kind === 'map')
      return mapNode(
        [...node.entries].map(([key, value]) => [key, this.#cast(cast, value)] as const),
        this.#place,
      )
    const value = castScalar(cast, node)
    if (value === undefined) throw this.#wrong(`${show(node.value)} cannot be made ${cast}`)
    return { ...scalarNode(value, this.#place), ...(cast === 'float' && { float: true as const }) }
  }
}

function castScalar(cast: Cast, { value, float }: ScalarNode): Scalar | undefined {
  if (value === null) return undefined
  if (cast === 'str') return typeof value === 'number' && float === true ? pythonFloat(value) : String(value)
  if (cast === 'bool') {
    if (typeof value !== 'string') return Boolean(value)
    return /^true$/i.test(value) ? true : /^false$/i.test(value) ? false : undefined
  }
  const number = typeof value === 'string' ? (value.trim() === '' ? Number.NaN : Number(value)) : Number(value)
  if (Number.isNaN(number)) return undefined
  return cast === 'int' ? Math.trunc(number) : number
}
