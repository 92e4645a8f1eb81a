import { isIPv6 } from 'node:net'
import { show } from '../../checks.ts'
import { HeadraceError } from '../../errors.ts'
import type { HttpRequest, Origin } from './types.ts'

const TARGET = /^\/[\x21-\x7e]*$/
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/
/** What a field's value may not hold: it would start another field, or cannot be written as one byte. */
const NO_VALUE = /[^\t\x20-\x7e\x80-\xff]/

const DEFAULT_PORTS: Readonly<Record<Origin['protocol'], number>> = { 'http:': 80, 'https:': 443 }

/** 'host' or 'host:port', as in a URL. */
export function authorityOf({ protocol, host, port }: Origin): string {
  const name = isIPv6(host) ? `[${host}]` : host
  return port === DEFAULT_PORTS[protocol] ? name : `${name}:${port}`
}

/** What a request is called in messages: without its query, which may hold a signature. */
export function urlOf({ origin, target }: HttpRequest): string {
  const query = target.indexOf('?')
  return `${origin.protocol}//${authorityOf(origin)}${query < 0 ? target : target.slice(0, query)}`
}

/** Bytes of the body. */
export function bodySize(request: HttpRequest): number {
  let size = 0
  for (const piece of request.body ?? []) size += piece.length
  return size
}

/** The request up to its body, one byte a character. E_USAGE for what would not arrive as it was meant. */
export function requestHead(request: HttpRequest, authority: string, size: number): string {
  const { method, target, headers } = request
  if (!TARGET.test(target)) {
    // The query may be a secret.
    const [path = ''] = target.split('?', 1)
    const got = TARGET.test(path) ? `a query for ${show(path)} that is none` : show(path)
    throw new HeadraceError('E_USAGE', `a request's target must be an encoded path, but got ${got}`)
  }
  let head = `${method} ${target} HTTP/1.1\r\n`
  if (headers.host === undefined) head += `host: ${authority}\r\n`
  for (const name in headers) {
    const value = headers[name] ?? ''
    if (!TOKEN.test(name))
      throw new HeadraceError('E_USAGE', `a header's name must be a token in lower case, but got ${show(name)}`)
    // The value may be a secret.
    if (NO_VALUE.test(value))
      throw new HeadraceError('E_USAGE', `the header ${name} must not hold control or wide characters`)
    head += `${name}: ${value}\r\n`
  }
  checkLength(headers, size)
  if (headers['content-length'] === undefined && (size > 0 || method === 'PUT' || method === 'POST'))
    head += `content-length: ${size}\r\n`
  return `${head}\r\n`
}

function checkLength(headers: HttpRequest['headers'], size: number): void {
  const length = headers['content-length']
  if (length !== undefined && length !== `${size}`)
    throw new HeadraceError('E_USAGE', `content-length must be the body's ${size} bytes, but got ${show(length)}`)
  if (headers['transfer-encoding'] !== undefined)
    throw new HeadraceError('E_USAGE', 'a request of known length has no transfer-encoding')
}
