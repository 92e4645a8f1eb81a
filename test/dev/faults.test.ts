import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import http from 'node:http'
import { afterEach, expect, test } from 'vitest'
import {
  FAULT_KINDS,
  type FaultRule,
  type S3Server,
  type S3ServerOptions,
  startS3Server,
} from '../../src/dev/s3/index.ts'
import { type Sent, send } from './signed.ts'
import { overSocket, parseAnswer, requestBytes } from './socket.ts'

/** Every kind of fault, looked at where it happens: on the connection. */

const servers: S3Server[] = []
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close()
})

async function serverWith(
  fault: FaultRule['fault'],
  rule: Omit<FaultRule, 'fault'> = {},
  options: S3ServerOptions = {},
) {
  const match = { key: 'k', ...rule.match }
  const server = await startS3Server({ ...options, faults: [{ ...rule, match, fault }] })
  servers.push(server)
  await send(server.url, { method: 'PUT', path: '/bkt' })
  return server
}

/** A server whose object `k` has these bytes, put before the rule counts. */
async function serverOf(body: Uint8Array, fault: FaultRule['fault'], rule: Omit<FaultRule, 'fault'> = {}) {
  const server = await serverWith(fault, { ...rule, match: { method: 'GET', ...rule.match } })
  await send(server.url, { method: 'PUT', path: '/bkt/k', body })
  return server
}

const GET: Sent = { method: 'GET', path: '/bkt/k' }
const PUT: Sent = { method: 'PUT', path: '/bkt/k', body: 'new bytes' }
const text = async (server: S3Server) => (await send(server.url, GET)).text
const bytes = Buffer.from(Array.from({ length: 1000 }, (_, i) => i % 251))

async function receive(server: S3Server, sent: Sent = GET, wait?: number) {
  const received = await overSocket(server.url, requestBytes(server.url, sent), wait)
  return { ...received, ...parseAnswer(received.bytes) }
}

/** An upload whose one part is there, and the request that completes it. */
async function uploaded(server: S3Server): Promise<Sent> {
  const started = await send(server.url, { method: 'POST', path: '/bkt/k', query: { uploads: '' } })
  const uploadId = /<UploadId>(.*)<\/UploadId>/.exec(started.text)?.[1] ?? ''
  const part = { method: 'PUT', path: '/bkt/k', query: { uploadId, partNumber: '1' }, body: 'part' }
  const { headers } = await send(server.url, part)
  const body = `<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>${headers.etag}</ETag></Part></CompleteMultipartUpload>`
  return { method: 'POST', path: '/bkt/k', query: { uploadId }, body }
}

test('slow-down: 503 with Retry-After, a burst of them, and nothing is done', async () => {
  const server = await serverWith({ kind: 'slow-down', retryAfter: 2, burst: 3 }, { times: 1 })
  for (let i = 0; i < 3; i++) {
    const answer = await send(server.url, PUT)
    expect(answer).toMatchObject({ status: 503, headers: { 'retry-after': '2' } })
    expect(answer.text).toContain('<Code>SlowDown</Code>')
  }
  expect((await send(server.url, GET)).status).toBe(404)
  expect((await send(server.url, PUT)).status).toBe(200)
  expect(server.requests.count('slow-down')).toBe(3)
})

test('slow-down early: answers before the body is sent', async () => {
  const server = await serverWith({ kind: 'slow-down', early: true })
  const head = requestBytes(server.url, { ...PUT, body: Buffer.alloc(100) }).subarray(0, -100)
  const { bytes: answer } = await overSocket(server.url, head, 300)
  expect(parseAnswer(answer).status).toBe(503)
})

test('error: any status and code', async () => {
  const server = await serverWith({ kind: 'error', status: 504, code: 'GatewayTimeout' })
  const answer = await send(server.url, GET)
  expect(answer.status).toBe(504)
  expect(answer.text).toContain('<Code>GatewayTimeout</Code>')
})

