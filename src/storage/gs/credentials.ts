import { HeadraceError } from '../../errors.ts'

/** Who asks Google Cloud Storage. `source` names where it was found, for messages; never the secret. */
export type GsCredentials =
  | { readonly kind: 'anonymous'; readonly source: string }
  | {
      readonly kind: 'token'
      readonly source: string
      token(): Promise<string>
      /** The service account that can sign URLs, and its signature (base64) of a text. */
      signer(): Promise<{ readonly email: string; sign(text: string): Promise<string> }>
    }

const SCOPE = 'https://www.googleapis.com/auth/devstorage.full_control'

interface AuthClient {
  getAccessToken(): Promise<{ token?: string | null } | string | null | undefined>
}

interface GoogleAuth {
  getClient(): Promise<AuthClient>
  getCredentials(): Promise<{ client_email?: string }>
  sign(text: string): Promise<string>
}

interface AuthLibrary {
  GoogleAuth: new (options: { scopes: string; keyFile?: string }) => GoogleAuth
}

async function library(): Promise<AuthLibrary> {
  const name = 'google-auth-library'
  const found = await (import(name) as Promise<AuthLibrary>).catch(() => undefined)
  if (found !== undefined) return found
  throw new HeadraceError('E_CREDENTIALS', 'there are no credentials for Google Cloud Storage', {
    hint: 'npm install google-auth-library for application default credentials and service accounts, or open the store with anonymous: true',
  })
}

/**
 * Application default credentials: GOOGLE_APPLICATION_CREDENTIALS, gcloud's own, the metadata server; `keyFile` names a
 * service account's JSON. Tokens are renewed by google-auth-library before they end. E_CREDENTIALS.
 */
export async function findGsCredentials(keyFile: string | undefined): Promise<GsCredentials> {
  const { GoogleAuth } = await library()
  const source =
    keyFile !== undefined
      ? 'the option keyFile'
      : process.env.GOOGLE_APPLICATION_CREDENTIALS
        ? 'GOOGLE_APPLICATION_CREDENTIALS'
        : 'application default credentials'
  const auth = new GoogleAuth({ scopes: SCOPE, ...(keyFile !== undefined && { keyFile }) })
  let client: Promise<AuthClient> | undefined
  const failed = (cause: unknown): never => {
    client = undefined
    throw new HeadraceError('E_CREDENTIALS', `no token for Google Cloud Storage from ${source}`, {
      hint: 'gcloud auth application-default login, or set GOOGLE_APPLICATION_CREDENTIALS to the JSON of a service account',
      cause,
    })
  }
  return {
    kind: 'token',
    source,
    token: async () => {
      client ??= auth.getClient()
      const found = await client.then((ready) => ready.getAccessToken()).catch(failed)
      const token = typeof found === 'string' ? found : found?.token
      return token ?? failed(new Error('an empty token'))
    },
    signer: async () => {
      const { client_email: email } = await auth.getCredentials().catch(failed)
      if (email === undefined)
        throw new HeadraceError('E_CREDENTIALS', `the credentials from ${source} cannot sign URLs`, {
          hint: 'presigned URLs need a service account',
        })
      return { email, sign: (text) => auth.sign(text).catch(failed) }
    },
  }
}
