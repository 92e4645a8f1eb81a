import { HeadraceError } from '../../errors.ts'
import { locate } from '../../storage/open.ts'

/** Names that one text may stand for: a slip of a digit must not make billions. */
const MOST = 100_000

/** Braces that stand for several texts. */
interface Braces {
  /** Of `{` and behind `}`. */
  readonly start: number
  readonly end: number
  readonly alternatives: readonly string[]
}

/** A URL with braces: the folder before them, and the names below it that it stands for. */
export interface BracedNames {
  /** With `/` at its end, and the query. */
  readonly folder: string
  /** What stands behind the folder, without the query. */
  readonly pattern: string
  readonly names: readonly string[]
  /** Options of the store, with their `?`; '' where there are none. */
  readonly query: string
}

/** undefined for a URL without braces. E_LIMIT. */
export function bracedNames(url: string): BracedNames | undefined {
  if (firstBraces(url) === undefined) return undefined
  const hasQuery = Object.keys(locate(url).options).length > 0
  const query = hasQuery ? url.slice(url.lastIndexOf('?')) : ''
  const path = url.slice(0, url.length - query.length)
  const at = firstBraces(path)?.start
  if (at === undefined) return undefined
  const cut = path.lastIndexOf('/', at) + 1
  const pattern = path.slice(cut)
  return { folder: `${path.slice(0, cut) || './'}${query}`, pattern, names: expandBraces(pattern), query }
}

/** `a-{00..02}.tar` is `a-00.tar`, `a-01.tar`, `a-02.tar`; `{a,b}` is `a`, `b`. As a shell does it. E_LIMIT. */
function expandBraces(text: string): string[] {
  const braces = firstBraces(text)
  if (braces === undefined) return [text]
  const before = text.slice(0, braces.start)
  const after = expandBraces(text.slice(braces.end))
  const all: string[] = []
  for (const alternative of braces.alternatives)
    for (const inner of expandBraces(alternative))
      for (const rest of after) {
        if (all.length === MOST) throw tooMany(text)
        all.push(before + inner + rest)
      }
  return all
}

/** The first outer braces that hold a list or a range. */
function firstBraces(text: string): Braces | undefined {
  for (let start = text.indexOf('{'); start >= 0; start = text.indexOf('{', start + 1)) {
    const parts = partsFrom(text, start)
    if (parts === undefined) continue
    const [only = ''] = parts
    const end = start + 2 + parts.join(',').length
    const alternatives = parts.length > 1 ? parts : rangeOf(only)
    if (alternatives !== undefined) return { start, end, alternatives }
  }
  return undefined
}

/** What lies between a brace and the one that closes it, cut at the commas that lie in no braces within. */
function partsFrom(text: string, start: number): string[] | undefined {
  const parts: string[] = []
  let depth = 0
  let from = start + 1
  for (let at = start; at < text.length; at++) {
    const letter = text[at]
    if (letter === '{') depth++
    else if (letter === '}') depth--
    const ends = depth === 0
    if (!ends && !(letter === ',' && depth === 1)) continue
    parts.push(text.slice(from, at))
    from = at + 1
    if (ends) return parts
  }
  return undefined
}

function tooMany(text: string): HeadraceError {
  return new HeadraceError('E_LIMIT', `${text} stands for more than ${MOST} names`)
}

function rangeOf(inner: string): readonly string[] | undefined {
  const [, from, to] = /^(\d+)\.\.(\d+)$/.exec(inner) ?? []
  if (from === undefined || to === undefined) return undefined
  const [first, last] = [Number(from), Number(to)]
  const count = Math.abs(last - first) + 1
  if (!(count <= MOST)) throw tooMany(`{${inner}}`)
  // A number that begins with 0 says how many digits all have.
  const padded = [from, to].some((end) => end.length > 1 && end.startsWith('0'))
  const digits = padded ? Math.max(from.length, to.length) : 0
  const step = first <= last ? 1 : -1
  return Array.from({ length: count }, (_, i) => String(first + i * step).padStart(digits, '0'))
}
