import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { gsConfig } from '../../../src/storage/gs/options.ts'
import { urlToSign } from '../../../src/storage/gs/url-signing.ts'
import { openStore } from '../../../src/storage/open.ts'
import type { Store } from '../../../src/storage/types.ts'
import { fakeGcs } from '../../servers/fake-gcs.ts'
import type { RunningServer } from '../../servers/programs.ts'
import { bytesOf, failing, listed, storeConformance } from '../conformance.ts'

const MD5 = (data: Uint8Array | undefined) =>
  createHash('md5')
    .update(data ?? '')
    .digest('hex')

describe.skipIf(fakeGcs.path === undefined)(`Google Cloud Storage, by fake-gcs-server${fakeGcs.absent}`, () => {
  let server: RunningServer
  let made = 0
  beforeAll(async () => {
    server = await fakeGcs.start()
  })
  afterAll(() => server?.stop())

  const open = async (prefix = '', options: object = {}): Promise<Store> => {
    const url = `gs://bucket-${made++}${prefix}`
    const store = await openStore(url, { endpoint: server.endpoint, anonymous: true, ...options })
    await store.createContainer?.()
    return store
  }

  storeConformance(
    'a bucket',
    () => open(),
    async () => {},
    { keys: 'any', timeError: 1000 },
  )
  storeConformance(
    'a prefix',
    () => open('/a/b'),
    async () => {},
    { keys: 'any', timeError: 1000 },
  )

  test.each([5_000_003, 4 * 2 ** 20, 2 ** 18 + 1])('an upload of %i bytes in chunks comes back whole', async (size) => {
    const store = await open('/deep/er', { partSize: 2 ** 18 })
    const big = new Uint8Array(size).map((_, i) => (i * 7919) >>> 5)
    const writer = store.writer('big')
    for (let at = 0; at < size; at += 300_001) await writer.write(big.subarray(at, at + 300_001))
    expect(await listed(store)).toEqual([])
    expect(await writer.close()).toMatchObject({ key: 'big', size })
    expect(MD5((await store.get('big'))?.data)).toBe(MD5(big))
    expect((await store.get('big', { range: { offset: 262_140, length: 5 } }))?.data).toEqual(
      big.slice(262_140, 262_145),
    )
    await store.close()
  })

  test('keeps a type and metadata', async () => {
    const store = await open()
    await store.put('k', bytesOf('x'), { contentType: 'text/plain', metadata: { colour: 'red' } })
    expect(await store.head('k')).toMatchObject({ contentType: 'text/plain', metadata: { colour: 'red' } })
    await store.close()
  })

  test('objects of another bucket are copied by the service', async () => {
    const [from, to] = [await open('/p q'), await open()]
    await from.put('k ä', bytesOf('precious'), { contentType: 'text/plain', metadata: { colour: 'red' } })
    const across = await to.copyFrom?.(from)
    const info = await across?.('k ä', 'n')
    expect(info).toMatchObject({ key: 'n', size: 8 })
    expect(await to.head('n')).toMatchObject({ contentType: 'text/plain', metadata: { colour: 'red' } })
    expect((await to.get('n'))?.data).toEqual(bytesOf('precious'))
    await expect(across?.('gone', 'n')).rejects.toEqual(failing('E_NOT_FOUND', '"gone"'))
    const nobody = await openStore(from.url, { endpoint: `${server.endpoint}/other`, anonymous: true })
    expect(await to.copyFrom?.(nobody)).toBeUndefined()
    await Promise.all([from.close(), to.close(), nobody.close()])
  })

  test('copies take over type and metadata, or have those they are given', async () => {
    const store = await open()
    const kept = { contentType: 'text/plain', metadata: { colour: 'red' } }
    await store.put('k', bytesOf('x'), kept)
    await store.copy?.('k', 'same')
    expect(await store.head('same')).toMatchObject(kept)
    await store.copy?.('k', 'typed', { contentType: 'text/html' })
    expect(await store.head('typed')).toMatchObject({ ...kept, contentType: 'text/html' })
    await store.copy?.('k', 'told', { metadata: { shape: 'round' } })
    expect(await store.head('told')).toMatchObject({ contentType: 'text/plain', metadata: { shape: 'round' } })
    await store.close()
  })

  test('buckets: listed, and removed only when empty', async () => {
    const store = await open()
    await store.put('k', bytesOf('x'))
    await expect(store.deleteContainer?.()).rejects.toEqual(
      failing('E_STATE', `cannot delete ${store.url}: it is not empty`),
    )
    for await (const _ of store.delete(['k']));
    const account = await openStore('gs://', { endpoint: server.endpoint, anonymous: true })
    const names: string[] = []
    for await (const { name } of account.listContainers?.() ?? []) names.push(name)
    expect(names).toContain(store.url.slice('gs://'.length))
    await expect(account.head('k')).rejects.toEqual(failing('E_USAGE', 'names no bucket'))
    await store.deleteContainer?.()
    const missing = await listed(store).catch((caught: unknown) => caught)
    expect(missing).toEqual(failing('E_NOT_FOUND', `cannot list ${store.url}: `))
    expect(missing).toMatchObject({ details: { hint: expect.stringContaining('headrace mb') } })
    await Promise.all([store.close(), account.close()])
  })

  test('without a service account there is nothing to presign with', async () => {
    const store = await open()
    await expect(store.presign?.('k')).rejects.toEqual(
      failing('E_UNSUPPORTED', `cannot presign ${store.url}/k`, 'service account'),
    )
    await store.close()
  })
})

