import { booleanOption, knownOptions, oneOf, show } from '../../checks.ts'
import { HeadraceError } from '../../errors.ts'
import { parseEndpoints } from '../remote/endpoints.ts'
import { remoteOptions } from '../remote/options.ts'
import type { Endpoint, RemoteOptions } from '../remote/types.ts'
import { unknownOption, withoutSecrets } from '../url.ts'
import { findGsCredentials, type GsCredentials } from './credentials.ts'
import { GS_URL_OPTIONS } from './option-names.ts'

/** What a store of Google Cloud Storage can be told besides the options of every remote store. */
export interface GsStoreOptions extends Partial<RemoteOptions> {
  /** STORAGE_EMULATOR_HOST (anonymous then), GCS_ENDPOINT_URL; otherwise Google's own. */
  readonly endpoint?: string | readonly string[]
  /** Path of a service account's JSON; GOOGLE_APPLICATION_CREDENTIALS and the other application default credentials. */
  readonly keyFile?: string
  /** true: requests carry no token, as public buckets and emulators allow. */
  readonly anonymous?: boolean
  /** Whose buckets are made and listed; GOOGLE_CLOUD_PROJECT. */
  readonly project?: string
  /** `when-sent` (the default): uploads carry a CRC-32C, whole objects are compared with theirs. `off`: neither. */
  readonly checksums?: 'when-sent' | 'off'
}

export interface GsConfig {
  /** '' where the URL names none: only the list of buckets can be asked for then. */
  readonly bucket: string
  /** Before every key: '', or ends with '/'. */
  readonly root: string
  readonly url: string
  readonly endpoints: readonly Endpoint[]
  readonly credentials: GsCredentials
  readonly project: string | undefined
  readonly checksums: 'when-sent' | 'off'
  readonly remote: RemoteOptions
  readonly given: Readonly<Record<string, unknown>>
}

/** Source: "Bucket naming", Cloud Storage; names with dots may have 222 letters. */
const BUCKET = /^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$/

/** 'bucket/prefix' -> both. Slashes before the bucket, behind it and at the end change nothing. */
function parseGsLocation(location: string): { bucket: string; root: string } {
  const [, bucket = '', prefix = ''] = /^\/*([^/]*)\/*(.*?)\/*$/s.exec(location) ?? []
  if (bucket !== '' && !BUCKET.test(bucket)) {
    const slip = unknownOption('gs', bucket.replace(/^[^?]*\??/, ''), GS_URL_OPTIONS)
    if (slip !== undefined) throw slip
    throw new HeadraceError(
      'E_USAGE',
      `a GCS URL is gs://bucket/prefix, but ${show(withoutSecrets(bucket))} is no name of a bucket`,
      {
        url: withoutSecrets(`gs://${location}`),
      },
    )
  }
  return { bucket, root: prefix === '' || bucket === '' ? '' : `${prefix}/` }
}

function text(name: string, value: unknown): string {
  if (typeof value === 'string' && value !== '') return value
  throw new HeadraceError('E_USAGE', `${name} must be a text that is not empty, but got ${show(value)}`)
}

function truth(value: unknown): unknown {
  return value === 'true' ? true : value === 'false' ? false : value
}

/** Checks everything that was given, once. */
export async function gsConfig(
  location: string,
  options: Readonly<Record<string, unknown>>,
  env: Readonly<Record<string, string | undefined>>,
): Promise<GsConfig> {
  knownOptions('a GCS store', options, GS_URL_OPTIONS)
  const { bucket, root } = parseGsLocation(location)
  const emulator = options.endpoint === undefined && env.STORAGE_EMULATOR_HOST ? env.STORAGE_EMULATOR_HOST : undefined
  const endpoint = options.endpoint ?? emulator ?? (env.GCS_ENDPOINT_URL || 'https://storage.googleapis.com')
  const anonymous = booleanOption('anonymous', truth(options.anonymous ?? emulator !== undefined))
  const keyFile = options.keyFile === undefined ? undefined : text('keyFile', options.keyFile)
  return {
    bucket,
    root,
    url: `gs://${[bucket, root.slice(0, -1)].filter((part) => part !== '').join('/')}`,
    endpoints: parseEndpoints(endpoint as string | readonly string[]),
    credentials: anonymous
      ? { kind: 'anonymous', source: emulator === undefined ? 'the option anonymous' : 'STORAGE_EMULATOR_HOST (none)' }
      : await findGsCredentials(keyFile),
    project: options.project === undefined ? env.GOOGLE_CLOUD_PROJECT || undefined : text('project', options.project),
    checksums: oneOf('checksums', options.checksums ?? 'when-sent', ['when-sent', 'off']),
    remote: remoteOptions(options),
    given: options,
  }
}
