import { HeadraceError, throwIfAborted } from '../../errors.ts'
import { compareKeys } from '../keys.ts'
import type { ListEntry, ListOptions } from '../types.ts'
import type { S3Connection } from './connection.ts'
import { wholePrefix } from './keys.ts'
import { type ListPage, readListPage } from './list-page.ts'

/** Bytes; see the bound of XML. */
const MAX_PAGE = 64 * 2 ** 20

/** Behind every key that begins with what it is put after: U+10FFFF is UTF-8's last character. */
const LAST = '\u{10ffff}'

interface PageRequest {
  /** Whole, in the bucket. */
  readonly prefix: string
  readonly delimiter: string | undefined
  readonly startAfter: string | undefined
  readonly token: string | undefined
  readonly maxKeys?: number
}

function fetchPage(connection: S3Connection, request: PageRequest, options: ListOptions): Promise<ListPage> {
  const { prefix, delimiter, startAfter, token, maxKeys } = request
  const query: (readonly [string, string])[] = [
    ['list-type', '2'],
    ['encoding-type', 'url'],
    ['prefix', prefix],
  ]
  if (delimiter !== undefined) query.push(['delimiter', delimiter])
  if (maxKeys !== undefined) query.push(['max-keys', `${maxKeys}`])
  if (token !== undefined) query.push(['continuation-token', token])
  else if (startAfter !== undefined) query.push(['start-after', startAfter])
  return connection.send(
    {
      method: 'GET',
      doing: 'list',
      idempotent: true,
      maxBody: MAX_PAGE,
      query,
      read: ({ body }) => readListPage(body),
    },
    options,
  )
}

/**
 * Keys under a prefix, page by page: 1,000 a request, the next page on its way while one is given out. Memory: two
 * pages.
 */
export async function* listObjects(
  connection: S3Connection,
  prefix: string,
  options: ListOptions,
): AsyncGenerator<ListEntry> {
  const { delimiter, signal, startAfter = '' } = options
  const { config } = connection
  const whole = wholePrefix(config, prefix)
  throwIfAborted(signal, 'list')
  // A fetch that nobody waits for any more is ended with the listing.
  const stop = new AbortController()
  const onAbort = () => stop.abort(signal?.reason)
  signal?.addEventListener('abort', onAbort, { once: true })
  const call = { ...options, signal: stop.signal }
  let next: Promise<ListPage> | undefined
  try {
    const start = startAfter === '' ? undefined : config.root + startAfter
    const rolled = start === undefined ? undefined : rolledPrefix(whole, start, delimiter)
    if (start !== undefined && rolled !== undefined && (await hasAfter(connection, rolled, start, call)))
      yield { kind: 'prefix', prefix: rolled.slice(config.root.length) }
    const from = rolled === undefined ? start : rolled + LAST
    let last = start ?? ''
    let token: string | undefined
    const fetchNext = () => fetchPage(connection, { prefix: whole, delimiter, startAfter: from, token }, call)
    next = fetchNext()
    while (next !== undefined) {
      const page: ListPage = await next
      throwIfAborted(signal, 'list')
      if (page.token !== undefined && page.token === token)
        throw wrong(connection, 'the next page is the same one again')
      token = page.token
      next = token === undefined ? undefined : fetchNext()
      // Its failure is told when its turn comes, or not at all.
      next?.catch(() => {})
      for (const entry of page.entries) {
        throwIfAborted(signal, 'list')
        const name = entry.kind === 'object' ? entry.key : entry.prefix
        if (!name.startsWith(whole)) throw wrong(connection, 'there are other keys in it than were asked for')
        // Servers differ on a prefix in which the start lies: it was dealt with above.
        if (rolled !== undefined && name === rolled) continue
        if (last !== '' && compareKeys(name, last) <= 0) {
          // A server that knows no start, or what ended the page before.
          if (last === start || name === last) continue
          throw wrong(connection, 'its keys are not in the order of their bytes')
        }
        last = name
        // The marker of the store's own folder has no key in it.
        if (name === config.root) continue
        if (config.root === '') yield entry
        else if (entry.kind === 'prefix') yield { kind: 'prefix', prefix: name.slice(config.root.length) }
        else yield { ...entry, key: name.slice(config.root.length) }
      }
    }
  } finally {
    signal?.removeEventListener('abort', onAbort)
    stop.abort(new HeadraceError('E_CANCELLED', 'the listing was left'))
  }
}

/** The rolled-up prefix in which the start lies: it is listed if there is a key in it behind the start. */
function rolledPrefix(whole: string, start: string, delimiter: string | undefined): string | undefined {
  if (delimiter === undefined || !start.startsWith(whole)) return undefined
  const cut = start.indexOf(delimiter, whole.length)
  return cut < 0 ? undefined : start.slice(0, cut + delimiter.length)
}

async function hasAfter(
  connection: S3Connection,
  prefix: string,
  startAfter: string,
  options: ListOptions,
): Promise<boolean> {
  const request = { prefix, delimiter: undefined, startAfter, token: undefined, maxKeys: 1 }
  const { entries } = await fetchPage(connection, request, options)
  return entries.length > 0
}

function wrong(connection: S3Connection, reason: string): HeadraceError {
  const { url } = connection.config
  return new HeadraceError('E_CORRUPT', `cannot list ${url}: ${reason}`, { url })
}
