import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { createAuthority } from '../../../src/dev/s3/certificate.ts'
import { type S3Server, startS3Server } from '../../../src/dev/s3/index.ts'
import type { HeadraceError } from '../../../src/errors.ts'
import { S3Connection } from '../../../src/storage/s3/connection.ts'
import { openS3Store, type S3Store } from '../../../src/storage/s3/store.ts'
import { bytesOf, failing, listed, textAt } from '../conformance.ts'

const KEYS = { accessKeyId: 'testkey', secretAccessKey: 'testsecret' }
const MiB = 2 ** 20

const running: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const each of running.splice(0).reverse()) await each.close()
})

async function serve(options: Parameters<typeof startS3Server>[0] = {}): Promise<S3Server> {
  const server = await startS3Server(options)
  running.push(server)
  return server
}

async function open(server: S3Server, options: Readonly<Record<string, unknown>> = {}, location = 'bucket') {
  const store = await openS3Store(location, {
    endpoint: server.url,
    credentials: KEYS,
    baseDelay: 1,
    maxDelay: 5,
    ...options,
  })
  running.push(store)
  return store
}

/** A store in a bucket of its own, on a server of its own. */
async function fresh(
  options: Readonly<Record<string, unknown>> = {},
  serverOptions: Parameters<typeof startS3Server>[0] = {},
): Promise<{ store: S3Store; server: S3Server }> {
  const server = await serve(serverOptions)
  await (await open(server)).createContainer()
  return { store: await open(server, options), server }
}

function pattern(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 31 + (i >> 12)) & 0xff)
}

describe('keys', () => {
  const ODD = [
    '/',
    '//',
    '/leading',
    'trailing/',
    'a//b',
    './a',
    '../a',
    'a/../b',
    'a/.',
    '.',
    '..',
    ' ',
    'a b+c%20d&e=f?g#h',
    '\u0001\u001f control',
    'tab\t, line\nand\rreturn',
    "it's (a) *star*! ~",
    '<xml>&amp;"',
    '\ufffe\uffff',
    '\u{1f600}é日',
    '*',
    'k'.repeat(1024),
    'é'.repeat(512),
  ]

  test('of any text survive a round trip: put, head, get, list, copy, delete', async () => {
    const { store } = await fresh()
    for (const key of ODD) expect((await store.put(key, bytesOf(`at ${key}`))).key).toBe(key)
    const sorted = [...ODD].sort((a, b) => Buffer.compare(bytesOf(a), bytesOf(b)))
    expect(await listed(store)).toEqual(sorted)
    for (const key of ODD) {
      expect(await textAt(store, key)).toBe(`at ${key}`)
      expect((await store.head(key))?.size).toBe(bytesOf(`at ${key}`).length)
      await store.copy(key, 'copy')
      expect(await textAt(store, 'copy')).toBe(`at ${key}`)
    }
    const results = []
    for await (const result of store.delete(ODD)) results.push(result)
    expect(results).toEqual(ODD.map((key) => ({ key })))
    expect(await listed(store)).toEqual(['copy'])
  })

  test('are relative to the prefix of the URL, and count with it', async () => {
    const { store, server } = await fresh()
    const below = await open(server, {}, 'bucket/a/b/')
    await below.put('c', bytesOf('x'))
    await below.put('/d', bytesOf('y'))
    expect(await listed(store)).toEqual(['a/b//d', 'a/b/c'])
    expect(await listed(below)).toEqual(['/d', 'c'])
    expect(await listed(below, 'c')).toEqual(['c'])
    await below.put('k'.repeat(1020), bytesOf('x'))
    await expect(below.put('k'.repeat(1021), bytesOf('x'))).rejects.toEqual(failing('E_USAGE', '1024 bytes'))
    await expect(store.head('é'.repeat(513))).rejects.toEqual(failing('E_USAGE', '1024 bytes'))
  })

  test('need a bucket', async () => {
    const server = await serve()
    const account = await open(server, {}, '')
    await expect(account.get('k')).rejects.toEqual(failing('E_USAGE', 's3:// names no bucket'))
    await expect(listed(account)).rejects.toEqual(failing('E_USAGE', 's3:// names no bucket'))
    await expect(account.createContainer()).rejects.toEqual(failing('E_USAGE', 's3:// names no bucket'))
  })
})

