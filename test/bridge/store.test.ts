import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Engine, startEngine } from '../../src/bridge/index.ts'
import { type S3Server, startS3Server } from '../../src/dev/s3/index.ts'
import { StoreClient } from './store-client.ts'

let engine: Engine
let folder: string
let client: StoreClient

beforeAll(async () => {
  engine = await startEngine('0')
})

afterAll(() => engine.close())

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'headrace-store-'))
  client = await StoreClient.open(engine.facts)
})

afterEach(async () => {
  client.close()
  await rm(folder, { recursive: true, force: true })
})

const url = (name: string) => `file://${folder}/${name}`

describe('objects', () => {
  test('what is put is got, whole and in part, with what is known of it', async () => {
    const put = await client.ask({ op: 'put', url: url('a/b') }, Buffer.from('0123456789'))
    expect(put.head).toMatchObject({ id: 1, ok: true, value: { size: 10 } })
    expect(await readFile(join(folder, 'a/b'), 'utf8')).toBe('0123456789')
    const whole = await client.ask({ op: 'get', url: url('a/b') })
    expect(whole.head).toMatchObject({ ok: true, value: { size: 10, key: `${folder.slice(1)}/a/b` } })
    expect(whole.body.toString()).toBe('0123456789')
    const part = await client.ask({ op: 'get', url: url('a/b'), offset: 3, length: 4 })
    expect(part.head).toMatchObject({ value: { size: 10 } })
    expect(part.body.toString()).toBe('3456')
    const head = await client.ask({ op: 'head', url: url('a/b') })
    expect(head.head.value).toEqual(whole.head.value)
  })

  test('a part of another version than the etag says is refused', async () => {
    const { head } = await client.ask({ op: 'put', url: url('a') }, Buffer.from('old'))
    const { etag } = head.value as { etag: string }
    expect((await client.ask({ op: 'get', url: url('a'), ifMatch: etag })).body.toString()).toBe('old')
    await client.ask({ op: 'put', url: url('a') }, Buffer.from('newer'))
    expect((await client.ask({ op: 'get', url: url('a'), ifMatch: etag })).head).toMatchObject({
      ok: false,
      code: 'E_STATE',
    })
  })

  test('what is not there: a failure to get, null to head, success to delete', async () => {
    const got = await client.ask({ op: 'get', url: url('none') })
    expect(got.head).toEqual({
      id: 1,
      ok: false,
      code: 'E_NOT_FOUND',
      message: `there is no ${url('none')}`,
      details: { url: url('none'), key: `${folder.slice(1)}/none` },
    })
    expect((await client.ask({ op: 'head', url: url('none') })).head.value).toBeNull()
    expect((await client.ask({ op: 'delete', url: url('none') })).head.value).toEqual({ failed: [] })
  })

  test('keys are taken as they are where the container is named', async () => {
    const key = `${folder.slice(1)}/x?region=y#z%41`
    await client.ask({ op: 'put', container: 'file:///', key }, Buffer.from('odd'))
    expect(await readdir(folder)).toEqual(['x?region=y#z%41'])
    expect((await client.ask({ op: 'get', container: 'file:///', key })).body.toString()).toBe('odd')
    expect((await client.ask({ op: 'delete', container: 'file:///', keys: [key] })).head.value).toEqual({ failed: [] })
    expect(await readdir(folder)).toEqual([])
  })

  test('an object is copied, and a folder removed with all that is in it', async () => {
    await client.ask({ op: 'put', url: url('d/a') }, Buffer.from('1'))
    await client.ask({ op: 'copy', from: { url: url('d/a') }, to: { url: url('d/e/b') } })
    expect(await readFile(join(folder, 'd/e/b'), 'utf8')).toBe('1')
    const removed = await client.ask({ op: 'remove', url: url('d') })
    expect(removed.head).toMatchObject({ ok: true, value: { deleted: 2, failures: [] } })
    expect(existsSync(join(folder, 'd'))).toBe(false)
  })

  test('files are transferred, and the report says what was done', async () => {
    await mkdir(join(folder, 'from/sub'), { recursive: true })
    await writeFile(join(folder, 'from/a'), '12')
    await writeFile(join(folder, 'from/sub/b'), '345')
    const { head } = await client.ask({ op: 'transfer', from: [url('from')], to: url('to/'), recursive: true })
    expect(head).toMatchObject({ ok: true, value: { copied: 2, bytes: 5, failed: 0 } })
    expect(
      await readFile(join(folder, 'to/from/sub/b'), 'utf8').catch(() => readFile(join(folder, 'to/sub/b'), 'utf8')),
    ).toBe('345')
  })
})

