import { HeadraceError } from '../../errors.ts'
import type { HttpResponse, Origin } from '../http/types.ts'

/** Where a server sends a request on to. */
export interface Redirect {
  readonly origin: Origin
  /** Path and query. */
  readonly target: string
  /** The same host, protocol and port: only then is it signed. */
  readonly trusted: boolean
}

const STATUSES: readonly number[] = [301, 302, 307, 308]

/** What an answer redirects to, if it does. E_ACCESS where it leads from https to http, which is not followed. */
export function redirectOf({ status, headers }: HttpResponse, from: Origin, doing: string): Redirect | undefined {
  const location = headers.location
  if (!STATUSES.includes(status) || location === undefined) return undefined
  const bracketed = from.host.includes(':') ? `[${from.host}]` : from.host
  const base = `${from.protocol}//${bracketed}:${from.port}`
  if (!URL.canParse(location, base)) return undefined
  const url = new URL(location, base)
  const { protocol } = url
  if (protocol !== 'http:' && protocol !== 'https:') return undefined
  if (protocol === 'http:' && from.protocol === 'https:')
    throw new HeadraceError(
      'E_ACCESS',
      `cannot ${doing}: the server redirects from https to http, which is not followed`,
      {
        url: url.origin,
        status,
      },
    )
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
  const port = url.port === '' ? (protocol === 'https:' ? 443 : 80) : Number(url.port)
  const trusted = host === from.host && port === from.port && protocol === from.protocol
  return { origin: { protocol, host, port }, target: `${url.pathname}${url.search}`, trusted }
}
