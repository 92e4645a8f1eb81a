import { describe, expect, test } from 'vitest'
import { findAzCredentials } from '../../../src/storage/az/credentials.ts'
import { azConfig } from '../../../src/storage/az/options.ts'
import { sharedKeyStringToSign } from '../../../src/storage/az/signing.ts'
import { failing } from '../conformance.ts'

const KEY = Buffer.from('a key').toString('base64')

describe('credentials of Azure', () => {
  test('options win over the environment, and a key over a signature', async () => {
    const env = { AZURE_STORAGE_KEY: KEY, AZURE_STORAGE_SAS_TOKEN: '?sv=1&sig=x', AZURE_STORAGE_ACCOUNT: 'acct' }
    const found = async (options: object, environment: object) =>
      (await findAzCredentials('acct', options, { ...environment })).credentials
    expect(await found({}, env)).toMatchObject({ kind: 'key', source: 'AZURE_STORAGE_KEY' })
    expect(await found({ sasToken: '?a=b' }, env)).toMatchObject({ kind: 'sas', token: 'a=b' })
    expect(await found({ anonymous: true }, env)).toMatchObject({ kind: 'anonymous' })
    expect(await found({}, { ...env, AZURE_STORAGE_KEY: '' })).toMatchObject({ kind: 'sas', token: 'sv=1&sig=x' })
  })

  test('a connection string gives account, key and endpoint', async () => {
    const text = `DefaultEndpointsProtocol=https;AccountName=acct;AccountKey=${KEY};EndpointSuffix=core.example.net`
    const access = await findAzCredentials('acct', { connectionString: text }, {})
    expect(access).toMatchObject({ credentials: { kind: 'key' }, endpoint: 'https://acct.blob.core.example.net' })
    const config = await azConfig('', {}, { AZURE_STORAGE_CONNECTION_STRING: text, AZURE_BLOB_CONTAINER: 'box' })
    expect(config).toMatchObject({ account: 'acct', container: 'box', url: 'az://acct/box' })
    await expect(findAzCredentials('other', { connectionString: text }, {})).rejects.toEqual(
      failing('E_CREDENTIALS', '"acct"', '"other"'),
    )
  })

  test('a key of another account in the environment is not used', async () => {
    const env = { AZURE_STORAGE_KEY: KEY, AZURE_STORAGE_ACCOUNT: 'acct' }
    await expect(findAzCredentials('other', {}, env)).rejects.toEqual(failing('E_CREDENTIALS', '"other"'))
  })

  test('what is no key is refused without being shown', async () => {
    const refused = findAzCredentials('acct', { accountKey: 'no base64!' }, {})
    await expect(refused).rejects.toEqual(failing('E_CREDENTIALS', 'the option accountKey is not base64'))
    await expect(refused).rejects.not.toThrow(/no base64!/)
  })

  test.each([
    ['acct/box', 'box', ''],
    ['//acct//box//', 'box', ''],
    ['acct/box/a//b/', 'box', 'a//b/'],
    ['/acct/box///a', 'box', 'a/'],
  ])('az://%s is one container and one prefix', async (location, container, root) => {
    expect(await azConfig(location, { accountKey: KEY }, {})).toMatchObject({ account: 'acct', container, root })
  })

  test('names that cannot be are refused', async () => {
    await expect(azConfig('A/b', {}, {})).rejects.toEqual(failing('E_USAGE', '"A"', 'account'))
    await expect(azConfig('acct/B_x', {}, {})).rejects.toEqual(failing('E_USAGE', '"B_x"', 'container'))
    await expect(azConfig('', {}, {})).rejects.toEqual(failing('E_USAGE', 'names no account'))
    await expect(azConfig('acct/box', { acountKey: KEY }, {})).rejects.toEqual(failing('E_USAGE', 'acountKey'))
  })
})

// The worked example of "Authorize with Shared Key", Azure Storage REST API reference.
test('the string to sign is that of the documentation', () => {
  const text = sharedKeyStringToSign('myaccount', {
    method: 'GET',
    path: '/mycontainer',
    query: [
      ['restype', 'container'],
      ['comp', 'metadata'],
      ['timeout', '20'],
    ],
    headers: { 'x-ms-date': 'Fri, 26 Jun 2015 23:39:12 GMT', 'x-ms-version': '2015-02-21' },
    contentLength: 0,
  })
  expect(text).toBe(
    'GET\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:Fri, 26 Jun 2015 23:39:12 GMT\nx-ms-version:2015-02-21\n/myaccount/mycontainer\ncomp:metadata\nrestype:container\ntimeout:20',
  )
})
