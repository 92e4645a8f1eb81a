import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openStore } from '../../../src/storage/open.ts'
import { removeObjects } from '../../../src/storage/transfer/index.ts'
import { failing, listed } from '../conformance.ts'
import { type Heard, ScriptedServer } from '../s3/scripted-server.ts'

/** Names of a page, and where the next one begins. */
type Page = readonly [names: readonly string[], next?: string]

const TIME = 'Wed, 01 Jan 2025 00:00:00 GMT'

const SERVICES = {
  az: {
    url: 'az://account/container',
    options: { accountKey: 'a2V5' },
    page: ([names, next = '']: Page) => {
      const blobs = names.map(
        (name) =>
          `<Blob><Name>${name}</Name><Properties><Content-Length>1</Content-Length><Etag>e</Etag><Last-Modified>${TIME}</Last-Modified></Properties></Blob>`,
      )
      const body = `<EnumerationResults><Blobs>${blobs.join('')}</Blobs><NextMarker>${next}</NextMarker></EnumerationResults>`
      return { body }
    },
    next: 'marker',
    account: 'az://account',
    again: '<EnumerationResults><Containers/><NextMarker>1</NextMarker></EnumerationResults>',
  },
  gs: {
    url: 'gs://bucket',
    options: { anonymous: true },
    page: ([names, next = '']: Page) => {
      const items = names.map((name) => ({ name, size: '1', generation: '1', updated: '2025-01-01T00:00:00Z' }))
      return { body: JSON.stringify({ items, nextPageToken: next }) }
    },
    next: 'pageToken',
    account: 'gs://',
    again: '{"nextPageToken":"1"}',
  },
  s3: {
    url: 's3://bucket',
    options: { anonymous: true },
    page: ([names, next = '']: Page) => {
      const keys = names.map((name) => `<Contents><Key>${name}</Key><Size>1</Size></Contents>`)
      const more = next === '' ? '' : `<NextContinuationToken>${next}</NextContinuationToken>`
      const body = `<ListBucketResult><IsTruncated>${next !== ''}</IsTruncated>${keys.join('')}${more}</ListBucketResult>`
      return { body }
    },
    next: 'continuation-token',
    account: 's3://',
    again: '<ListAllMyBucketsResult><ContinuationToken>1</ContinuationToken></ListAllMyBucketsResult>',
  },
} as const

const server = new ScriptedServer()
beforeAll(() => server.start())
afterAll(() => server.stop())

describe.each(Object.entries(SERVICES))('a listing of %s', (_, { url, options, page, next, account, again }) => {
  const open = (prefix = '') => openStore(`${url}${prefix}`, { endpoint: server.origin, attempts: 1, ...options })
  const says = (...pages: readonly Page[]) =>
    server.says(({ url: asked, method }: Heard) => {
      if (method !== 'GET') return { status: 204 }
      const token = new URL(asked, 'http://h').searchParams.get(next)
      return page(pages[token === null ? 0 : Number(token)] ?? [[]])
    })

  test('with keys outside of the prefix is E_CORRUPT, and nothing of them is deleted', async () => {
    const store = await open()
    says([['other/a', 'p/a', 'p/b']])
    await expect(listed(store, 'p/')).rejects.toEqual(failing('E_CORRUPT', 'other keys'))
    await expect(removeObjects({ store, key: 'p' }, { recursive: true })).rejects.toEqual(failing('E_CORRUPT'))
    expect(server.heard.map(({ method }) => method)).not.toContain('DELETE')
    const below = await open('/p')
    await expect(listed(below)).rejects.toEqual(failing('E_CORRUPT', 'other keys'))
  })

  test('in another order than that of the keys is E_CORRUPT', async () => {
    says([['a', 'c'], '1'], [['b']])
    await expect(listed(await open())).rejects.toEqual(failing('E_CORRUPT', 'order'))
  })

  test('that never ends is E_CORRUPT', async () => {
    says([['a'], '1'], [['b'], '1'])
    await expect(listed(await open())).rejects.toEqual(failing('E_CORRUPT', 'same one again'))
  })

  test('of its containers, too', async () => {
    const store = await openStore(account, { endpoint: server.origin, attempts: 1, ...options })
    server.says({ body: again })
    const names = async () => {
      for await (const _ of store.listContainers?.() ?? []);
    }
    await expect(names()).rejects.toEqual(failing('E_CORRUPT', 'same one again'))
  })

  test('that repeats a key says it once', async () => {
    says([['a', 'b'], '1'], [['b', 'c']])
    expect(await listed(await open())).toEqual(['a', 'b', 'c'])
  })

  test('has no key for the marker of the folder that the store is', async () => {
    says([['p/', 'p/a']])
    expect(await listed(await open('/p'))).toEqual(['a'])
  })
})
