import { show } from '../../checks.ts'
import { HeadraceError } from '../../errors.ts'

/** Who asks an Azure account, and how that is proved. `source` names where it was found, for messages; never the secret. */
export type AzCredentials =
  | { readonly kind: 'key'; readonly account: string; readonly key: Uint8Array; readonly source: string }
  | { readonly kind: 'sas'; readonly account: string; readonly token: string; readonly source: string }
  | {
      readonly kind: 'token'
      readonly account: string
      readonly source: string
      token(signal?: AbortSignal): Promise<string>
    }
  | { readonly kind: 'anonymous'; readonly account: string; readonly source: string }

export interface AzAccess {
  readonly credentials: AzCredentials
  /** Where a connection string says that the blob service is. */
  readonly endpoint?: string
}

export interface AzCredentialOptions {
  readonly account?: string
  readonly accountKey?: string
  readonly sasToken?: string
  readonly connectionString?: string
  readonly anonymous?: boolean
}

export type AzEnvironment = Readonly<Record<string, string | undefined>>

/** The emulator's account, published with it and the same everywhere. */
const EMULATOR_ACCOUNT = 'devstoreaccount1'
const EMULATOR_KEY = 'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=='
const EMULATOR_ENDPOINT = `http://127.0.0.1:10000/${EMULATOR_ACCOUNT}`

/** Renewed this long before they end, ms. */
const RENEW_BEFORE = 5 * 60_000
const SCOPE = 'https://storage.azure.com/.default'

function decodeKey(text: string, source: string): Buffer {
  const key = Buffer.from(text, 'base64')
  if (key.length > 0 && key.toString('base64').replace(/=+$/, '') === text.trim().replace(/=+$/, '')) return key
  throw new HeadraceError('E_CREDENTIALS', `the account key from ${source} is not base64`, {
    hint: 'copy the key as the portal shows it',
  })
}

/** `Name=value;Name=value`: values may hold `=`. */
function parseConnectionString(text: string, source: string): ReadonlyMap<string, string> {
  const fields = new Map<string, string>()
  for (const part of text.split(';')) {
    if (part.trim() === '') continue
    const at = part.indexOf('=')
    if (at < 1)
      throw new HeadraceError('E_CREDENTIALS', `the connection string from ${source} has a part without a name`)
    fields.set(part.slice(0, at).trim().toLowerCase(), part.slice(at + 1).trim())
  }
  return fields
}

function fromConnectionString(text: string, source: string): AzAccess {
  const fields = parseConnectionString(text, source)
  if (fields.get('usedevelopmentstorage')?.toLowerCase() === 'true')
    return { credentials: keyCredentials(EMULATOR_ACCOUNT, EMULATOR_KEY, source), endpoint: EMULATOR_ENDPOINT }
  const account = fields.get('accountname')
  const key = fields.get('accountkey')
  const sas = fields.get('sharedaccesssignature')
  const protocol = fields.get('defaultendpointsprotocol') ?? 'https'
  const suffix = fields.get('endpointsuffix') ?? 'core.windows.net'
  const endpoint = fields.get('blobendpoint') ?? (account && `${protocol}://${account}.blob.${suffix}`)
  const name = account ?? accountOfEndpoint(endpoint)
  if (name === undefined)
    throw new HeadraceError('E_CREDENTIALS', `the connection string from ${source} names no account`)
  const credentials: AzCredentials | undefined =
    key !== undefined
      ? keyCredentials(name, key, source)
      : sas !== undefined
        ? sasCredentials(name, sas, source)
        : undefined
  if (credentials === undefined)
    throw new HeadraceError(
      'E_CREDENTIALS',
      `the connection string from ${source} has neither AccountKey nor SharedAccessSignature`,
    )
  return { credentials, ...(endpoint && { endpoint }) }
}

function accountOfEndpoint(endpoint: string | undefined): string | undefined {
  const host = endpoint === undefined ? undefined : /^https?:\/\/([a-z0-9-]+)\.blob\./i.exec(endpoint)?.[1]
  return host
}

/** Of the query that the portal shows, with its `?` or without. It becomes a part of requests: nothing else may be in it. */
function sasCredentials(account: string, text: string, source: string): AzCredentials {
  const token = text.trim().replace(/^\?/, '')
  if (/^[\x21-\x7e]+$/.test(token)) return { kind: 'sas', account, token, source }
  throw new HeadraceError('E_CREDENTIALS', `the shared access signature from ${source} is no encoded query`, {
    hint: 'copy it as the portal shows it',
  })
}

function keyCredentials(account: string, key: string, source: string): AzCredentials {
  return { kind: 'key', account, key: decodeKey(key, source), source }
}