describe('listings', () => {
  beforeEach(async () => {
    for (const key of ['l/a', 'l/b', 'l/c/d', 'l/e']) await client.ask({ op: 'put', url: url(key) }, Buffer.from(key))
  })

  const key = (name: string) => `${folder.slice(1)}/${name}`

  test('come in pages of the size asked for', async () => {
    await client.ask({ op: 'list.open', list: 7, url: url('l/') })
    const first = (await client.ask({ op: 'list.next', list: 7, count: 3 })).head.value as { entries: string[][] }
    expect(first).toMatchObject({ done: false })
    expect(first.entries.map(([name, size]) => [name, size])).toEqual([
      [key('l/a'), 3],
      [key('l/b'), 3],
      [key('l/c/d'), 5],
    ])
    const rest = (await client.ask({ op: 'list.next', list: 7, count: 3 })).head.value as { entries: string[][] }
    expect(rest).toMatchObject({ done: true })
    expect(rest.entries.map(([name]) => name)).toEqual([key('l/e')])
    expect((await client.ask({ op: 'list.next', list: 7 })).head).toMatchObject({ ok: false, code: 'E_STATE' })
  })

  test('give common prefixes as texts, and begin behind a key', async () => {
    await client.ask({ op: 'list.open', list: 1, url: url('l/'), delimiter: '/', startAfter: key('l/a') })
    const { entries } = (await client.ask({ op: 'list.next', list: 1 })).head.value as { entries: unknown[] }
    expect(entries.map((each) => (Array.isArray(each) ? each[0] : { prefix: each }))).toEqual([
      key('l/b'),
      { prefix: key('l/c/') },
      key('l/e'),
    ])
  })
})

describe('writers', () => {
  test('show nothing before they are closed', async () => {
    await client.ask({ op: 'writer.open', writer: 1, url: url('w') })
    await client.ask({ op: 'writer.write', writer: 1 }, Buffer.from('one '))
    expect(existsSync(join(folder, 'w'))).toBe(false)
    await client.ask({ op: 'writer.write', writer: 1 }, Buffer.from('two'))
    expect((await client.ask({ op: 'writer.close', writer: 1 })).head).toMatchObject({ ok: true, value: { size: 7 } })
    expect(await readFile(join(folder, 'w'), 'utf8')).toBe('one two')
    expect((await client.ask({ op: 'writer.write', writer: 1 }, Buffer.from('x'))).head).toMatchObject({
      ok: false,
      code: 'E_STATE',
    })
  })

  test('leave nothing when they are aborted, nor when the client is gone', async () => {
    await client.ask({ op: 'writer.open', writer: 1, url: url('aborted') })
    await client.ask({ op: 'writer.write', writer: 1 }, Buffer.from('x'))
    await client.ask({ op: 'writer.abort', writer: 1 })
    const other = await StoreClient.open(engine.facts)
    await other.ask({ op: 'writer.open', writer: 1, url: url('left') })
    await other.ask({ op: 'writer.write', writer: 1 }, Buffer.from('x'))
    other.close()
    await expect.poll(() => readdir(folder)).toEqual([])
  })
})

describe('content', () => {
  test('is the same for the same seed, in pieces as in one, and another for each object', async () => {
    const whole = await client.ask({ op: 'content', size: 1000, seed: 5 })
    const piece = await client.ask({ op: 'content', size: 1000, seed: 5, offset: 400, length: 100 })
    expect(piece.body).toEqual(whole.body.subarray(400, 500))
    const other = await client.ask({ op: 'content', size: 1000, seed: 5, object: 1, objects: 2 })
    expect(other.body.equals(whole.body)).toBe(false)
  })

  test('is written as an object without passing through the connection', async () => {
    const whole = await client.ask({ op: 'content', size: 5000, seed: 3 })
    const { head } = await client.ask({ op: 'generate', url: url('g'), size: 5000, seed: 3 })
    expect(head).toMatchObject({ ok: true, value: { size: 5000 } })
    expect(await readFile(join(folder, 'g'))).toEqual(whole.body)
  })
})