describe('a large object', () => {
  test('is read in parts without asking for its size, once it is known that objects here are large', async () => {
    const { store, server } = await fresh({ partSize: MiB })
    const bytes = pattern(10 * MiB + 123)
    await store.put('big', bytes)
    await store.put('small', bytesOf('x'))
    for (let round = 0; round < 3; round++) {
      const from = server.requests.total
      const body = await store.get('big')
      expect(Buffer.compare(body?.data ?? bytesOf(''), bytes)).toBe(0)
      // The first one asks for all of it, finds out, and starts again. A request is counted when it has ended.
      await vi.waitFor(() => expect(server.requests.total - from).toBeGreaterThanOrEqual(11))
      expect(server.requests.total - from).toBeLessThanOrEqual(round === 0 ? 12 : 11)
    }
    expect(server.requests.count('HeadObject')).toBe(0)
    expect(await textAt(store, 'small')).toBe('x')
    const into = new Uint8Array(bytes.length)
    expect((await store.get('big', { into }))?.data.buffer).toBe(into.buffer)
    expect(Buffer.compare(into, bytes)).toBe(0)
    const range = { offset: MiB - 5, length: 5 * MiB }
    expect(
      Buffer.compare(
        (await store.get('big', { range }))?.data ?? bytesOf(''),
        bytes.subarray(range.offset, range.offset + range.length),
      ),
    ).toBe(0)
  })

  test('that changes while it is read is E_STATE', async () => {
    const { store } = await fresh(
      { partSize: MiB },
      { faults: [{ match: { op: 'GetObject' }, every: 3, fault: { kind: 'etag-change' } }] },
    )
    await store.put('big', pattern(6 * MiB))
    await expect(store.get('big', { range: { offset: 0 } })).rejects.toEqual(failing('E_STATE', 'big has changed'))
  })

  test('is written in parts, with a checksum of the whole', async () => {
    const { store } = await fresh({ partSize: 5 * MiB })
    const bytes = pattern(12 * MiB + 1)
    const writer = store.writer('big', { contentType: 'application/x-big', metadata: { by: 'tëst' } })
    for (let at = 0; at < bytes.length; at += 700_000) await writer.write(bytes.subarray(at, at + 700_000))
    const info = await writer.close()
    expect(info.etag).toMatch(/-3$/)
    const head = await store.head('big')
    expect(head).toMatchObject({
      size: bytes.length,
      etag: info.etag,
      contentType: 'application/x-big',
      metadata: { by: 'tëst' },
    })
    expect(head?.checksum).toEqual(info.checksum)
    expect(info.checksum?.algorithm).toBe('crc32c')
    expect(Buffer.compare((await store.get('big'))?.data ?? bytesOf(''), bytes)).toBe(0)
  })

  test('is copied in parts, with what is said of it', async () => {
    const { store, server } = await fresh()
    const { copyObject } = await import('../../../src/storage/s3/copy.ts')
    const { s3Config } = await import('../../../src/storage/s3/options.ts')
    const { openSession } = await import('../../../src/storage/remote/session.ts')
    const { openHttpClient } = await import('../../../src/storage/http/client.ts')
    const config = s3Config('bucket', { endpoint: server.url, credentials: KEYS }, {})
    const session = openSession({ endpoints: config.endpoints ?? [], client: openHttpClient(), options: config.remote })
    running.push(session)
    const connection = new S3Connection(config, session, () => {})
    const bytes = pattern(11 * MiB)
    await store.put('a', bytes, { metadata: { x: 'y' }, contentType: 'image/x' })
    const sizes = { single: MiB, part: 5 * MiB }
    const info = await copyObject(connection, 'a', 'b', {}, connection, sizes)
    expect(info.etag).toMatch(/-3$/)
    expect(await store.head('b')).toMatchObject({ size: bytes.length, metadata: { x: 'y' }, contentType: 'image/x' })
    expect(Buffer.compare((await store.get('b'))?.data ?? bytesOf(''), bytes)).toBe(0)
    await expect(copyObject(connection, 'a', 'b', { ifNoneMatch: '*' }, connection, sizes)).rejects.toEqual(
      failing('E_EXISTS', 'b'),
    )
  })
})

