import { inspect } from 'node:util'
import { afterEach, expect, test, vi } from 'vitest'
import { isHeadraceError } from '../../src/errors.ts'
import { openStore } from '../../src/storage/open.ts'

const SECRET = 'hush0hush'
const SAS = `sv=2021-12-02&sig=${SECRET}`
const AZ = 'az://account/container'
const NOWHERE = 'http://127.0.0.1:9'

afterEach(() => vi.unstubAllEnvs())

const QUICK = { attempts: 1, endpoint: NOWHERE }

test.each<[string, string, string, Readonly<Record<string, unknown>>]>([
  ['a signature with a line end within', AZ, 'E_CREDENTIALS', { ...QUICK, sasToken: `sv=1\nsig=${SECRET}` }],
  ['a signature that is not encoded', AZ, 'E_CREDENTIALS', { ...QUICK, sasToken: `sv=1&sig=${SECRET} x` }],
  ['a signature with a line end behind', AZ, 'E_NETWORK', { ...QUICK, sasToken: `?${SAS}\n` }],
  ['an endpoint with a signature', AZ, 'E_CONFIG', { sasToken: SAS, endpoint: `${NOWHERE}/?${SAS}` }],
  ['an endpoint template with one', 's3://bucket', 'E_CONFIG', { endpoint: `http://h{1...x}/?${SAS}` }],
  ['a container with a signature', `${AZ}?${SAS}`, 'E_USAGE', {}],
  ['an account with a signature', `az://?${SAS}`, 'E_USAGE', {}],
  ['keys before a bucket', `s3://AKIA:${SECRET}@bucket/key`, 'E_USAGE', {}],
  ['a password before a bucket', `gs://user:${SECRET}@bucket/key`, 'E_USAGE', {}],
  ['a password in a URL of another kind', `https://user:${SECRET}@host/key`, 'E_UNSUPPORTED', {}],
  ['a signature in one', `https://account.blob.core.windows.net/c?${SAS}`, 'E_UNSUPPORTED', {}],
])('%s is in no error', async (_, url, code, options) => {
  const error = await openStore(url, options)
    .then((store) => store.get('k').finally(() => store.close()))
    .catch((reason: unknown) => reason)
  expect(isHeadraceError(error, code as 'E_USAGE')).toBe(true)
  expect(inspect(error, { depth: 20, showHidden: true })).not.toContain(SECRET)
})

test('variables that are set to nothing are not set', async () => {
  for (const name of [
    'AZURE_STORAGE_ACCOUNT',
    'AZURE_STORAGE_CONNECTION_STRING',
    'AZURE_STORAGE_ENDPOINT',
    'AZURE_BLOB_ENDPOINT_URL',
    'GCS_ENDPOINT_URL',
    'STORAGE_EMULATOR_HOST',
    'AWS_PROFILE',
    'AWS_ENDPOINT_URL',
  ])
    vi.stubEnv(name, '')
  vi.stubEnv('AZURE_BLOB_ACCOUNT', 'account')
  vi.stubEnv('AZURE_STORAGE_KEY', 'a2V5')
  const az = await openStore('az://')
  expect(az.url).toBe('az://account')
  await az.close()
  const gs = await openStore('gs://bucket', { anonymous: true })
  expect(gs.report?.()).toMatchObject({ endpoints: [{ endpoint: 'https://storage.googleapis.com' }] })
  await gs.close()
})
