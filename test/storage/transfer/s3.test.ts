import { randomBytes } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type S3Server, startS3Server } from '../../../src/dev/s3/index.ts'
import { openStore } from '../../../src/storage/open.ts'
import { copyObjects, moveObjects, removeObjects, syncObjects } from '../../../src/storage/transfer/index.ts'
import type { Store } from '../../../src/storage/types.ts'
import { measured } from '../../../src/storage/wrappers/measured.ts'
import { bytesOf, failing } from '../conformance.ts'
import { counts, putTree, readTree, type Tree, temporaryFolders, treeOf, writeTree } from './tree.ts'

const temporary = temporaryFolders()

let server: S3Server
let buckets = 0
let a: Store
let b: Store
beforeAll(async () => {
  server = await startS3Server({ minPartSize: 1024 })
})
afterAll(() => server.close())

async function newBucket(options: object = {}): Promise<Store> {
  const credentials = { accessKeyId: 'testkey', secretAccessKey: 'testsecret' }
  const store = await openStore(`s3://bucket-${++buckets}`, { endpoint: server.url, credentials, ...options })
  await store.createContainer?.()
  return store
}

beforeEach(async () => {
  a = await newBucket()
  b = await newBucket()
  return () => Promise.all([a.close(), b.close()])
})

const ODD: Tree = {
  'a b': 'space',
  'a+b': 'plus',
  'a%20b': 'percent',
  'a%2Fb': 'slash that is none',
  'a//b': 'empty part',
  '/leading': 'leading',
  '//': 'slashes',
  'trailing/': 'not empty',
  './a': 'dot',
  '../a': 'up',
  'x/../../y': 'up and up',
  'ä/日本/\u{1f600}': 'unicode',
  'a\u0308': 'decomposed',
  'a?b#c&d=e': 'query',
  '"\'<>&': 'markup',
  'back\\slash': 'backslash',
  'star*[x]': 'glob',
  [`${'k'.repeat(1000)}/${'k'.repeat(23)}`]: '1,024 bytes',
}

describe('odd keys', () => {
  test('survive from bucket to bucket and within one, byte for byte', async () => {
    await putTree(a, '', ODD)
    const across = await copyObjects({ store: a, key: '' }, { store: b, key: '' }, { recursive: true })
    expect(across).toMatchObject({ copied: Object.keys(ODD).length, failed: 0 })
    expect(await treeOf(b)).toEqual(ODD)
    const { [`${'k'.repeat(1000)}/${'k'.repeat(23)}`]: _, ...shorter } = ODD
    const within = await copyObjects({ store: b, key: '' }, { store: a, key: 'in/' }, { recursive: true })
    expect(within).toMatchObject({ copied: Object.keys(shorter).length, failed: 1 })
    expect(await treeOf(a, 'in/')).toEqual(shorter)
    expect(await moveObjects({ store: a, key: 'in/' }, { store: a, key: 'on' }, { recursive: true })).toMatchObject({
      copied: Object.keys(shorter).length,
      deleted: Object.keys(shorter).length,
      failed: 0,
    })
    expect(await treeOf(a, 'on/')).toEqual(shorter)
    expect(await treeOf(a, 'in/')).toEqual({})
  })

  test('that cannot be paths fail one by one, and nothing is written outside the destination', async () => {
    const folder = await temporary()
    await putTree(a, '', ODD)
    const report = await copyObjects({ store: a, key: '' }, join(folder, 'deep/er/out'), { recursive: true })
    const refused = ['/leading', '//', 'trailing/', './a', '../a', 'x/../../y', 'a//b']
    const long = Object.keys(ODD).filter((key) => key.startsWith('kkk'))
    expect(report.failures.map(({ url }) => url.slice(`${a.url}/`.length)).sort()).toEqual([...refused, ...long].sort())
    expect(new Set(report.failures.map(({ code }) => code))).toEqual(new Set(['E_USAGE']))
    const rest = Object.entries(ODD).filter(([key]) => ![...refused, ...long].includes(key))
    expect(await readTree(folder)).toEqual(Object.fromEntries(rest.map(([key, text]) => [`deep/er/out/${key}`, text])))
  })

  test('that are the markers of folders are left out of local folders, and copied to buckets', async () => {
    const folder = await temporary()
    await putTree(a, '', { 'photos/': '', 'photos/cats/': '', 'photos/cats/a': 'x' })
    const down = await copyObjects({ store: a, key: 'photos/' }, folder, { recursive: true })
    expect(counts(down)).toMatchObject({ copied: 1, skipped: 2, failed: 0 })
    expect(await readTree(folder)).toEqual({ 'cats/a': 'x' })
    await copyObjects({ store: a, key: 'photos/' }, { store: b, key: 'p' }, { recursive: true })
    expect(await treeOf(b)).toEqual({ 'p/': '', 'p/cats/': '', 'p/cats/a': 'x' })
    await copyObjects({ store: a, key: 'photos/' }, { store: b, key: '' }, { recursive: true })
    expect(await treeOf(b)).toMatchObject({ 'cats/': '', 'cats/a': 'x' })
  })
})

