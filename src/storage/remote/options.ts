import { readFileSync } from 'node:fs'
import { parseSize } from '../../bytes.ts'
import { booleanOption, finiteNumber, oneOf, positiveInteger, show } from '../../checks.ts'
import { HeadraceError } from '../../errors.ts'
import type { HttpClientOptions } from '../http/types.ts'
import type { RemoteOptions } from './types.ts'

const MiB = 2 ** 20

const DEFAULTS: Omit<RemoteOptions, 'ca'> = {
  concurrency: 64,
  attempts: 5,
  baseDelay: 100,
  maxDelay: 20_000,
  connectTimeout: 5_000,
  firstByteTimeout: 30_000,
  stallTimeout: 30_000,
  idleTimeout: 20_000,
  partSize: 8 * MiB,
  partsInFlight: 8,
  balance: 'round-robin',
  verifyTls: true,
}

/** Names of options that every store behind HTTP has; all of them may stand in a URL's query. */
export const REMOTE_OPTIONS = [...Object.keys(DEFAULTS), 'ca'] as readonly (keyof RemoteOptions)[]

/** More would only wait: a process has about 28,000 ports to one address, and far fewer descriptors. */
const MAX_CONCURRENCY = 4096
/** setTimeout fires at once beyond. */
const MAX_DELAY = 2 ** 31 - 1
/** Below, the heads of requests and answers weigh as much as what they carry. */
const MIN_PART_SIZE = 1024
/** The largest part that S3 takes. */
const MAX_PART_SIZE = 5 * 1024 * MiB
const MAX_CA_BYTES = 16 * MiB

/** A number, or one as a URL's query has it. */
function numeric(value: unknown): unknown {
  return typeof value === 'string' && /^\d+(\.\d+)?$/.test(value) ? Number(value) : value
}

function truth(value: unknown): unknown {
  return value === 'true' ? true : value === 'false' ? false : value
}

/** PEM, or the path of a file of it. */
function certificates(value: unknown): string {
  if (typeof value !== 'string' || value === '')
    throw new HeadraceError('E_USAGE', `ca must be PEM or the path of a PEM file, but got ${show(value)}`)
  if (value.includes('-----BEGIN')) return value
  let text: string
  try {
    text = readFileSync(value, 'latin1')
  } catch (cause) {
    throw new HeadraceError('E_CONFIG', `ca: cannot read ${show(value)}: ${(cause as Error).message}`, {
      path: value,
      cause,
    })
  }
  if (text.length <= MAX_CA_BYTES && text.includes('-----BEGIN')) return text
  throw new HeadraceError('E_CONFIG', `ca: ${show(value)} holds no PEM certificate`, { path: value })
}

/**
 * The options of a store behind HTTP out of all that it was given: defaults where there is nothing, strings (as URLs
 * have them: '64', '8MiB', 'false') read, everything checked. Names that are not in REMOTE_OPTIONS are the caller's.
 */
export function remoteOptions(given: Readonly<Record<string, unknown>> = {}): RemoteOptions {
  const value = (name: keyof RemoteOptions) => numeric(given[name] ?? DEFAULTS[name as keyof typeof DEFAULTS])
  const count = (name: keyof RemoteOptions, max: number) => positiveInteger(name, value(name), max)
  const delay = (name: keyof RemoteOptions) => finiteNumber(name, value(name), 0, MAX_DELAY)
  const partSize = given.partSize ?? DEFAULTS.partSize
  const options = {
    concurrency: count('concurrency', MAX_CONCURRENCY),
    attempts: count('attempts', 100),
    baseDelay: delay('baseDelay'),
    maxDelay: delay('maxDelay'),
    connectTimeout: count('connectTimeout', MAX_DELAY),
    firstByteTimeout: count('firstByteTimeout', MAX_DELAY),
    stallTimeout: count('stallTimeout', MAX_DELAY),
    idleTimeout: count('idleTimeout', MAX_DELAY),
    partSize: finiteNumber(
      'partSize',
      typeof partSize === 'string' ? parseSize(partSize, 'partSize') : positiveInteger('partSize', partSize),
      MIN_PART_SIZE,
      MAX_PART_SIZE,
    ),
    partsInFlight: count('partsInFlight', 1024),
    balance: oneOf('balance', value('balance'), ['round-robin', 'least-busy']),
    verifyTls: booleanOption('verifyTls', truth(given.verifyTls ?? DEFAULTS.verifyTls)),
  }
  return given.ca === undefined ? options : { ...options, ca: certificates(given.ca) }
}

/** What the HTTP client is opened with. */
export function clientOptions(options: RemoteOptions): HttpClientOptions {
  const { concurrency, connectTimeout, firstByteTimeout, stallTimeout, idleTimeout, ca, verifyTls } = options
  const plain = { connections: concurrency, connectTimeout, firstByteTimeout, stallTimeout, idleTimeout, verifyTls }
  return ca === undefined ? plain : { ...plain, ca }
}
