import { readFileSync, statSync } from 'node:fs'
import { show } from '../../checks.ts'
import { HeadraceError } from '../../errors.ts'
import { isAbsent } from '../file/descriptor.ts'
import type { Origin } from '../http/types.ts'
import { withoutSecrets } from '../url.ts'
import type { Endpoint } from './types.ts'

/** More servers of one content than anybody has: a template of more is a slip of the pen. */
const MAX_ENDPOINTS = 1024
const MAX_LIST_BYTES = 2 ** 20

const DEFAULT_PORTS = { 'http:': 80, 'https:': 443 } as const

/** 'http://host:9000/base' as messages and reports name it. */
export function endpointName({ origin, basePath }: Endpoint): string {
  const host = origin.host.includes(':') ? `[${origin.host}]` : origin.host
  const port = origin.port === DEFAULT_PORTS[origin.protocol] ? '' : `:${origin.port}`
  return `${origin.protocol}//${host}${port}${basePath}`
}

/** The servers of a store as one text, whatever their order was. */
export function endpointNames(endpoints: readonly Endpoint[]): string {
  return endpoints.map(endpointName).sort().join(',')
}

/**
 * An endpoint by its URL: 'https://host', 'http://[::1]:9000/base/'. Without a scheme ('host:9000'), or with that of
 * the store ('s3://host:9000'), it is http, on port 443 https. E_CONFIG for anything else; a name or password in it is
 * refused and not quoted.
 */
export function parseEndpoint(text: string): Endpoint {
  const refuse = (reason: string): never => {
    throw new HeadraceError('E_CONFIG', `an endpoint must be a URL such as http://host:9000, but ${reason}`)
  }
  const [, scheme, rest = ''] = /^(?:([a-z][a-z0-9+.-]*):\/\/)?(.*)$/is.exec(text.trim()) ?? []
  if (text.includes('@')) return refuse('got one with credentials in it')
  const plain = scheme === undefined || /^(s3|az|gs)$/i.test(scheme)
  if (!plain && !/^https?$/i.test(scheme)) return refuse(`got ${show(withoutSecrets(text))}`)
  const href = `${plain ? (/:443\/?$/.test(rest) ? 'https' : 'http') : scheme}://${rest}`
  if (rest.startsWith('/') || !URL.canParse(href)) return refuse(`got ${show(withoutSecrets(text))}`)
  const url = new URL(href)
  if (url.search !== '' || url.hash !== '') return refuse(`got ${show(withoutSecrets(text))}`)
  if (plain && scheme !== undefined && url.pathname !== '/')
    return refuse(`got ${show(withoutSecrets(text))}: its bucket and prefix stand in the URL of the store`)
  const protocol = url.protocol as Origin['protocol']
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
  const port = url.port === '' ? DEFAULT_PORTS[protocol] : Number(url.port)
  return { origin: { protocol, host, port }, basePath: url.pathname.replace(/\/+$/, '') }
}

const RANGE = /\{(\d+)\.{2,3}(\d+)\}/

/**
 * What a template stands for: 'http://h{1...16}:9000' is 16 texts, several ranges every combination, the last one
 * turning fastest. Leading zeros of the first number are kept: {01...16}. E_CONFIG above 1,024.
 */
export function expandTemplate(template: string): string[] {
  const [found, first = '', last = ''] = RANGE.exec(template) ?? []
  if (found === undefined) {
    if (/[{}]/.test(template))
      throw new HeadraceError(
        'E_CONFIG',
        `an endpoint template has ranges such as {1...16}, but got ${show(withoutSecrets(template))}`,
      )
    return [template]
  }
  const [from, to] = [Number(first), Number(last)]
  if (from > to || to - from >= MAX_ENDPOINTS)
    throw new HeadraceError(
      'E_CONFIG',
      `a range of an endpoint template counts up, at most ${MAX_ENDPOINTS} steps, but got ${found} in ${show(withoutSecrets(template))}`,
    )
  const width = first.startsWith('0') ? first.length : 0
  const at = template.indexOf(found)
  const [before, after] = [template.slice(0, at), template.slice(at + found.length)]
  const rest = expandTemplate(after)
  if ((to - from + 1) * rest.length > MAX_ENDPOINTS)
    throw new HeadraceError(
      'E_CONFIG',
      `${show(withoutSecrets(template))} stands for more than ${MAX_ENDPOINTS} endpoints`,
    )
  return Array.from({ length: to - from + 1 }, (_, i) => before + `${from + i}`.padStart(width, '0')).flatMap((head) =>
    rest.map((tail) => head + tail),
  )
}

/**
 * Endpoints of one content, from URLs and templates: several in one text are parted by commas or white space, as in
 * S3_ENDPOINT_URIS; `@path` names a file of them, one a line. Each counts once. E_CONFIG where there is none, or more
 * than 1,024.
 */
export function parseEndpoints(given: string | readonly string[]): Endpoint[] {
  if (typeof given === 'string' && given.startsWith('@')) return readEndpoints(given.slice(1))
  const texts = typeof given === 'string' ? [given] : given
  const found = new Map<string, Endpoint>()
  // What has credentials in it goes to where it is refused without being quoted.
  for (const template of texts.flatMap((text) => text.split(/[,\s]+/)).filter((text) => text !== ''))
    for (const text of template.includes('@') ? [template] : expandTemplate(template)) {
      const endpoint = parseEndpoint(text)
      found.set(endpointName(endpoint), endpoint)
      if (found.size > MAX_ENDPOINTS)
        throw new HeadraceError('E_CONFIG', `a store has at most ${MAX_ENDPOINTS} endpoints`)
    }
  if (found.size === 0) throw new HeadraceError('E_CONFIG', `there is no endpoint in ${show(given)}`)
  return [...found.values()]
}

/** Endpoints of a file, one URL or template a line; `#` begins a comment. E_CONFIG names the file. */
function readEndpoints(path: string): Endpoint[] {
  let text: string
  try {
    const { size } = statRegular(path)
    if (size > MAX_LIST_BYTES) throw new Error(`it has ${size} bytes, more than the ${MAX_LIST_BYTES} allowed`)
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    const reason = isAbsent(cause) ? 'it is not there' : (cause as Error).message
    throw new HeadraceError('E_CONFIG', `cannot read the endpoints of ${show(path)}: ${reason}`, { path, cause })
  }
  try {
    return parseEndpoints(text.split(/\r?\n/).map((line) => line.replace(/#.*$/, '')))
  } catch (cause) {
    throw new HeadraceError('E_CONFIG', `${path}: ${(cause as Error).message}`, { path, cause })
  }
}

function statRegular(path: string) {
  const stats = statSync(path)
  if (!stats.isFile()) throw new Error('it is not a regular file')
  return stats
}