test('slow-first-byte: the answer comes late and whole', async () => {
  const server = await serverOf(bytes, { kind: 'slow-first-byte', ms: 150 })
  const { firstByte, body, end } = await receive(server, GET, 400)
  expect(firstByte).toBeGreaterThanOrEqual(149)
  expect(body.equals(bytes)).toBe(true)
  expect(end).toBe('open')
})

test('stall: half of the body, and for a time or for ever no more', async () => {
  const passing = await serverOf(bytes, { kind: 'stall', ms: 150 })
  const started = performance.now()
  const late = await send(passing.url, GET)
  expect(late.body.equals(bytes)).toBe(true)
  expect(performance.now() - started).toBeGreaterThanOrEqual(149)
  const lasting = await serverOf(bytes, { kind: 'stall', after: 10 })
  const { headers, body, end } = await receive(lasting, GET, 300)
  expect(headers['content-length']).toBe('1000')
  expect(body.equals(bytes.subarray(0, 10))).toBe(true)
  expect(end).toBe('open')
})

test('slow-body: bytes come at the rate', async () => {
  const server = await serverOf(bytes, { kind: 'slow-body', bytesPerSecond: 4000 })
  const started = performance.now()
  const { body } = await send(server.url, GET)
  expect(body.equals(bytes)).toBe(true)
  expect(performance.now() - started).toBeGreaterThanOrEqual(240)
})

test('short-body: the connection ends in order, before the length that was said', async () => {
  const server = await serverOf(bytes, { kind: 'short-body', after: 999 })
  const { headers, body, end } = await receive(server)
  expect([headers['content-length'], body.length, end]).toEqual(['1000', 999, 'fin'])
})

test('reset: before the head, in the body, and after all was done', async () => {
  const before = await serverWith({ kind: 'reset', when: 'before-head' }, { match: { method: 'PUT' } })
  expect(await receive(before, PUT)).toMatchObject({ end: 'rst', firstByte: undefined })
  expect((await send(before.url, GET)).status).toBe(404)

  const within = await serverOf(bytes, { kind: 'reset', when: 'mid-body', after: 700 })
  const cut = await receive(within)
  expect([cut.headers['content-length'], cut.body.length, cut.end]).toEqual(['1000', 700, 'rst'])

  const after = await serverWith({ kind: 'reset', when: 'after-processing' }, { match: { method: 'PUT' } })
  expect(await receive(after, PUT)).toMatchObject({ end: 'rst', firstByte: undefined })
  expect(await text(after)).toBe('new bytes')

  const upload = await serverWith({ kind: 'reset', when: 'during-upload' }, { match: { method: 'PUT' } })
  expect(await receive(upload, PUT)).toMatchObject({ end: 'rst', firstByte: undefined })
  expect((await send(upload.url, GET)).status).toBe(404)
})

test('reset by fin: the connection just ends', async () => {
  const server = await serverOf(bytes, { kind: 'reset', when: 'before-head', by: 'fin' })
  expect(await receive(server)).toMatchObject({ end: 'fin', firstByte: undefined })
})

test('wrong-content-range: another range than was asked for, with the right bytes', async () => {
  const server = await serverOf(bytes, { kind: 'wrong-content-range', by: 5 })
  const answer = await send(server.url, { ...GET, headers: { range: 'bytes=10-19' } })
  expect(answer).toMatchObject({
    status: 206,
    headers: { 'content-range': 'bytes 15-24/1000', 'content-length': '10' },
  })
  expect(answer.body.equals(bytes.subarray(10, 20))).toBe(true)
})

test('wrong-content-length: more or less than comes', async () => {
  const more = await receive(await serverOf(bytes, { kind: 'wrong-content-length', by: 3 }))
  expect([more.headers['content-length'], more.body.length, more.end]).toEqual(['1003', 1000, 'fin'])
  const less = await receive(await serverOf(bytes, { kind: 'wrong-content-length', by: -3 }), GET, 300)
  expect([less.headers['content-length'], less.body.length]).toEqual(['997', 1000])
})