describe('an upload in parts', () => {
  test('that is aborted or fails leaves no parts at the server', async () => {
    const { store, server } = await fresh({ partSize: 5 * MiB, attempts: 1 })
    const left = async () => {
      const answer = await fetch(await listUploadsUrl(server))
      return ((await answer.text()).match(/<UploadId>/g) ?? []).length
    }
    const writer = store.writer('k')
    await writer.write(new Uint8Array(11 * MiB))
    expect(await left()).toBe(1)
    await writer.abort()
    expect(await left()).toBe(0)
    const stop = new AbortController()
    const stopped = store.writer('k', { signal: stop.signal })
    await stopped.write(new Uint8Array(11 * MiB))
    stop.abort()
    await expect(stopped.close()).rejects.toEqual(failing('E_CANCELLED'))
    expect(await left()).toBe(0)
    expect(await store.head('k')).toBeUndefined()
  })

  test('that was interrupted goes on with the parts that are there', async () => {
    const { store, server } = await fresh({ partSize: 5 * MiB, partsInFlight: 1 })
    const bytes = pattern(17 * MiB)
    const controller = new AbortController()
    const first = store.writer('k', { resume: true, size: bytes.length, signal: controller.signal })
    await first.write(bytes.subarray(0, 11 * MiB))
    while (partsSent(server) < 2) await new Promise((resolve) => setTimeout(resolve, 5))
    controller.abort()
    await first.close().catch(() => {})
    const again = await open(server, { partSize: 5 * MiB, partsInFlight: 1 })
    const second = again.writer('k', { resume: true, size: bytes.length })
    await second.write(bytes)
    await second.close()
    // Two lists (uploads, parts), two parts of four, and the completion.
    expect(again.report().endpoints[0]?.requests).toBe(5)
    expect(Buffer.compare((await store.get('k'))?.data ?? bytesOf(''), bytes)).toBe(0)
  })

  const partsSent = (server: S3Server) =>
    server.requests.entries.filter(({ operation, status }) => operation === 'UploadPart' && status === 200).length

  async function listUploadsUrl(server: S3Server): Promise<string> {
    const { Signer, amzDate, UNSIGNED_PAYLOAD } = await import('../../../src/storage/s3/signing.ts')
    const host = new URL(server.url).host
    const query = new Signer(KEYS, 'us-east-1').presign(
      { method: 'GET', path: '/bucket', headers: { host }, payload: UNSIGNED_PAYLOAD },
      [['uploads', '']],
      amzDate(Date.now()),
      60,
    )
    return `${server.url}/bucket?${query}`
  }
})

describe('many keys', () => {
  let server: S3Server
  let store: S3Store
  const keys = Array.from({ length: 2500 }, (_, i) => `d${i % 3}/${String(i).padStart(5, '0')}`)
  beforeAll(async () => {
    server = await startS3Server()
    store = await openS3Store('bucket', { endpoint: server.url, credentials: KEYS })
    await store.createContainer()
    await Promise.all(keys.map((key) => store.put(key, new Uint8Array())))
  }, 60_000)
  afterAll(async () => {
    await store.close()
    await server.close()
  }, 60_000)

  test('come page by page, in order, each once', async () => {
    const from = server.requests.total
    expect(await listed(store)).toEqual([...keys].sort())
    expect(server.requests.total - from).toBe(3)
    expect(await listed(store, '', { delimiter: '/' })).toEqual(['d0/', 'd1/', 'd2/'])
    expect(await listed(store, 'd1/', { startAfter: 'd1/02000' })).toHaveLength(
      keys.filter((key) => key > 'd1/02000' && key < 'd2').length,
    )
  })

  test('of which few are wanted cost no more than a page in advance', async () => {
    const from = server.requests.total
    for await (const _ of store.list('')) break
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(server.requests.total - from).toBeLessThanOrEqual(2)
  })

  test('go in batches of 1,000, with the answers in order', async () => {
    const from = server.requests.total
    const results = []
    for await (const { key, error } of store.delete([...keys, 'nul\0'])) results.push([key, error?.message])
    expect(results.slice(0, -1)).toEqual(keys.map((key) => [key, undefined]))
    expect(results.at(-1)?.[1]).toContain('NUL')
    expect(server.requests.total - from).toBe(3)
    expect(await listed(store)).toEqual([])
  })
})

describe('buckets', () => {
  test('are made, listed and removed', async () => {
    const server = await serve()
    const one = await open(server, {}, 'one/with/prefix')
    const names = async () => {
      const found = []
      for await (const { name, created = 0 } of one.listContainers()) found.push([name, Date.now() - created < 60_000])
      return found
    }
    expect(await names()).toEqual([])
    await one.createContainer()
    await (await open(server, {}, 'two')).createContainer()
    expect(await names()).toEqual([
      ['one', true],
      ['two', true],
    ])
    await expect(one.createContainer()).rejects.toEqual(failing('E_EXISTS', 's3://one'))
    await one.put('k', bytesOf('x'))
    await expect(one.deleteContainer()).rejects.toEqual(failing('E_STATE', 'BucketNotEmpty'))
    for await (const _ of one.delete(['k']));
    await one.deleteContainer()
    await expect(one.deleteContainer()).rejects.toEqual(failing('E_NOT_FOUND', 'NoSuchBucket'))
    expect(await names()).toEqual([['two', true]])
  })

  test('that are not there are errors, not empty', async () => {
    const store = await open(await serve(), {}, 'missing')
    const missing = failing('E_NOT_FOUND', 'NoSuchBucket', 's3://missing')
    await expect(store.get('k')).rejects.toEqual(missing)
    await expect(store.put('k', bytesOf('x'))).rejects.toEqual(missing)
    await expect(listed(store)).rejects.toEqual(missing)
    for await (const { error } of store.delete(['a', 'b']))
      expect(error).toEqual(failing('E_NOT_FOUND', 'NoSuchBucket'))
    for await (const { error } of store.delete(['a'])) expect(error).toEqual(failing('E_NOT_FOUND', 'NoSuchBucket'))
  })
})

