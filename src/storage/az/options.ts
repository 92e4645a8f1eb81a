import { booleanOption, knownOptions, oneOf, show } from '../../checks.ts'
import { HeadraceError } from '../../errors.ts'
import { parseEndpoints } from '../remote/endpoints.ts'
import { remoteOptions } from '../remote/options.ts'
import type { Endpoint, RemoteOptions } from '../remote/types.ts'
import { unknownOption, withoutSecrets } from '../url.ts'
import { type AzCredentials, type AzEnvironment, defaultAccount, findAzCredentials } from './credentials.ts'
import { AZ_URL_OPTIONS } from './option-names.ts'

/** What a store of Azure blobs can be told besides the options of every remote store. What is absent comes from the environment. */
export interface AzStoreOptions extends Partial<RemoteOptions> {
  /**
   * URL of the blob service, with the account's name in the path where the emulator wants it:
   * `http://127.0.0.1:10000/devstoreaccount1`. AZURE_STORAGE_ENDPOINT, AZURE_BLOB_ENDPOINT_URL; otherwise Azure itself.
   */
  readonly endpoint?: string | readonly string[]
  /** base64, as the portal shows it. AZURE_STORAGE_KEY. */
  readonly accountKey?: string
  /** Query of a shared access signature. AZURE_STORAGE_SAS_TOKEN. */
  readonly sasToken?: string
  /** AZURE_STORAGE_CONNECTION_STRING. */
  readonly connectionString?: string
  /** true: requests carry no proof, as public containers allow. */
  readonly anonymous?: boolean
  /**
   * What uploads carry for the service to check: `md5` (the default, which emulators know too), `crc64`, which costs less,
   * or nothing. Unless it is `off`, whole blobs are compared with the MD5 that the service keeps, where it has one.
   */
  readonly checksums?: AzChecksums
}

const SECRETS = ['accountKey', 'sasToken', 'connectionString'] as const

export type AzChecksums = 'md5' | 'crc64' | 'off'

export interface AzConfig {
  readonly account: string
  /** '' where the URL names none: only the list of containers can be asked for then. */
  readonly container: string
  /** Before every key: '', or ends with '/'. */
  readonly root: string
  readonly url: string
  readonly endpoints: readonly Endpoint[]
  readonly credentials: AzCredentials
  readonly checksums: AzChecksums
  readonly remote: RemoteOptions
  /** What `spec` repeats: all that was given but secrets. */
  readonly given: Readonly<Record<string, unknown>>
}

const ACCOUNT = /^[a-z0-9]{3,24}$/
const CONTAINER = /^(?:\$root|\$web|\$logs|[a-z0-9](?:-?[a-z0-9]){2,62})$/

/** 'account/container/prefix' -> all three. Slashes before, between and at the end change nothing. */
function parseAzLocation(location: string): { account: string; container: string; root: string } {
  const [, account = '', container = '', prefix = ''] = /^\/*([^/]*)\/*([^/]*)\/*(.*?)\/*$/s.exec(location) ?? []
  return { account, container, root: prefix === '' ? '' : `${prefix}/` }
}

function check(name: string, value: string, rule: RegExp, location: string): void {
  if (value === '' || rule.test(value)) return
  const slip = unknownOption('az', value.replace(/^[^?]*\??/, ''), AZ_URL_OPTIONS)
  if (slip !== undefined) throw slip
  throw new HeadraceError(
    'E_USAGE',
    `an Azure URL is az://account/container/prefix, but ${show(withoutSecrets(value))} is no name of ${name}`,
    {
      url: withoutSecrets(`az://${location}`),
    },
  )
}

/** Checks everything that was given, once. */
export async function azConfig(
  location: string,
  options: Readonly<Record<string, unknown>>,
  env: AzEnvironment,
): Promise<AzConfig> {
  knownOptions('an Azure store', options, [...AZ_URL_OPTIONS, ...SECRETS])
  const given: Record<string, unknown> = { ...options }
  const secrets: Partial<Record<(typeof SECRETS)[number], string>> = {}
  for (const name of SECRETS) {
    const value = given[name]
    delete given[name]
    if (value === undefined) continue
    // Nothing of the value is quoted: it is a secret.
    if (typeof value !== 'string' || value === '')
      throw new HeadraceError('E_USAGE', `${name} must be a text that is not empty`)
    secrets[name] = value
  }
  const parsed = parseAzLocation(location)
  const account = parsed.account || defaultAccount(secrets, env) || ''
  if (account === '')
    throw new HeadraceError(
      'E_USAGE',
      `an Azure URL is az://account/container/prefix, but ${show(withoutSecrets(`az://${location}`))} names no account`,
      {
        hint: 'or set AZURE_STORAGE_ACCOUNT',
      },
    )
  const container = parsed.container || env.AZURE_BLOB_CONTAINER || ''
  check('an account', account, ACCOUNT, location)
  check('a container', container, CONTAINER, location)
  const anonymous = booleanOption('anonymous', truth(options.anonymous ?? false))
  const access = await findAzCredentials(account, { ...secrets, anonymous }, env)
  const endpoint =
    options.endpoint ??
    (env.AZURE_STORAGE_ENDPOINT ||
      env.AZURE_BLOB_ENDPOINT_URL ||
      access.endpoint ||
      `https://${account}.blob.core.windows.net`)
  const checksums = oneOf('checksums', options.checksums ?? 'md5', ['md5', 'crc64', 'off'])
  const root = container === '' ? '' : parsed.root
  return {
    account,
    container,
    root,
    url: `az://${[account, container, root.slice(0, -1)].filter((part) => part !== '').join('/')}`,
    endpoints: parseEndpoints(endpoint as string | readonly string[]),
    credentials: access.credentials,
    checksums,
    remote: remoteOptions(options),
    given,
  }
}

function truth(value: unknown): unknown {
  return value === 'true' ? true : value === 'false' ? false : value
}