test.each([
  ['box', ''],
  ['//box//', ''],
  ['box/a//b/', 'a//b/'],
  ['/box///a', 'a/'],
])('gs://%s is one bucket and one prefix', async (location, root) => {
  expect(await gsConfig(location, { anonymous: true }, {})).toMatchObject({ bucket: 'box', root })
})

test.each([
  ['gs://bucket', { anonymous: true }],
  ['az://account/container', { accountKey: 'a2V5' }],
  ['s3://bucket', { anonymous: true }],
])('%s: what would end a line is no type of an object, and nothing is sent', async (url, options) => {
  const store = await openStore(url, { endpoint: 'http://127.0.0.1:9', attempts: 1, ...options })
  for (const contentType of ['text/plain\r\n\r\nmore', 'text/pl\u00e4in', ''])
    await expect(async () => store.put('k', bytesOf('x'), { contentType })).rejects.toEqual(
      failing('E_USAGE', 'contentType must be printable ASCII'),
    )
  await store.close()
})

test.each([
  ['gs://bucket', { anonymous: true }],
  ['az://account/container', { accountKey: 'a2V5' }],
  ['s3://bucket', { anonymous: true }],
])('%s: a URL for no time, or another method, is refused', async (url, options) => {
  const store = await openStore(url, options)
  for (const [name, option] of [
    ['expires', { expires: Number.NaN }],
    ['expires', { expires: 0 }],
    ['method', { method: 'DELETE' as 'GET' }],
  ] as const)
    await expect(store.presign?.('k', option)).rejects.toEqual(failing('E_USAGE', name))
  await store.close()
})

test('an emulator is asked without a token', async () => {
  const config = await gsConfig('box', {}, { STORAGE_EMULATOR_HOST: 'localhost:4443' })
  expect(config.credentials.kind).toBe('anonymous')
  expect(config.endpoints).toEqual([{ origin: { protocol: 'http:', host: 'localhost', port: 4443 }, basePath: '' }])
})

test('what is signed of a URL is its request in canonical form', () => {
  const { text, url } = urlToSign({
    endpoint: { origin: { protocol: 'https:', host: 'storage.googleapis.com', port: 443 }, basePath: '' },
    method: 'GET',
    bucket: 'box',
    name: 'a b/ä',
    expires: 900,
    email: 'me@project.iam',
    now: new Date('2026-01-02T03:04:05.678Z'),
  })
  const query =
    'X-Goog-Algorithm=GOOG4-RSA-SHA256&X-Goog-Credential=me%40project.iam%2F20260102%2Fauto%2Fstorage%2Fgoog4_request&X-Goog-Date=20260102T030405Z&X-Goog-Expires=900&X-Goog-SignedHeaders=host'
  expect(url).toBe(`https://storage.googleapis.com/box/a%20b/%C3%A4?${query}`)
  const canonical = `GET\n/box/a%20b/%C3%A4\n${query}\nhost:storage.googleapis.com\n\nhost\nUNSIGNED-PAYLOAD`
  const hash = createHash('sha256').update(canonical).digest('hex')
  expect(text).toBe(`GOOG4-RSA-SHA256\n20260102T030405Z\n20260102/auto/storage/goog4_request\n${hash}`)
})
