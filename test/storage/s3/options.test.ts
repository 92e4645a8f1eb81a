import { describe, expect, test } from 'vitest'
import { openStore } from '../../../src/storage/index.ts'
import { parseLocation, s3Config } from '../../../src/storage/s3/options.ts'
import { failing } from '../conformance.ts'

/** Nothing of this machine's own files. */
const NO_FILES = { AWS_CONFIG_FILE: '/nonexistent/config', AWS_SHARED_CREDENTIALS_FILE: '/nonexistent/credentials' }

function config(location: string, options: Readonly<Record<string, unknown>> = {}, env = {}) {
  return s3Config(location, options, { ...NO_FILES, ...env })
}

describe('the URL of an S3 store', () => {
  test.each([
    ['bucket', 's3://bucket', ''],
    ['bucket/', 's3://bucket', ''],
    ['bucket///', 's3://bucket', ''],
    ['/bucket', 's3://bucket', ''],
    ['bucket/a', 's3://bucket/a', 'a/'],
    ['bucket//a', 's3://bucket/a', 'a/'],
    ['bucket/a/', 's3://bucket/a', 'a/'],
    ['bucket//a/b///', 's3://bucket/a/b', 'a/b/'],
    ['bucket/a b?c#d%41', 's3://bucket/a b?c#d%41', 'a b?c#d%41/'],
    ['', 's3://', ''],
    ['/', 's3://', ''],
  ])('s3://%s is %s', (location, url, root) => {
    expect(config(location)).toMatchObject({ url, root })
    expect(parseLocation(url.slice('s3://'.length)).root).toBe(root)
  })

  test.each(['host:9000/bucket', '-bucket', 'a_b c', 'ä', '..', `b${'x'.repeat(255)}`])(
    's3://%s has no bucket',
    (location) => {
      expect(() => config(location)).toThrow(failing('E_USAGE', 'no name of a bucket') as Error)
    },
  )

  test('a port where a bucket should be gets a hint', () => {
    expect(() => config('host:9000/bucket')).toThrow(
      expect.objectContaining({ details: expect.objectContaining({ hint: expect.stringContaining('endpoint=') }) }),
    )
  })
})

describe('the server of an S3 store', () => {
  test('is AWS unless said otherwise, with the bucket in the host where a certificate fits', () => {
    expect(config('bucket')).toMatchObject({ endpoints: undefined, style: 'virtual', region: 'us-east-1' })
    expect(config('a.bucket').style).toBe('path')
    expect(config('Bucket_1').style).toBe('path')
  })

  test.each([
    [{ AWS_ENDPOINT_URL: 'http://h:9000' }, ['h']],
    [{ AWS_ENDPOINT_URL: 'http://h:9000', AWS_ENDPOINT_URL_S3: 'https://s3.h' }, ['s3.h']],
    [{ S3_ENDPOINT: 'h:9000' }, ['h']],
    [{ S3_ENDPOINT_URIS: 'http://a:1,http://b{1...2}:1' }, ['a', 'b1', 'b2']],
  ])('is that of %j, path style', (env, hosts) => {
    const { endpoints, style } = config('bucket', {}, env)
    expect(endpoints?.map(({ origin }) => origin.host)).toEqual(hosts)
    expect(style).toBe('path')
  })

  test('is that of the option before all others; style only changes where it is asked for', () => {
    const env = { AWS_ENDPOINT_URL_S3: 'http://e' }
    expect(config('bucket', { endpoint: 'http://o:1' }, env).endpoints?.[0]?.origin.host).toBe('o')
    expect(config('bucket', { endpoint: ['http://o:1', 'http://p:1'] }, env).endpoints).toHaveLength(2)
    expect(config('bucket', { endpoint: 'http://o:1', style: 'virtual' }).style).toBe('virtual')
    expect(config('a.b', { style: 'virtual' }).style).toBe('virtual')
  })

  test('an endpoint of the environment that is none names the variable', () => {
    expect(() => config('bucket', {}, { S3_ENDPOINT: 'ftp://h' })).toThrow(
      failing('E_CONFIG', 'S3_ENDPOINT', 'ftp') as Error,
    )
  })

  test('region comes from the option, AWS_REGION, AWS_DEFAULT_REGION', () => {
    const env = { AWS_REGION: 'eu-west-1', AWS_DEFAULT_REGION: 'eu-west-2' }
    expect(config('b', { region: 'eu-west-3' }, env).region).toBe('eu-west-3')
    expect(config('b', {}, env).region).toBe('eu-west-1')
    expect(config('b', {}, { AWS_DEFAULT_REGION: 'eu-west-2' }).region).toBe('eu-west-2')
    expect(() => config('b', { region: 'EU west' })).toThrow(failing('E_USAGE', 'region', '"EU west"') as Error)
  })
})

describe('options', () => {
  test.each([
    [{ regoin: 'x' }, ['no option "regoin"', 'region']],
    [{ style: 'host' }, ['style must be one of', '"host"']],
    [{ checksums: 'on' }, ['checksums', '"on"']],
    [{ anonymous: 'yes' }, ['anonymous must be true or false', '"yes"']],
    [{ signPayload: 1 }, ['signPayload', '1']],
    [{ endpoint: '' }, ['endpoint', '""']],
    [{ profile: 7 }, ['profile', '7']],
    [{ concurrency: 0 }, ['concurrency', '0']],
  ])('%j is refused', (options, words) => {
    expect(() => config('b', options)).toThrow(failing('E_USAGE', ...words) as Error)
  })

  test('wrong credentials are not quoted', () => {
    for (const credentials of ['AKIDSECRET', { accessKeyId: 'AKIDSECRET' }, 7])
      expect(() => config('b', { credentials })).toThrow(
        expect.objectContaining({ code: 'E_USAGE', message: expect.not.stringContaining('AKIDSECRET') }),
      )
  })

  test('those of the query are texts, and the spec repeats all but secrets', async () => {
    const url =
      's3://bucket/p?endpoint=http://127.0.0.1:1&region=eu-west-1&style=path&partSize=16MiB&anonymous=true&concurrency=4'
    const store = await openStore(url, { concurrency: 8 })
    expect(store.url).toBe('s3://bucket/p')
    expect(store.spec.options).toEqual({
      endpoint: 'http://127.0.0.1:1',
      region: 'eu-west-1',
      style: 'path',
      partSize: '16MiB',
      anonymous: 'true',
      concurrency: 8,
    })
    const again = await openStore(store.spec.url, store.spec.options)
    expect(again.spec).toEqual(store.spec)
    await Promise.all([store.close(), again.close()])
  })

  test('credentials are no option of a URL', async () => {
    const store = await openStore('s3://bucket/p?credentials=x', { endpoint: 'http://127.0.0.1:1' })
    expect(store.url).toBe('s3://bucket/p?credentials=x')
    await store.close()
  })
})