describe('large objects', () => {
  test('go up and down in parts, whole and with what is said of them', async () => {
    const folder = await temporary()
    const bytes = randomBytes(11 * 2 ** 20 + 1)
    const store = await newBucket({ partSize: 5 * 2 ** 20, partsInFlight: 2 })
    await writeFile(join(folder, 'in'), bytes)
    const options = { partSize: 700_000, windowBytes: 2_000_000 }
    await copyObjects(join(folder, 'in'), { store, key: 'k' }, options)
    expect(server.requests.count('CompleteMultipartUpload')).toBeGreaterThan(0)
    await copyObjects({ store, key: 'k' }, join(folder, 'out'), options)
    expect(bytes.equals(await readFile(join(folder, 'out')))).toBe(true)
    await store.put('said', bytes, { contentType: 'image/jpeg', metadata: { author: 'me' } })
    for (const partSize of [700_000, 20_000_000]) {
      await copyObjects({ store, key: 'said' }, { store: b, key: 'said' }, { partSize })
      expect(await b.head('said')).toMatchObject({ contentType: 'image/jpeg', metadata: { author: 'me' } })
    }
    await store.close()
  })

  test('whose upload was cancelled are taken up again, where that is wanted', async () => {
    const folder = await temporary()
    const bytes = randomBytes(40 * 2 ** 20)
    await writeFile(join(folder, 'in'), bytes)
    const store = await newBucket({ partSize: 5 * 2 ** 20, partsInFlight: 1 })
    const upload = async (resume: boolean, until = Infinity) => {
      const controller = new AbortController()
      const onProgress = (progress: { bytes: number }) => progress.bytes > until && controller.abort()
      const options = { resume, partSize: 2 ** 20, windowBytes: 2 ** 20, onProgress, signal: controller.signal }
      const before = server.requests.count('UploadPart')
      await copyObjects(join(folder, 'in'), { store, key: 'k' }, options).catch(() => undefined)
      return server.requests.count('UploadPart') - before
    }
    expect(await upload(true, 25 * 2 ** 20)).toBeLessThan(8)
    expect(await store.head('k')).toBeUndefined()
    expect(await upload(true)).toBeLessThan(6)
    expect(bytes.equals((await store.get('k'))?.data ?? new Uint8Array())).toBe(true)
    await upload(false, 25 * 2 ** 20)
    expect(await upload(true)).toBe(8)
    await store.close()
  })

  test('that are replaced while they are read are a failure, and no mixture', async () => {
    const folder = await temporary()
    await a.put('k', Buffer.alloc(300_000, 1))
    let replaced: Promise<unknown> | undefined
    const report = await copyObjects({ store: a, key: 'k' }, join(folder, 'out'), {
      partSize: 1000,
      windowBytes: 1000,
      onProgress: () => {
        replaced ??= a.put('k', Buffer.alloc(300_000, 2))
      },
    })
    await replaced
    expect(report.failures).toMatchObject([{ code: 'E_STATE', url: `${a.url}/k` }])
    expect(await readTree(folder)).toEqual({})
  })
})

describe('between buckets of one server', () => {
  const copied = async (from: Store, to: Store) => {
    const ops: string[] = []
    const seen = (store: Store) => measured(store, { record: ({ op }) => void ops.push(op), close: async () => {} })
    const report = await copyObjects({ store: seen(from), key: 'k' }, { store: seen(to), key: 'n' })
    return { ops: ops.filter((op) => op !== 'HEAD' && op !== 'LIST'), ...counts(report) }
  }
  const SAID = { contentType: 'image/jpeg', metadata: { author: 'me' } }

  test('the server copies, with what is said of the object', async () => {
    await a.put('k', bytesOf('precious'), SAID)
    expect(await copied(a, b)).toMatchObject({ ops: ['COPY'], copied: 1, failed: 0 })
    expect(await b.head('n')).toMatchObject(SAID)
    expect(await treeOf(b)).toEqual({ n: 'precious' })
    expect(await moveObjects({ store: a, key: 'k' }, { store: b, key: 'moved' })).toMatchObject({
      copied: 1,
      deleted: 1,
    })
    expect([await treeOf(a), await treeOf(b)]).toEqual([{}, { n: 'precious', moved: 'precious' }])
  })

  test('with other credentials, or on another server, it goes through the client', async () => {
    const other = await startS3Server({ minPartSize: 1024 })
    const credentials = { accessKeyId: 'testkey', secretAccessKey: 'testsecret' }
    const far = await openStore('s3://far', { endpoint: other.url, credentials })
    const nobody = await openStore(b.url, { endpoint: server.url, anonymous: true })
    await far.createContainer?.()
    await a.put('k', bytesOf('precious'), SAID)
    expect(await copied(a, far)).toMatchObject({ ops: ['GET_RANGE', 'PUT'], copied: 1 })
    expect(await far.head('n')).toMatchObject(SAID)
    expect(await nobody.copyFrom?.(a)).toBeUndefined()
    expect(await b.copyFrom?.(far)).toBeUndefined()
    await Promise.all([far.close(), nobody.close()])
    await other.close()
  })

  test('an object that is not there is E_NOT_FOUND, and names it', async () => {
    const across = await b.copyFrom?.(a)
    await expect(across?.('gone', 'n')).rejects.toEqual(failing('E_NOT_FOUND', '"gone"'))
  })
})