describe('a presigned URL', () => {
  test('reads and writes without credentials, for as long as it says', async () => {
    const { store } = await fresh()
    const key = 'a b/ü+%&.bin'
    const put = await fetch(await store.presign(key, { method: 'PUT' }), { method: 'PUT', body: 'text' })
    expect(put.status).toBe(200)
    expect(await textAt(store, key)).toBe('text')
    const get = await fetch(await store.presign(key, { expires: 60 }))
    expect(await get.text()).toBe('text')
    expect((await fetch(await store.presign(key), { method: 'PUT', body: 'no' })).status).toBe(403)
    await expect(store.presign(key, { expires: 7 * 86_400 + 1 })).rejects.toEqual(
      failing('E_USAGE', 'expires', '604800'),
    )
  })
})

describe('the connection', () => {
  test('by https trusts the certificates it is given, and no others', async () => {
    const server = await serve({ tls: true })
    const store = await open(server, { ca: server.certificate?.pem, endpoint: `https://localhost:${server.port}` })
    await store.createContainer()
    await store.put('k', bytesOf('x'))
    expect(await textAt(store, 'k')).toBe('x')
    const wary = await open(server, { attempts: 1, endpoint: `https://localhost:${server.port}` })
    await expect(wary.get('k')).rejects.toEqual(failing('E_NETWORK', 's3://bucket/k'))
  })

  test('to a bucket with dots before the host says what no certificate fits', async () => {
    const authority = createAuthority(Date.now())
    const server = await serve({ tls: authority.issue(['*.example']) })
    const options = { ca: authority.cert, endpoint: `https://localhost:${server.port}`, style: 'virtual', attempts: 1 }
    await expect((await open(server, options, 'a.b')).get('k')).rejects.toMatchObject({
      code: 'E_NETWORK',
      message: expect.stringContaining('another name'),
      details: { hint: expect.stringContaining('style=path') },
    })
    const { details } = await (await open(server, options, 'ab')).get('k').then(
      () => ({ details: {} }),
      (error: HeadraceError) => error,
    )
    expect(details).not.toHaveProperty('hint')
  })

  test('to a bucket before the host needs no name that can be looked up on this machine', async () => {
    const { server } = await fresh()
    const store = await open(server, { style: 'virtual', endpoint: `http://localhost:${server.port}` })
    await store.put('k', bytesOf('x'))
    expect(await listed(store)).toEqual(['k'])
    expect(await textAt(store, 'k')).toBe('x')
  })

  test('follows the region of the server', async () => {
    const server = await serve({ region: 'eu-central-1' })
    const store = await open(server, { region: 'us-west-2' })
    await store.createContainer()
    await store.put('k', bytesOf('x'))
    expect(await textAt(store, 'k')).toBe('x')
  })

  test('works with a clock that is wrong by an hour', async () => {
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    const server = await serve({ clockOffset: -3_600_000 })
    const store = await open(server)
    await store.createContainer()
    await store.put('k', bytesOf('x'))
    expect(await textAt(store, 'k')).toBe('x')
    expect(warned).toHaveBeenCalledTimes(1)
    warned.mockRestore()
  })

  test('with bodies that are signed, and without checksums', async () => {
    const { server } = await fresh()
    const signed = await open(server, { signPayload: true, partSize: 5 * MiB })
    await signed.put('k', bytesOf('x'))
    const writer = signed.writer('big')
    await writer.write(new Uint8Array(6 * MiB))
    await writer.close()
    expect((await signed.get('big'))?.data).toHaveLength(6 * MiB)
    const off = await open(server, { checksums: 'off' })
    await off.put('k', bytesOf('y'))
    expect(await off.head('k')).not.toHaveProperty('checksum')
    expect(await textAt(off, 'k')).toBe('y')
  })
})
