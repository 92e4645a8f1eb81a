import { HeadraceError } from '../errors.ts'

/**
 * A value of Python's literal syntax, as far as NumPy headers use it. Dicts are Maps; tuples and lists are arrays.
 */
export type PythonLiteral =
  | string
  | number
  | boolean
  | null
  | readonly PythonLiteral[]
  | ReadonlyMap<string, PythonLiteral>

/** Nothing that is read here nests deeper; a bound keeps hostile text from exhausting the stack. */
const MAX_DEPTH = 8

/**
 * Parses one literal and nothing after it but white space. Integers, True, False, None, plain strings without
 * escapes, tuples, lists, and dicts with string keys; anything else is E_CORRUPT naming `file`. Nothing is evaluated.
 */
export function parsePythonLiteral(text: string, file: string): PythonLiteral {
  let at = 0
  const fail = (wanted: string): HeadraceError =>
    new HeadraceError('E_CORRUPT', `${file}: header character ${at}: expected ${wanted}`, { path: file, offset: at })
  const space = (): void => {
    while (' \t\r\n'.includes(text[at] ?? 'end')) at++
  }
  const taken = (token: string): boolean => {
    space()
    if (!text.startsWith(token, at)) return false
    at += token.length
    return true
  }

  const string = (): string => {
    space()
    const quote = text[at]
    if (quote !== "'" && quote !== '"') throw fail('a string')
    const end = text.indexOf(quote, at + 1)
    if (end < 0) throw fail('the end of a string')
    const value = text.slice(at + 1, end)
    if (/[\\\r\n]/.test(value)) throw fail('a string without escapes')
    at = end + 1
    return value
  }

  const sequence = (close: ')' | ']', depth: number): PythonLiteral => {
    const items: PythonLiteral[] = []
    while (!taken(close)) {
      items.push(value(depth + 1))
      if (taken(',')) continue
      if (!taken(close)) throw fail(`"," or "${close}"`)
      // (x) without a comma is x itself in Python
      const only = items[0]
      return close === ')' && items.length === 1 && only !== undefined ? only : items
    }
    return items
  }

  const dict = (depth: number): PythonLiteral => {
    const entries = new Map<string, PythonLiteral>()
    while (!taken('}')) {
      const key = string()
      if (entries.has(key)) throw fail(`a key other than ${JSON.stringify(key)}`)
      if (!taken(':')) throw fail('":"')
      entries.set(key, value(depth + 1))
      if (!taken(',') && !/^\s*\}/.test(text.slice(at, at + 64))) throw fail('"," or "}"')
    }
    return entries
  }

  const value = (depth: number): PythonLiteral => {
    if (depth > MAX_DEPTH) throw fail('fewer brackets')
    space()
    if (taken('{')) return dict(depth)
    if (taken('(')) return sequence(')', depth)
    if (taken('[')) return sequence(']', depth)
    if (taken('True')) return true
    if (taken('False')) return false
    if (taken('None')) return null
    // Python 2's NumPy wrote long integers with an L
    const digits = /^-?\d{1,18}L?/.exec(text.slice(at, at + 20))?.[0]
    if (digits === undefined) return string()
    at += digits.length
    return Number(digits.replace('L', ''))
  }

  const result = value(0)
  space()
  if (at !== text.length) throw fail('the end')
  return result
}