describe('syncing', () => {
  test('what was just uploaded is the same, whatever the clocks say, and costs a look and no upload', async () => {
    const folder = await temporary()
    const soon = Date.now() + 3_600_000
    await writeTree(folder, { x: '1', 'y/z': '22' }, soon)
    const up = async () => counts(await syncObjects(folder, { store: a, key: 'f' }))
    expect(await up()).toMatchObject({ copied: 2, skipped: 0 })
    expect(await up()).toMatchObject({ copied: 0, skipped: 2 })
    await writeTree(folder, { 'y/z': '23' }, soon + 1)
    expect(await up()).toMatchObject({ copied: 1, skipped: 1 })
    expect(await treeOf(a, 'f/')).toEqual({ x: '1', 'y/z': '23' })
  })

  test('comes to rest in both directions and between buckets', async () => {
    const folder = await temporary()
    await putTree(a, '', { x: '1', 'y/z': '22', 'odd key/+%20': '3' })
    for (const [from, to] of [
      [{ store: a, key: '' }, join(folder, 'down')],
      [
        { store: a, key: '' },
        { store: b, key: 'copy/' },
      ],
    ] as const) {
      expect(counts(await syncObjects(from, to))).toMatchObject({ copied: 3, skipped: 0 })
      expect(counts(await syncObjects(from, to))).toMatchObject({ copied: 0, skipped: 3 })
      expect(counts(await syncObjects(from, to, { checksum: true }))).toMatchObject({ copied: 0, skipped: 3 })
    }
    await b.put('copy/x', bytesOf('9'))
    expect(counts(await syncObjects({ store: a, key: '' }, { store: b, key: 'copy/' }))).toMatchObject({ copied: 0 })
    expect(
      counts(await syncObjects({ store: a, key: '' }, { store: b, key: 'copy/' }, { checksum: true })),
    ).toMatchObject({ copied: 1 })
    expect((await treeOf(b, 'copy/')).x).toBe('1')
  })

  test('a bucket that is not there is an error, and not an empty one', async () => {
    const folder = await temporary()
    await writeTree(folder, { 'keep/me': 'x' })
    const credentials = { accessKeyId: 'testkey', secretAccessKey: 'testsecret' }
    const gone = await openStore('s3://no-such-bucket', { endpoint: server.url, credentials })
    for (const key of ['', 'in/'])
      await expect(syncObjects({ store: gone, key }, folder, { delete: true })).rejects.toEqual(failing('E_NOT_FOUND'))
    expect(await readTree(folder)).toEqual({ 'keep/me': 'x' })
    await gone.close()
  })
})

describe('removing', () => {
  test('takes a request for 1,000 keys, while the listing goes on', async () => {
    const keys = Array.from({ length: 1100 }, (_, i) => `many/${String(i).padStart(5, '0')}`)
    await Promise.all(keys.map((key) => a.put(key, bytesOf('x'))))
    const before = server.requests.count('DeleteObjects')
    expect(await removeObjects({ store: a, key: 'many' }, { recursive: true })).toMatchObject({ deleted: 1100 })
    expect(server.requests.count('DeleteObjects') - before).toBe(2)
    expect(await treeOf(a)).toEqual({})
  })
})

test.each(['127.0.0.1', 'localhost'])('moving onto itself by another store of it (%s) loses nothing', async (host) => {
  await putTree(a, '', { 'p/k': 'precious' })
  const credentials = { accessKeyId: 'testkey', secretAccessKey: 'testsecret' }
  const endpoint = server.url.replace('127.0.0.1', host)
  const same = await openStore(`${a.url}/p`, { endpoint, credentials })
  const report = await moveObjects({ store: a, key: 'p/k' }, { store: same, key: 'k' })
  expect(report).toMatchObject({ copied: 0, deleted: 0, failed: 1 })
  expect(report.failures[0]).toMatchObject({ url: `${a.url}/p/k`, code: 'E_STATE' })
  expect(await treeOf(a)).toEqual({ 'p/k': 'precious' })
  await same.close()
})
