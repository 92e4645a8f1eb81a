import { show } from '../../checks.ts'
import { HeadraceError } from '../../errors.ts'
import type { HeaderFields, HttpHead } from './types.ts'

/** The head of an answer, and what it says about the connection. */
export interface AnswerHead extends HttpHead {
  readonly version: '1.0' | '1.1'
}

/** Far above what any store sends; every field costs memory. */
const MAX_FIELDS = 256

/** What no head may hold: control characters but for tabs, and line ends other than CR LF. */
const FORBIDDEN = /[^\t\r\n\x20-\x7e\x80-\xff]|\r(?!\n)|(?<!\r)\n/

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/

/** Names as servers spell them -> in lower case: most answers bring the same few. */
const knownNames = new Map<string, string>()
const MAX_KNOWN_NAMES = 256
const MAX_KNOWN_LENGTH = 64

const TAB = 9
const SPACE = 32

/** `text`: all of a head but for the empty line that ends it. E_CORRUPT where it is not one of HTTP/1. */
export function parseHead(text: string): AnswerHead {
  const forbidden = FORBIDDEN.exec(text)
  if (forbidden !== null) {
    const where = text.slice(Math.max(0, forbidden.index - 20), forbidden.index + 20)
    throw corrupt(`the head of the answer has a control character or a bare line end in it: ${show(where)}`)
  }
  let end = text.indexOf('\r\n')
  if (end < 0) end = text.length
  const version = versionOf(text, end)
  const status = statusOf(text, end)
  const headers: Record<string, string> = Object.create(null)
  let fields = 0
  for (let at = end + 2; at < text.length; at = end + 2) {
    end = text.indexOf('\r\n', at)
    if (end < 0) end = text.length
    if (++fields > MAX_FIELDS)
      throw new HeadraceError('E_LIMIT', `the answer has more than ${MAX_FIELDS} header fields`)
    addField(headers, text, at, end)
  }
  return { status, headers, version }
}

/** What a server sent where HTTP was expected, for a message. */
export function excerpt(text: string): string {
  return show(text.length > 60 ? `${text.slice(0, 60)}…` : text)
}

export function corrupt(reason: string): HeadraceError {
  return new HeadraceError('E_CORRUPT', reason)
}

function versionOf(text: string, end: number): '1.0' | '1.1' {
  if (text.startsWith('HTTP/1.1 ')) return '1.1'
  if (text.startsWith('HTTP/1.0 ')) return '1.0'
  throw corrupt(`the answer is not HTTP/1: it starts with ${excerpt(text.slice(0, end))}`)
}

function statusOf(text: string, end: number): number {
  const status = text.slice(9, 12)
  if (end < 12 || (end > 12 && text.charCodeAt(12) !== SPACE) || !/^[1-9][0-9][0-9]$/.test(status))
    throw corrupt(`the answer has no status: ${excerpt(text.slice(0, end))}`)
  return Number(status)
}

function addField(headers: Record<string, string>, text: string, from: number, end: number): void {
  const colon = text.indexOf(':', from)
  if (colon < 0 || colon >= end) throw corrupt(`a header field has no colon: ${excerpt(text.slice(from, end))}`)
  const name = fieldName(text.slice(from, colon))
  let first = colon + 1
  while (first < end && isBlank(text.charCodeAt(first))) first++
  let last = end
  while (last > first && isBlank(text.charCodeAt(last - 1))) last--
  const value = text.slice(first, last)
  const before = headers[name]
  if (before === undefined) headers[name] = value
  else if (name !== 'content-length') headers[name] = `${before}, ${value}`
  else if (before !== value)
    throw corrupt(`the answer has two lengths: content-length ${excerpt(before)} and ${excerpt(value)}`)
}

function isBlank(code: number): boolean {
  return code === SPACE || code === TAB
}

/** A folded line, and blanks before the colon, are no token either: some servers read them otherwise than others. */
function fieldName(spelt: string): string {
  const known = knownNames.get(spelt)
  if (known !== undefined) return known
  if (!TOKEN.test(spelt)) throw corrupt(`a header field has a bad name: ${excerpt(spelt)}`)
  const name = spelt.toLowerCase()
  if (knownNames.size < MAX_KNOWN_NAMES && spelt.length <= MAX_KNOWN_LENGTH) {
    // Copies: a slice would keep all of its head in memory.
    knownNames.set(copyOf(spelt), copyOf(name))
  }
  return name
}

function copyOf(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1')
}

/** Whether a list of tokens ('keep-alive, Close') has this one, which is in lower case. */
export function hasToken(list: string, token: string): boolean {
  return list.length === token.length
    ? list.toLowerCase() === token
    : list.split(',').some((part) => part.trim().toLowerCase() === token)
}

/** Milliseconds that the server says it keeps an idle connection open: `keep-alive: timeout=5`. */
export function keepAliveTimeout(headers: HeaderFields): number | undefined {
  const value = headers['keep-alive']
  if (value === undefined) return undefined
  const seconds = /(?:^|[\s,;])timeout=(\d{1,6})(?:$|[\s,;])/i.exec(value)?.[1]
  return seconds === undefined ? undefined : Number(seconds) * 1000
}