describe('messages', () => {
  test('may come in pieces of a byte, and several at once', async () => {
    const first = StoreClient.request({ id: 1, op: 'put', url: url('a') }, Buffer.from('bytes'))
    for (const byte of first) {
      client.socket.write(Buffer.of(byte))
      await new Promise(setImmediate)
    }
    expect((await client.next())?.head).toMatchObject({ id: 1, ok: true })
    client.socket.write(Buffer.concat([2, 3, 4].map((id) => StoreClient.request({ id, op: 'get', url: url('a') }))))
    const answers = [await client.next(), await client.next(), await client.next()]
    expect(answers.map((each) => each?.head.id).sort()).toEqual([2, 3, 4])
    expect(answers.map((each) => each?.body.toString())).toEqual(['bytes', 'bytes', 'bytes'])
  })

  test.each([
    ['an operation that there is not', { op: 'nonsense' }, 'E_UNSUPPORTED'],
    ['no operation', {}, 'E_UNSUPPORTED'],
    ['a field of another type', { op: 'get', url: 5 }, 'E_USAGE'],
    ['more bytes than an answer may have', { op: 'get', url: 'file:///x', length: 2 ** 27 }, 'E_USAGE'],
    ['a writer that was never opened', { op: 'writer.write', writer: 9 }, 'E_STATE'],
    ['a scheme that there is not', { op: 'get', url: 'ftp://x/y' }, 'E_UNSUPPORTED'],
  ])('%s is refused, and the connection goes on', async (_, request, code) => {
    expect((await client.ask(request)).head).toMatchObject({ id: 1, ok: false, code })
    expect((await client.ask({ op: 'head', url: url('none') })).head).toMatchObject({ ok: true })
  })

  test.each([
    ['a head that is longer than the message', [5, 0, 0, 0, 32, 0, 0, 0, 9, 0, 0, 0], 'E_CORRUPT'],
    ['a head that is no JSON', [7, 0, 0, 0, 32, 0, 0, 0, 3, 0, 0, 0, 1, 2, 3], 'E_CORRUPT'],
    ['another kind', [7, 0, 0, 0, 18, 0, 0, 0, 3, 0, 0, 0, 1, 2, 3], 'E_CORRUPT'],
    ['a body of 2 GB', [0, 0, 0, 128, 32, 0, 0, 0, 2, 0, 0, 0], 'E_LIMIT'],
    ['a head of 1 GB', [0, 0, 0, 64, 32, 0, 0, 0, 252, 255, 255, 63], 'E_LIMIT'],
  ])('%s ends the connection with the reason', async (_, bytes, code) => {
    client.socket.write(Buffer.from(bytes))
    expect((await client.next())?.head).toMatchObject({ id: null, ok: false, code })
    expect(await client.next()).toBeUndefined()
  })

  test('options that there are not are refused before anything else', async () => {
    await expect(StoreClient.open(engine.facts, { ftp: {} })).rejects.toMatchObject({ code: 'E_USAGE' })
  })
})

describe('S3', () => {
  let server: S3Server
  let s3: StoreClient
  const options = () => ({
    s3: {
      endpoint: server.url,
      region: 'us-east-1',
      credentials: { accessKeyId: 'testkey', secretAccessKey: 'testsecret' },
    },
  })

  beforeAll(async () => {
    server = await startS3Server()
    const maker = await StoreClient.open(engine.facts, options())
    expect((await maker.ask({ op: 'container.create', url: 's3://bucket' })).head).toEqual({ id: 1, ok: true })
    maker.close()
  })
  afterAll(() => server.close())
  beforeEach(async () => {
    s3 = await StoreClient.open(engine.facts, options())
  })
  afterEach(() => s3.close())

  test('buckets are made and listed, and objects keep what was said of them', async () => {
    const { head } = await s3.ask({ op: 'container.list', url: 's3://' })
    expect(head.value).toMatchObject({ containers: [{ name: 'bucket' }] })
    await s3.ask(
      { op: 'put', url: 's3://bucket/a', contentType: 'text/plain', metadata: { by: 'me' } },
      Buffer.from('x'),
    )
    expect((await s3.ask({ op: 'head', url: 's3://bucket/a' })).head.value).toMatchObject({
      size: 1,
      contentType: 'text/plain',
      metadata: { by: 'me' },
    })
  })

  test('an upload whose client is gone is aborted at the server', async () => {
    await s3.ask({ op: 'writer.open', writer: 1, url: 's3://bucket/large' })
    const piece = new Uint8Array(8 * 2 ** 20)
    for (let i = 0; i < 3; i++) await s3.ask({ op: 'writer.write', writer: 1 }, piece)
    await expect.poll(() => server.requests.count('UploadPart')).toBeGreaterThan(0)
    s3.close()
    await expect.poll(() => server.requests.count('AbortMultipartUpload')).toBe(1)
    expect(server.requests.count('CompleteMultipartUpload')).toBe(0)
  })

  test('connections with the same options share a store', async () => {
    const other = await StoreClient.open(engine.facts, options())
    await s3.ask({ op: 'put', url: 's3://bucket/shared' }, Buffer.from('1'))
    expect((await other.ask({ op: 'get', url: 's3://bucket/shared' })).body.toString()).toBe('1')
    other.close()
    // It goes on for the other one.
    expect((await s3.ask({ op: 'get', url: 's3://bucket/shared' })).body.toString()).toBe('1')
  })
})
