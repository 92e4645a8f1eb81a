import { knownOptions, nonNegativeInteger, show } from '../../checks.ts'
import { HeadraceError } from '../../errors.ts'
import { type CheckedRule, checkRules, type FaultRule } from './faults/rules.ts'
import type { Account } from './signing/verify.ts'

export interface S3ServerOptions {
  /** 0, the default: any that is free. */
  readonly port?: number
  /** Address to listen at; 127.0.0.1. */
  readonly host?: string
  /** Where objects are kept. Without it: in a temporary folder that is removed when the server ends. */
  readonly dir?: string
  /** testkey */
  readonly accessKey?: string
  /** testsecret */
  readonly secretKey?: string
  /** Where given, requests must carry it, as with temporary credentials. */
  readonly sessionToken?: string
  /** us-east-1 */
  readonly region?: string
  /** https: with a certificate of its own for localhost, or with this one (PEM). */
  readonly tls?: true | { readonly cert: string; readonly key: string }
  /** What goes wrong on purpose. */
  readonly faults?: readonly FaultRule[]
  /** Of what `probability` chooses; 0. */
  readonly seed?: number
  /** Bytes that every part of an upload but the last must have; 5 MiB. */
  readonly minPartSize?: number
  /** Milliseconds that the server's clock is ahead; 0. */
  readonly clockOffset?: number
}

const NAMES = [
  'port',
  'host',
  'dir',
  'accessKey',
  'secretKey',
  'sessionToken',
  'region',
  'tls',
  'faults',
  'seed',
  'minPartSize',
  'clockOffset',
] as const satisfies readonly (keyof S3ServerOptions)[]

export interface CheckedOptions {
  readonly port: number
  readonly host: string
  readonly dir: string | undefined
  readonly account: Account
  readonly region: string
  readonly tls: S3ServerOptions['tls']
  readonly rules: readonly CheckedRule[]
  readonly seed: number
  readonly minPartSize: number
  readonly clockOffset: number
}

export const DEFAULT_KEYS = { accessKey: 'testkey', secretKey: 'testsecret' } as const

/** 5 MiB: S3's own. */
const MIN_PART_BYTES = 5 * 2 ** 20

function text(name: string, value: unknown, fallback: string): string {
  if (value === undefined) return fallback
  if (typeof value === 'string' && value !== '') return value
  throw new HeadraceError('E_USAGE', `${name} must be a text that is not empty, but got ${show(value)}`)
}

function secret(name: string, value: unknown, fallback: string): string {
  if (value === undefined) return fallback
  if (typeof value === 'string' && value !== '') return value
  throw new HeadraceError('E_USAGE', `${name} must be a text that is not empty`)
}

function clockOffset(value: unknown): number {
  if (typeof value === 'number' && Number.isSafeInteger(value)) return value
  throw new HeadraceError('E_USAGE', `clockOffset must be an integer of milliseconds, but got ${show(value)}`)
}

function tlsOption(tls: S3ServerOptions['tls']): S3ServerOptions['tls'] {
  if (tls === undefined || tls === true) return tls
  if (typeof tls === 'object' && tls !== null && typeof tls.cert === 'string' && typeof tls.key === 'string') return tls
  throw new HeadraceError('E_USAGE', 'tls must be true, or { cert, key } in PEM')
}

/** E_USAGE names the option. */
export function checkOptions(options: S3ServerOptions): CheckedOptions {
  knownOptions('an S3 server', options, NAMES)
  const { accessKey, secretKey, sessionToken } = options
  if ((accessKey === undefined) !== (secretKey === undefined))
    throw new HeadraceError('E_USAGE', 'accessKey and secretKey belong together: one was given without the other')
  return {
    port: nonNegativeInteger('port', options.port ?? 0, 65_535),
    host: text('host', options.host, '127.0.0.1'),
    dir: options.dir === undefined ? undefined : text('dir', options.dir, ''),
    account: {
      accessKey: text('accessKey', accessKey, DEFAULT_KEYS.accessKey),
      secretKey: secret('secretKey', secretKey, DEFAULT_KEYS.secretKey),
      ...(sessionToken === undefined ? {} : { sessionToken: secret('sessionToken', sessionToken, '') }),
    },
    region: text('region', options.region, 'us-east-1'),
    tls: tlsOption(options.tls),
    rules: checkRules(options.faults ?? []),
    seed: nonNegativeInteger('seed', options.seed ?? 0, 2 ** 32 - 1),
    minPartSize: nonNegativeInteger('minPartSize', options.minPartSize ?? MIN_PART_BYTES),
    clockOffset: clockOffset(options.clockOffset ?? 0),
  }
}
