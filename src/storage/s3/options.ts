import { booleanOption, knownOptions, oneOf, show } from '../../checks.ts'
import { HeadraceError } from '../../errors.ts'
import { parseEndpoints } from '../remote/endpoints.ts'
import { remoteOptions } from '../remote/options.ts'
import type { Endpoint, RemoteOptions } from '../remote/types.ts'
import { unknownOption, withoutSecrets } from '../url.ts'
import {
  type CredentialSource,
  credentialSource,
  type S3CredentialProvider,
  type S3Credentials,
} from './credentials.ts'
import { S3_URL_OPTIONS } from './option-names.ts'
import { type Environment, profileName, readProfile } from './profiles.ts'

/** What a store of S3 can be told besides the options of every remote store. What is absent comes from the environment. */
export interface S3StoreOptions extends Partial<RemoteOptions> {
  /**
   * URL of the server, or several of the same content: a list, or a text with commas and templates such as
   * `http://node{1...8}:9000`. AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, S3_ENDPOINT, S3_ENDPOINT_URIS; otherwise AWS itself.
   */
  readonly endpoint?: string | readonly string[]
  /** AWS_REGION, AWS_DEFAULT_REGION, the profile's, `us-east-1`; a wrong one is corrected where the server says so. */
  readonly region?: string
  /**
   * Where the bucket stands: in the path or before the host's name. `path` where an endpoint was given; on AWS
   * `virtual`, but for names with dots, for which no certificate fits.
   */
  readonly style?: 'path' | 'virtual'
  readonly credentials?: S3Credentials | S3CredentialProvider
  /** Of the shared credentials and config files; AWS_PROFILE. */
  readonly profile?: string
  /** true: requests are not signed, as public buckets allow. */
  readonly anonymous?: boolean
  /**
   * `when-sent` (the default): uploads carry a CRC-32C that the server checks, and whole objects are compared with the
   * checksum that the server keeps, where it sends one. `off`: neither.
   */
  readonly checksums?: 'when-sent' | 'off'
  /** true: bodies of uploads are part of the signature (SHA-256), not only their CRC-32C. */
  readonly signPayload?: boolean
}

export interface S3Config {
  /** '' where the URL names none: only the list of buckets can be asked for then. */
  readonly bucket: string
  /** Before every key: '', or ends with '/'. */
  readonly root: string
  readonly url: string
  /** undefined: AWS, whose host depends on the region. */
  readonly endpoints: readonly Endpoint[] | undefined
  readonly region: string
  readonly style: 'path' | 'virtual'
  /** undefined: requests are not signed. */
  readonly credentials: CredentialSource | undefined
  readonly checksums: 'when-sent' | 'off'
  readonly signPayload: boolean
  readonly remote: RemoteOptions
  /** What `spec` repeats: all that was given but secrets. */
  readonly given: Readonly<Record<string, unknown>>
}

/** Amazon's own rules are narrower (3 to 63 letters, lower case); old buckets and other servers have these too. */
const BUCKET = /^[A-Za-z0-9][A-Za-z0-9._-]{0,254}$/
const DNS_BUCKET = /^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/
const REGION = /^[a-z0-9-]{1,64}$/