/** The account that a URL without one means. */
export function defaultAccount(options: AzCredentialOptions, env: AzEnvironment): string | undefined {
  const text = options.connectionString || env.AZURE_STORAGE_CONNECTION_STRING
  const named = options.account || env.AZURE_STORAGE_ACCOUNT || env.AZURE_BLOB_ACCOUNT
  return named || (text ? fromConnectionString(text, 'the connection string').credentials.account : undefined)
}

/**
 * How to ask `account`: options first, then AZURE_STORAGE_CONNECTION_STRING (where it is of that account),
 * AZURE_STORAGE_KEY, AZURE_STORAGE_SAS_TOKEN, then a token of @azure/identity where that is installed. E_CREDENTIALS says
 * what was looked for.
 */
export async function findAzCredentials(
  account: string,
  options: AzCredentialOptions,
  env: AzEnvironment,
): Promise<AzAccess> {
  if (options.anonymous === true) return { credentials: { kind: 'anonymous', account, source: 'the option anonymous' } }
  if (options.accountKey !== undefined)
    return { credentials: keyCredentials(account, options.accountKey, 'the option accountKey') }
  if (options.sasToken !== undefined)
    return { credentials: sasCredentials(account, options.sasToken, 'the option sasToken') }
  if (options.connectionString !== undefined) {
    const access = fromConnectionString(options.connectionString, 'the option connectionString')
    if (access.credentials.account === account) return access
    throw new HeadraceError(
      'E_CREDENTIALS',
      `the option connectionString is of the account ${show(access.credentials.account)}, but the URL names ${show(account)}`,
    )
  }
  const fromEnvironment = env.AZURE_STORAGE_CONNECTION_STRING
  if (fromEnvironment) {
    const access = fromConnectionString(fromEnvironment, 'AZURE_STORAGE_CONNECTION_STRING')
    if (access.credentials.account === account) return access
  }
  const keyAccount = env.AZURE_STORAGE_ACCOUNT || env.AZURE_BLOB_ACCOUNT || account
  if (env.AZURE_STORAGE_KEY && keyAccount === account)
    return { credentials: keyCredentials(account, env.AZURE_STORAGE_KEY, 'AZURE_STORAGE_KEY') }
  if (env.AZURE_STORAGE_SAS_TOKEN && keyAccount === account)
    return { credentials: sasCredentials(account, env.AZURE_STORAGE_SAS_TOKEN, 'AZURE_STORAGE_SAS_TOKEN') }
  if (account === EMULATOR_ACCOUNT)
    return { credentials: keyCredentials(account, EMULATOR_KEY, "the emulator's own key"), endpoint: EMULATOR_ENDPOINT }
  return { credentials: await identityCredentials(account) }
}

interface Identity {
  getToken(
    scope: string,
    options?: { abortSignal?: AbortSignal },
  ): Promise<{ token: string; expiresOnTimestamp: number } | null>
}

async function identityCredentials(account: string): Promise<AzCredentials> {
  const name = '@azure/identity'
  const identity = await (import(name) as Promise<{ DefaultAzureCredential: new () => Identity }>).catch(
    () => undefined,
  )
  if (identity === undefined)
    throw new HeadraceError('E_CREDENTIALS', `there are no credentials for the Azure account ${show(account)}`, {
      hint: 'set AZURE_STORAGE_KEY, AZURE_STORAGE_SAS_TOKEN or AZURE_STORAGE_CONNECTION_STRING, or npm install @azure/identity to sign in with a token',
    })
  const credential = new identity.DefaultAzureCredential()
  let current: { token: string; expiresOnTimestamp: number } | undefined
  let renewal: Promise<string> | undefined
  const renew = async (signal?: AbortSignal): Promise<string> => {
    try {
      const found = await credential.getToken(SCOPE, signal === undefined ? {} : { abortSignal: signal })
      if (found === null) throw new Error('no credential of the chain gives a token')
      current = found
      return found.token
    } catch (cause) {
      throw new HeadraceError('E_CREDENTIALS', `@azure/identity gives no token for ${show(account)}`, {
        hint: 'az login, or set AZURE_STORAGE_KEY',
        cause,
      })
    } finally {
      renewal = undefined
    }
  }
  return {
    kind: 'token',
    account,
    source: '@azure/identity',
    token: async (signal) => {
      if (current !== undefined && current.expiresOnTimestamp - Date.now() > RENEW_BEFORE) return current.token
      renewal ??= renew(signal)
      return renewal
    },
  }
}

/** Whether two stores ask as one: with the same key or signature, or as whoever is signed in. */
export function isSameUser(a: AzCredentials, b: AzCredentials): boolean {
  if (a.account !== b.account) return false
  if (a.kind === 'key') return b.kind === 'key' && Buffer.compare(a.key, b.key) === 0
  if (a.kind === 'sas') return b.kind === 'sas' && a.token === b.token
  return a.kind === b.kind
}
