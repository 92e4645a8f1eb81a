import { show } from '../../checks.ts'
import { HeadraceError } from '../../errors.ts'
import { type Environment, missingProfile, profileName, readProfile } from './profiles.ts'
import type { Identity } from './signing.ts'

/** What requests are signed with, and where it was found: messages say the latter, never the former. */
export interface Credentials extends Identity {
  /** 'AWS_ACCESS_KEY_ID', 'profile "x" in /home/me/.aws/credentials', … */
  readonly source: string
  /** Milliseconds since 1970. */
  readonly expires?: number
}

/** Keys as a user gives them, in the form of AWS's SDK. */
export interface S3Credentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
  readonly expiration?: Date
}

export type S3CredentialProvider = () => Promise<S3Credentials>

/** Refreshed so long before they expire: as AWS's SDKs do, for a request may take a while. */
const REFRESH_BEFORE = 5 * 60_000

const SDK_PROVIDER = '@aws-sdk/credential-provider-node'

/** Held while they are good; loaded anew, by one load however many ask, when they are about to expire. */
export class CredentialSource {
  readonly #load: () => Promise<Credentials>
  #held: Credentials | undefined
  #loading: Promise<Credentials> | undefined
  #rejected: Credentials | undefined

  constructor(load: () => Promise<Credentials>) {
    this.#load = load
  }

  current(now = Date.now()): Credentials | Promise<Credentials> {
    const held = this.#held
    if (held === undefined) return this.#refresh()
    if (held.expires === undefined || now < held.expires - REFRESH_BEFORE) return held
    const refreshed = this.#refresh()
    if (now >= held.expires) return refreshed
    // Still good: what fails now is tried again by the next request, and told when they have expired.
    refreshed.catch(() => {})
    return held
  }

