/** Percent-encoding as signatures want it: everything but RFC 3986's unreserved letters, by UTF-8 bytes, upper case. */

const PLAIN_PATH = /^[A-Za-z0-9\-._~/]*$/
const PLAIN = /^[A-Za-z0-9\-._~]*$/
/** What encodeURIComponent leaves alone and RFC 3986 reserves. */
const LEFT_ALONE = /[!'()*]/g

function escaped(letter: string): string {
  return `%${letter.charCodeAt(0).toString(16).toUpperCase()}`
}

/** A name or a value of a query. */
export function encodeQueryPart(text: string): string {
  return PLAIN.test(text) ? text : encodeURIComponent(text).replace(LEFT_ALONE, escaped)
}

/** A key in a path: `/` stays, nothing is normalised. */
export function encodeKey(key: string): string {
  return PLAIN_PATH.test(key) ? key : encodeQueryPart(key).replaceAll('%2F', '/')
}

export type QueryPairs = Iterable<readonly [string, string]>

/** A query as it is signed and sent: encoded, sorted by name and value, `name=` where there is no value. */
export function canonicalQuery(pairs: QueryPairs): string {
  const encoded: [string, string][] = []
  for (const [name, value] of pairs) encoded.push([encodeQueryPart(name), encodeQueryPart(value)])
  encoded.sort(([a, x], [b, y]) => (a < b ? -1 : a > b ? 1 : x < y ? -1 : x > y ? 1 : 0))
  return encoded.map(([name, value]) => `${name}=${value}`).join('&')
}

/** What `encoding-type=url` made of a key: also `+` for a space. A `%` that begins nothing is literal. */
export function decodeListed(text: string): string {
  if (!text.includes('%') && !text.includes('+')) return text
  return decodeURIComponent(text.replaceAll('+', ' '))
}