test('etag-change: another etag, or 412 where the client asks for the first', async () => {
  const server = await serverOf(bytes, { kind: 'etag-change' }, { every: 2 })
  const { headers } = await send(server.url, GET)
  const changed = await send(server.url, GET)
  expect(changed.status).toBe(200)
  expect(changed.headers.etag).toMatch(/^"[0-9a-f]{32}"$/)
  expect(changed.headers.etag).not.toBe(headers.etag)
  const conditional = { ...GET, headers: { 'if-match': String(headers.etag) } }
  expect((await send(server.url, conditional)).status).toBe(200)
  expect((await send(server.url, conditional)).status).toBe(412)
  const blind = await serverOf(bytes, { kind: 'etag-change', honourIfMatch: false })
  const ignored = await send(blind.url, conditional)
  expect([ignored.status, ignored.headers.etag]).toEqual([200, changed.headers.etag])
})

test('corrupt-body: other bytes under the checksum of the right ones', async () => {
  const server = await serverOf(bytes, { kind: 'corrupt-body', bytes: 2 }, { times: 1 })
  const sent = { ...GET, headers: { 'x-amz-checksum-mode': 'ENABLED' } }
  const corrupt = await send(server.url, sent)
  const right = await send(server.url, sent)
  expect(right.body.equals(bytes)).toBe(true)
  expect(corrupt.headers['x-amz-checksum-crc64nvme']).toBe(right.headers['x-amz-checksum-crc64nvme'])
  expect(corrupt.body.length).toBe(1000)
  expect([...corrupt.body].filter((byte, i) => byte !== bytes[i])).toHaveLength(2)
})

test('error-in-200: of a complete, a copy and every key of a delete', async () => {
  const server = await serverWith({ kind: 'error-in-200', code: 'SlowDown' }, { match: { key: '' }, times: 3 })
  await send(server.url, PUT)
  const complete = await uploaded(server)
  expect(await send(server.url, complete)).toMatchObject({
    status: 200,
    text: expect.stringContaining('<Error><Code>SlowDown</Code>'),
  })
  const copy = { method: 'PUT', path: '/bkt/c', headers: { 'x-amz-copy-source': '/bkt/k' } }
  expect(await send(server.url, copy)).toMatchObject({
    status: 200,
    text: expect.stringContaining('<Code>SlowDown</Code>'),
  })
  const body = '<Delete><Object><Key>k</Key></Object></Delete>'
  const headers = { 'content-md5': createHash('md5').update(body).digest('base64') }
  const removal = { method: 'POST', path: '/bkt', query: { delete: '' }, body, headers }
  const refused = await send(server.url, removal)
  expect(refused.status).toBe(200)
  expect(refused.text).toContain('<Error><Key>k</Key><Code>SlowDown</Code>')
  expect(await text(server)).toBe('new bytes')
  expect((await send(server.url, { method: 'GET', path: '/bkt/c' })).status).toBe(404)
  expect((await send(server.url, complete)).status).toBe(200)
  expect(await text(server)).toBe('part')
})

test('duplicate-complete: the first works unheard, the second is told there is no such upload', async () => {
  const server = await serverWith({ kind: 'duplicate-complete' })
  const complete = await uploaded(server)
  expect(await receive(server, complete)).toMatchObject({ end: 'rst', firstByte: undefined })
  expect(await text(server)).toBe('part')
  expect(await send(server.url, complete)).toMatchObject({
    status: 404,
    text: expect.stringContaining('<Code>NoSuchUpload</Code>'),
  })
})

test('truncated-xml: a listing that ends in the middle, of the length that was said', async () => {
  const server = await serverWith(
    { kind: 'truncated-xml', keep: 0.9 },
    { match: { key: '', op: 'ListObjectsV2' }, times: 1 },
  )
  await send(server.url, PUT)
  const list = { method: 'GET', path: '/bkt', query: { 'list-type': '2' } }
  const cut = await send(server.url, list)
  const whole = await send(server.url, list)
  expect(cut.status).toBe(200)
  expect(cut.text).toBe(whole.text.slice(0, Math.floor(whole.text.length * 0.9)))
})