  /** The server says that they have expired. Whether it is worth asking for others: not if these came back. */
  reject(used: Credentials): boolean {
    if (this.#rejected === used) return this.#held !== used
    this.#rejected = used
    if (this.#held === used) this.#held = undefined
    return true
  }

  #refresh(): Promise<Credentials> {
    this.#loading ??= this.#load()
      .then((loaded) => {
        const rejected = this.#rejected
        const same = rejected !== undefined && sameKeys(rejected, loaded)
        this.#held = same ? rejected : loaded
        return this.#held
      })
      .finally(() => {
        this.#loading = undefined
      })
    return this.#loading
  }
}

function sameKeys(a: Identity, b: Identity): boolean {
  return a.accessKeyId === b.accessKeyId && a.secretAccessKey === b.secretAccessKey && a.sessionToken === b.sessionToken
}

/** Checked and given the name of where they are from. Nothing of what was given is quoted. */
function checked(given: S3Credentials, source: string): Credentials {
  const { accessKeyId, secretAccessKey, sessionToken, expiration } = given
  const texts = [accessKeyId, secretAccessKey, ...(sessionToken === undefined ? [] : [sessionToken])]
  // What a header cannot hold would fail later, and less clearly.
  if (texts.some((text) => typeof text !== 'string' || !/^[\x21-\x7e]+$/.test(text)))
    throw new HeadraceError(
      'E_CREDENTIALS',
      `the credentials from ${source} need an accessKeyId and a secretAccessKey of printable ASCII without spaces`,
    )
  return {
    accessKeyId,
    secretAccessKey,
    source,
    ...(sessionToken !== undefined && { sessionToken }),
    ...(expiration !== undefined && { expires: new Date(expiration).getTime() }),
  }
}

function fromEnvironment(env: Environment): Credentials | undefined {
  const { AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: secret, AWS_SESSION_TOKEN: token } = env
  if (!id && !secret) return undefined
  if (!id || !secret)
    throw new HeadraceError(
      'E_CREDENTIALS',
      id
        ? 'AWS_ACCESS_KEY_ID is set, but AWS_SECRET_ACCESS_KEY is not'
        : 'AWS_SECRET_ACCESS_KEY is set, but AWS_ACCESS_KEY_ID is not',
    )
  return checked(
    { accessKeyId: id, secretAccessKey: secret, ...(token && { sessionToken: token }) },
    'AWS_ACCESS_KEY_ID',
  )
}

/** Keys that stand in the shared files themselves. What leads on to roles, sign-on or programs is for AWS's SDK. */
function fromProfile(name: string, env: Environment): Credentials | undefined {
  const profile = readProfile(name, env)
  if (profile === undefined) return undefined
  const { aws_access_key_id: id, aws_secret_access_key: secret, aws_session_token: token } = profile.values
  if (!id || !secret || profile.values.role_arn !== undefined) return undefined
  return checked(
    { accessKeyId: id, secretAccessKey: secret, ...(token && { sessionToken: token }) },
    `profile ${show(name)} in ${profile.path}`,
  )
}

interface SdkModule {
  readonly defaultProvider: (options: { profile?: string }) => () => Promise<S3Credentials>
}

async function fromSdk(profile: string | undefined, env: Environment): Promise<Credentials> {
  let sdk: SdkModule
  try {
    sdk = (await import(SDK_PROVIDER)) as SdkModule
  } catch (cause) {
    // Bundlers have words of their own for what Node calls ERR_MODULE_NOT_FOUND.
    if (!(cause instanceof Error && /cannot find|could not resolve/i.test(cause.message))) throw sdkFailure(cause)
    throw new HeadraceError(
      'E_CREDENTIALS',
      `there are no S3 credentials in the options, in AWS_ACCESS_KEY_ID or in profile ${show(profile ?? profileName(env))}`,
      {
        hint: `set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; for roles, sign-on and instances run \`npm install ${SDK_PROVIDER}\`; for public buckets give the option anonymous`,
      },
    )
  }
  try {
    return checked(await sdk.defaultProvider(profile === undefined ? {} : { profile })(), SDK_PROVIDER)
  } catch (cause) {
    throw sdkFailure(cause)
  }
}

function sdkFailure(cause: unknown): HeadraceError {
  if (cause instanceof HeadraceError) return cause
  const [reason = ''] = (cause instanceof Error ? cause.message : String(cause)).split('\n')
  return new HeadraceError('E_CREDENTIALS', `${SDK_PROVIDER} finds no credentials: ${reason}`, { cause })
}

export interface CredentialOptions {
  readonly credentials?: S3Credentials | S3CredentialProvider | undefined
  readonly profile?: string | undefined
}

/**
 * The first of: `credentials`, `profile` (both by option), AWS_ACCESS_KEY_ID, the profile of AWS_PROFILE or `default` in
 * the shared files, and whatever AWS's SDK finds, where it is installed.
 */
export function credentialSource({ credentials, profile }: CredentialOptions, env: Environment): CredentialSource {
  if (typeof credentials === 'function')
    return new CredentialSource(async () => checked(await credentials(), 'the option credentials'))
  if (credentials !== undefined) {
    const given = checked(credentials, 'the option credentials')
    return new CredentialSource(async () => given)
  }
  return new CredentialSource(async () => {
    if (profile === undefined) {
      const found = fromEnvironment(env) ?? fromProfile(profileName(env), env)
      return found ?? fromSdk(undefined, env)
    }
    const found = fromProfile(profile, env)
    if (found === undefined && readProfile(profile, env) === undefined) throw missingProfile(profile, env)
    return found ?? fromSdk(profile, env)
  })
}

type User = { readonly credentials: CredentialSource | undefined }

/** Whether two stores ask in the name of the same key, or both in nobody's. */
export async function isSameUser({ credentials: one }: User, { credentials: other }: User): Promise<boolean> {
  if (one === undefined || other === undefined) return one === other
  const [a, b] = await Promise.all([one.current(), other.current()])
  return a.accessKeyId === b.accessKeyId && a.secretAccessKey === b.secretAccessKey
}