/** 'bucket/prefix' -> both. Slashes before the bucket, behind it and at the end change nothing. */
export function parseLocation(location: string): { bucket: string; root: string } {
  const [, bucket = '', prefix = ''] = /^\/*([^/]*)\/*(.*?)\/*$/s.exec(location) ?? []
  if (bucket !== '' && !BUCKET.test(bucket)) {
    const slip = unknownOption('s3', bucket.replace(/^[^?]*\??/, ''), S3_URL_OPTIONS)
    if (slip !== undefined) throw slip
    throw new HeadraceError(
      'E_USAGE',
      `an S3 URL is s3://bucket/prefix, but ${show(withoutSecrets(bucket))} is no name of a bucket`,
      {
        url: withoutSecrets(`s3://${location}`),
        ...(bucket.includes(':') && { hint: 'a server is named by ?endpoint=http://host:port or AWS_ENDPOINT_URL' }),
      },
    )
  }
  return { bucket, root: prefix === '' ? '' : `${prefix}/` }
}

function text(name: string, value: unknown): string {
  if (typeof value === 'string' && value !== '') return value
  throw new HeadraceError('E_USAGE', `${name} must be a text that is not empty, but got ${show(value)}`)
}

function truth(name: string, value: unknown): boolean {
  return booleanOption(name, value === 'true' ? true : value === 'false' ? false : value)
}

function endpointsOf(given: unknown, env: Environment): readonly Endpoint[] | undefined {
  if (given !== undefined) {
    const list = Array.isArray(given) ? given.map((each) => text('endpoint', each)) : text('endpoint', given)
    return parseEndpoints(list)
  }
  for (const name of ['AWS_ENDPOINT_URL_S3', 'AWS_ENDPOINT_URL', 'S3_ENDPOINT', 'S3_ENDPOINT_URIS']) {
    const value = env[name]
    if (value === undefined || value === '') continue
    try {
      return parseEndpoints(value)
    } catch (cause) {
      throw new HeadraceError('E_CONFIG', `${name}: ${(cause as Error).message}`, { cause })
    }
  }
  return undefined
}

function regionOf(options: Readonly<Record<string, unknown>>, env: Environment): string {
  const named = options.region === undefined ? env.AWS_REGION || env.AWS_DEFAULT_REGION : text('region', options.region)
  const profile = options.profile === undefined ? profileName(env) : text('profile', options.profile)
  const region = named || readProfile(profile, env)?.values.region || 'us-east-1'
  if (REGION.test(region)) return region
  throw new HeadraceError('E_USAGE', `region must be a name such as us-east-1, but got ${show(region)}`)
}

/** Checks everything that was given, once. */
export function s3Config(location: string, options: Readonly<Record<string, unknown>>, env: Environment): S3Config {
  knownOptions('an S3 store', options, [...S3_URL_OPTIONS, 'credentials'])
  const { bucket, root } = parseLocation(location)
  const { credentials: _secret, ...given } = options
  const endpoints = endpointsOf(options.endpoint, env)
  const ordinary = endpoints === undefined && DNS_BUCKET.test(bucket) ? 'virtual' : 'path'
  const anonymous = truth('anonymous', options.anonymous ?? false)
  const secure = endpoints?.some(({ origin }) => origin.protocol === 'https:') ?? true
  const bundle = secure && env.AWS_CA_BUNDLE ? { ca: env.AWS_CA_BUNDLE } : {}
  return {
    bucket,
    root,
    url: bucket === '' ? 's3://' : `s3://${[bucket, ...(root === '' ? [] : [root.slice(0, -1)])].join('/')}`,
    endpoints,
    region: regionOf(options, env),
    style: oneOf('style', options.style ?? ordinary, ['path', 'virtual']),
    credentials: anonymous
      ? undefined
      : credentialSource(
          {
            credentials: credentialsOption(options.credentials),
            profile: options.profile === undefined ? undefined : text('profile', options.profile),
          },
          env,
        ),
    checksums: oneOf('checksums', options.checksums ?? 'when-sent', ['when-sent', 'off']),
    signPayload: truth('signPayload', options.signPayload ?? false),
    // Certificates take longer to read than a program without any would like to wait.
    remote: remoteOptions({ ...bundle, ...options }),
    given,
  }
}

/** Nothing of the value is quoted: it could be a secret at the wrong place. */
function credentialsOption(value: unknown): S3Credentials | S3CredentialProvider | undefined {
  if (value === undefined || typeof value === 'function') return value as S3CredentialProvider | undefined
  if (typeof value === 'object' && value !== null && 'accessKeyId' in value && 'secretAccessKey' in value)
    return value as S3Credentials
  throw new HeadraceError(
    'E_USAGE',
    'credentials must be { accessKeyId, secretAccessKey, sessionToken? }, or a function that gives a promise of them',
  )
}