test('garbage: bytes that are no HTTP', async () => {
  const server = await serverOf(bytes, { kind: 'garbage' })
  const { bytes: answer, end } = await receive(server)
  expect(answer.length).toBe(400)
  expect(answer.includes('HTTP/1.1')).toBe(false)
  expect(end).toBe('fin')
})

test('close-after: the connection ends unannounced, at once or under the next request', async () => {
  const server = await serverOf(bytes, { kind: 'close-after' })
  const { headers, body, end } = await receive(server)
  expect(headers.connection).not.toBe('close')
  expect([body.length, end]).toEqual([1000, 'fin'])

  const later = await serverOf(bytes, { kind: 'close-after', when: 'at-next-request' })
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
  expect((await send(later.url, { ...GET, agent })).status).toBe(200)
  await expect(send(later.url, { ...GET, agent })).rejects.toMatchObject({ code: 'ECONNRESET' })
  expect((await send(later.url, { ...GET, agent })).status).toBe(200)
  agent.destroy()
})

test('continue-stall: the body is not asked for', async () => {
  const server = await serverWith({ kind: 'continue-stall', ms: 150 }, { match: { method: 'PUT' } })
  const head = requestBytes(server.url, { ...PUT, headers: { expect: '100-continue' } }).subarray(0, -9)
  const { firstByte, bytes: answer } = await overSocket(server.url, head, 400)
  expect(firstByte).toBeGreaterThanOrEqual(149)
  expect(answer.toString()).toBe('HTTP/1.1 100 Continue\r\n\r\n')
  const lasting = await serverWith({ kind: 'continue-stall' }, { match: { method: 'PUT' } })
  expect(
    await overSocket(
      lasting.url,
      requestBytes(lasting.url, { ...PUT, headers: { expect: '100-continue' } }).subarray(0, -9),
      200,
    ),
  ).toMatchObject({ end: 'open', firstByte: undefined })
})

test('stall-upload: nothing more of the body is read, for a time or for ever', async () => {
  const server = await serverWith({ kind: 'stall-upload', after: 4, ms: 150 }, { match: { method: 'PUT' } })
  expect((await receive(server, PUT, 400)).firstByte).toBeGreaterThanOrEqual(149)
  expect(await text(server)).toBe('new bytes')
  const lasting = await serverWith({ kind: 'stall-upload' }, { match: { method: 'PUT' } })
  expect(await receive(lasting, PUT, 200)).toMatchObject({ end: 'open', firstByte: undefined })
  expect((await send(lasting.url, GET)).status).toBe(404)
})

test('redirect: to another region, with or without a place', async () => {
  const server = await serverWith({ kind: 'redirect', region: 'eu-west-1' }, { times: 1 })
  const answer = await send(server.url, GET)
  expect(answer).toMatchObject({ status: 301, headers: { 'x-amz-bucket-region': 'eu-west-1' } })
  expect(answer.text).toContain('<Code>PermanentRedirect</Code>')
  const location = 'http://127.0.0.1:1/bkt/k'
  const other = await serverWith({ kind: 'redirect', region: 'eu-west-1', status: 307, location })
  expect(await send(other.url, GET)).toMatchObject({ status: 307, headers: { location } })
})

test('every kind is documented, and tested here', async () => {
  const tests = await readFile(new URL(import.meta.url), 'utf8')
  const manual = await readFile(new URL('../../docs/dev-server.md', import.meta.url), 'utf8')
  for (const kind of FAULT_KINDS) {
    expect(tests).toContain(`test('${kind}`)
    expect(manual).toContain(`| \`${kind}\``)
  }
})

test('nothing is left of bodies that were cut, stalled or lost', async () => {
  const fault = { kind: 'reset', when: 'during-upload' } as const
  const server = await serverWith(fault, { match: { method: 'PUT' } })
  for (let i = 0; i < 5; i++) await receive(server, { ...PUT, body: Buffer.alloc(200_000) })
  await expect
    .poll(async () => (await readdir(`${server.dir}/blobs`, { recursive: true })).filter((name) => name.includes('/')))
    .toEqual([])
})
