import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type S3Server, startS3Server } from '../../src/dev/s3/index.ts'
import { type Answered, presigned, type Sent, send } from './signed.ts'
import { overSocket, parseAnswer, requestBytes } from './socket.ts'

let server: S3Server
beforeAll(async () => {
  server = await startS3Server()
  await send(server.url, { method: 'PUT', path: '/bkt' })
})
afterAll(() => server.close())

const ask = (method: string, path: string, more: Partial<Sent> = {}) => send(server.url, { method, path, ...more })
const code = ({ status, text }: Answered) => [status, /<Code>(.*)<\/Code>/.exec(text)?.[1]]
const md5 = (body: string) => createHash('md5').update(body).digest('base64')

describe('keys', () => {
  test.each([
    'a//b',
    '/a',
    'a',
    'a/b',
    'a/',
    '.',
    '..',
    './../x',
    'a b+c%20',
    '%',
    'é\u{1f600}\uffee',
    '\t\n',
    '?&#=',
    'x'.repeat(1024),
  ])('%j is put, read, listed and deleted as it is', async (key) => {
    const path = `/bkt/${key}`
    expect((await ask('PUT', path, { body: `of ${key}` })).status).toBe(200)
    expect((await ask('GET', path)).text).toBe(`of ${key}`)
    const { text } = await ask('GET', '/bkt', { query: { 'list-type': '2', prefix: key, 'encoding-type': 'url' } })
    const encoded = /<Contents><Key>(.*?)<\/Key>/.exec(text)?.[1] ?? ''
    expect(decodeURIComponent(encoded.replaceAll('+', ' '))).toBe(key)
    expect((await ask('DELETE', path)).status).toBe(204)
    expect((await ask('GET', path)).status).toBe(404)
  })

  test('that are too long, or not UTF-8, are refused', async () => {
    expect(code(await ask('PUT', `/bkt/${'x'.repeat(1025)}`))).toEqual([400, 'KeyTooLongError'])
    const { bytes } = await overSocket(server.url, Buffer.from('GET /bkt/%ff HTTP/1.1\r\nHost: localhost\r\n\r\n'), 300)
    expect(parseAnswer(bytes).status).toBe(400)
    expect(bytes.toString()).toContain('<Code>InvalidURI</Code>')
  })
})

describe('ranges', () => {
  beforeAll(async () => {
    await ask('PUT', '/bkt/ten', { body: '0123456789' })
    await ask('PUT', '/bkt/empty', { body: '' })
  })

  test.each([
    ['bytes=0-0', '0', 'bytes 0-0/10'],
    ['bytes=3-5', '345', 'bytes 3-5/10'],
    ['bytes=7-', '789', 'bytes 7-9/10'],
    ['bytes=8-99', '89', 'bytes 8-9/10'],
    ['bytes=-3', '789', 'bytes 7-9/10'],
    ['bytes=-99', '0123456789', 'bytes 0-9/10'],
  ])('%s gives %j', async (range, text, contentRange) => {
    const answer = await ask('GET', '/bkt/ten', { headers: { range } })
    expect(answer).toMatchObject({ status: 206, text, headers: { 'content-range': contentRange } })
    const head = await ask('HEAD', '/bkt/ten', { headers: { range } })
    expect(head.status).toBe(206)
    expect(head.headers).toMatchObject({ 'content-range': contentRange, 'content-length': String(text.length) })
  })

  test.each(['bytes=10-', 'bytes=99-100', 'bytes=-0'])('%s cannot be satisfied', async (range) => {
    const answer = await ask('GET', '/bkt/ten', { headers: { range } })
    expect(code(answer)).toEqual([416, 'InvalidRange'])
    expect(answer.headers['content-range']).toBe('bytes */10')
    expect(answer.text).toContain('<ActualObjectSize>10</ActualObjectSize>')
    expect((await ask('GET', '/bkt/empty', { headers: { range } })).status).toBe(416)
  })

  test.each(['bytes=5-3', 'bytes=a-b', 'items=0-1', 'bytes=0-1,3-4', 'bytes=-'])('%s is passed over', async (range) => {
    expect(await ask('GET', '/bkt/ten', { headers: { range } })).toMatchObject({ status: 200, text: '0123456789' })
  })

  test('a part of an object put whole is the whole', async () => {
    expect(await ask('GET', '/bkt/ten', { query: { partNumber: '1' } })).toMatchObject({
      status: 206,
      text: '0123456789',
    })
    expect(code(await ask('GET', '/bkt/ten', { query: { partNumber: '2' } }))).toEqual([416, 'InvalidPartNumber'])
    expect(await ask('GET', '/bkt/empty', { query: { partNumber: '1' } })).toMatchObject({ status: 200, text: '' })
  })
})

test('conditions of reads, and which of them goes first', async () => {
  const { headers } = await ask('PUT', '/bkt/cond', { body: 'x' })
  const etag = String(headers.etag)
  const past = new Date(Date.now() - 3_600_000).toUTCString()
  const future = new Date(Date.now() + 3_600_000).toUTCString()
  const statusOf = async (conditions: Record<string, string>) =>
    (await ask('GET', '/bkt/cond', { headers: conditions })).status
  expect(await statusOf({ 'if-match': etag })).toBe(200)
  expect(await statusOf({ 'if-match': '*' })).toBe(200)
  expect(await statusOf({ 'if-match': `"other", ${etag}` })).toBe(200)
  expect(await statusOf({ 'if-match': '"other"' })).toBe(412)
  expect(await statusOf({ 'if-none-match': etag })).toBe(304)
  expect(await statusOf({ 'if-none-match': '"other"' })).toBe(200)
  expect(await statusOf({ 'if-modified-since': past })).toBe(200)
  expect(await statusOf({ 'if-modified-since': future })).toBe(304)
  expect(await statusOf({ 'if-unmodified-since': past })).toBe(412)
  expect(await statusOf({ 'if-unmodified-since': future })).toBe(200)
  expect(await statusOf({ 'if-match': etag, 'if-unmodified-since': past })).toBe(200)
  expect(await statusOf({ 'if-none-match': '"other"', 'if-modified-since': future })).toBe(200)
  const unchanged = await ask('GET', '/bkt/cond', { headers: { 'if-none-match': etag } })
  expect([unchanged.body.length, unchanged.headers.etag, unchanged.headers['content-length']]).toEqual([
    0,
    etag,
    undefined,
  ])
})

test('conditions of writes and deletes', async () => {
  const put = (body: string, headers: Record<string, string>) => ask('PUT', '/bkt/written', { body, headers })
  expect(code(await put('0', { 'if-match': '"x"' }))).toEqual([404, 'NoSuchKey'])
  const { headers } = await put('1', { 'if-none-match': '*' })
  expect(code(await put('2', { 'if-none-match': '*' }))).toEqual([412, 'PreconditionFailed'])
  expect(code(await put('2', { 'if-none-match': String(headers.etag) }))).toEqual([501, 'NotImplemented'])
  expect(code(await put('2', { 'if-match': '"x"' }))).toEqual([412, 'PreconditionFailed'])
  expect((await put('2', { 'if-match': String(headers.etag) })).status).toBe(200)
  expect(code(await ask('DELETE', '/bkt/written', { headers: { 'if-match': '"x"' } }))).toEqual([
    412,
    'PreconditionFailed',
  ])
  expect((await ask('GET', '/bkt/written')).text).toBe('2')
})

test('a put that must be the first is, among many at once', async () => {
  const puts = Array.from({ length: 20 }, (_, i) =>
    ask('PUT', '/bkt/raced', { body: `${i}`, headers: { 'if-none-match': '*' } }),
  )
  const statuses = (await Promise.all(puts)).map(({ status }) => status)
  expect(statuses.filter((status) => status === 200)).toHaveLength(1)
  expect((await ask('GET', '/bkt/raced')).text).toBe(String(statuses.indexOf(200)))
})

test('bodies that are not what their digests say are refused, and leave the object as it was', async () => {
  await ask('PUT', '/bkt/digest', { body: 'first' })
  const put = (headers: Record<string, string>, body = 'second') => ask('PUT', '/bkt/digest', { body, headers })
  expect(code(await put({ 'content-md5': md5('other') }))).toEqual([400, 'BadDigest'])
  expect(code(await put({ 'content-md5': 'no digest' }))).toEqual([400, 'InvalidDigest'])
  expect(code(await put({ 'x-amz-checksum-crc32': 'AAAAAA==' }))).toEqual([400, 'BadDigest'])
  expect(code(await put({ 'x-amz-checksum-crc32': 'x' }))).toEqual([400, 'InvalidRequest'])
  expect(code(await put({ 'x-amz-checksum-crc32': 'AAAAAA==', 'x-amz-checksum-sha1': '' }))).toEqual([
    400,
    'InvalidRequest',
  ])
  expect(code(await put({ 'x-amz-sdk-checksum-algorithm': 'CRC32' }))).toEqual([400, 'InvalidRequest'])
  expect((await ask('GET', '/bkt/digest')).text).toBe('first')
  expect((await put({ 'content-md5': md5('second') })).status).toBe(200)
  // CRC-64/NVME of "123456789" as its definition gives it, and CRC-32C likewise.
  expect((await put({}, '123456789')).headers['x-amz-checksum-crc64nvme']).toBe('rosUhgp5mIg=')
  const crc32c = await put({ 'x-amz-checksum-crc32c': '4waSgw==' }, '123456789')
  expect(crc32c).toMatchObject({ status: 200, headers: { 'x-amz-checksum-crc32c': '4waSgw==' } })
})

test('fields of the answer can be asked for in the query, but not broken', async () => {
  await ask('PUT', '/bkt/fields', { body: 'x', headers: { 'content-type': 'text/plain', 'cache-control': 'no-store' } })
  const query = { 'response-content-type': 'image/png', 'response-content-disposition': 'attachment; filename="é"' }
  const { headers } = await ask('GET', '/bkt/fields', { query })
  expect(headers).toMatchObject({ 'content-type': 'image/png', 'cache-control': 'no-store' })
  expect(Buffer.from(String(headers['content-disposition']), 'latin1').toString()).toBe('attachment; filename="é"')
  const split = await ask('GET', '/bkt/fields', { query: { 'response-expires': 'x\r\nset-cookie: y' } })
  expect(code(split)).toEqual([400, 'InvalidArgument'])
})

test('metadata has room for 2 KiB', async () => {
  const put = (size: number) => ask('PUT', '/bkt/meta', { headers: { 'x-amz-meta-a': 'x'.repeat(size) } })
  expect((await put(2047)).status).toBe(200)
  expect(code(await put(2048))).toEqual([400, 'MetadataTooLarge'])
})

test('a bucket can be named by the host', async () => {
  const host = `bkt.localhost:${server.port}`
  expect((await ask('PUT', '/by host', { host, body: 'x' })).status).toBe(200)
  expect((await ask('GET', '/bkt/by host')).text).toBe('x')
  expect((await ask('GET', '/', { host, query: { 'list-type': '2', prefix: 'by' } })).text).toContain(
    '<Key>by host</Key>',
  )
  expect((await ask('PUT', '//lead', { host, body: 'y' })).status).toBe(200)
  expect((await ask('GET', '/bkt//lead')).text).toBe('y')
  expect(code(await ask('GET', '/x', { host: `absent.localhost:${server.port}` }))).toEqual([404, 'NoSuchBucket'])
})

test('what is no operation is told apart from what this server does not do', async () => {
  expect(code(await ask('GET', '/bkt', { query: { versioning: '' } }))).toEqual([501, 'NotImplemented'])
  expect(code(await ask('POST', '/bkt/k'))).toEqual([405, 'MethodNotAllowed'])
  expect(code(await ask('GET', '/absent/k'))).toEqual([404, 'NoSuchBucket'])
  expect(code(await ask('PUT', '/No_Name'))).toEqual([400, 'InvalidBucketName'])
  expect(code(await ask('PUT', '/1.2.3.4'))).toEqual([400, 'InvalidBucketName'])
  expect(code(await ask('PUT', '/bkt'))).toEqual([409, 'BucketAlreadyOwnedByYou'])
  const body =
    '<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint></CreateBucketConfiguration>'
  expect(code(await ask('PUT', '/other', { body }))).toEqual([400, 'InvalidLocationConstraint'])
  const location = await ask('GET', '/bkt', { query: { location: '' } })
  expect(location.text).toContain(
    '<LocationConstraint xmlns="http://s3.amazonaws.com/doc/2006-03-01/"></LocationConstraint>',
  )
})

describe('the connection', () => {
  const put = (headers: Record<string, string>) =>
    requestBytes(server.url, { method: 'PUT', path: '/bkt/wire', headers })

  test('a body without a length is refused', async () => {
    const { bytes } = await overSocket(server.url, put({ 'content-length': '', 'transfer-encoding': 'chunked' }), 300)
    expect(bytes.toString()).toMatch(/^HTTP\/1\.1 (400|501)/)
  })

  test('100 Continue is sent when the body is wanted, and the connection ends when it is not', async () => {
    const wanted = await overSocket(server.url, put({ expect: '100-continue', 'content-length': '5' }), 200)
    expect(wanted.bytes.toString()).toBe('HTTP/1.1 100 Continue\r\n\r\n')
    const absent = { method: 'PUT', path: '/absent/k', headers: { expect: '100-continue', 'content-length': '5' } }
    const unwanted = await overSocket(server.url, requestBytes(server.url, absent))
    expect(unwanted.end).toBe('fin')
    expect(parseAnswer(unwanted.bytes)).toMatchObject({ status: 404, headers: { connection: 'close' } })
  })

  test('every answer has a request id and a date, and errors name both', async () => {
    const answer = await ask('GET', '/bkt/absent')
    expect(answer.headers['x-amz-request-id']).toMatch(/^[0-9A-F]{16}$/)
    expect(answer.text).toContain(`<RequestId>${answer.headers['x-amz-request-id']}</RequestId>`)
    expect(Math.abs(Date.parse(String(answer.headers.date)) - Date.now())).toBeLessThan(5000)
    const head = await ask('HEAD', '/bkt/absent')
    expect([head.status, head.body.length]).toEqual([404, 0])
  })

  test('a body that ends early leaves nothing', async () => {
    const whole = requestBytes(server.url, { method: 'PUT', path: '/bkt/short', body: 'x'.repeat(1000) })
    await overSocket(server.url, whole.subarray(0, -1), 100)
    expect((await ask('GET', '/bkt/short')).status).toBe(404)
  })

  test('requests follow one another on one connection, errors among them', async () => {
    const requests = [
      requestBytes(server.url, { method: 'PUT', path: '/absent/k', body: 'x'.repeat(100_000) }),
      requestBytes(server.url, { method: 'PUT', path: '/bkt/second', body: 'y' }),
      requestBytes(server.url, { method: 'GET', path: '/bkt/second' }),
    ]
    const { bytes } = await overSocket(server.url, requests, 500)
    expect([...bytes.toString().matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status)).toEqual([
      '404',
      '200',
      '200',
    ])
    expect(bytes.toString().endsWith('\r\n\r\ny')).toBe(true)
  })

  test('what is no HTTP is answered 400', async () => {
    const { bytes, end } = await overSocket(server.url, Buffer.from('hello\r\n\r\n'))
    expect([parseAnswer(bytes).status, end]).toEqual([400, 'fin'])
  })
})

test('presigned puts take any body', async () => {
  const url = presigned(server.url, { method: 'PUT', path: '/bkt/by url' })
  expect((await fetch(url, { method: 'PUT', body: 'sent' })).status).toBe(200)
  expect((await ask('GET', '/bkt/by url')).text).toBe('sent')
})

test('batches of deletes: quiet or not, each key by itself', async () => {
  for (const key of ['b/1', 'b/2', 'b/&<3>']) await ask('PUT', `/bkt/${key}`, { body: 'x' })
  const remove = (body: string, headers = { 'content-md5': md5(body) }) =>
    ask('POST', '/bkt', { query: { delete: '' }, body, headers })
  const object = (key: string, more = '') => `<Object><Key>${key}</Key>${more}</Object>`
  const first = await remove(
    `<Delete>${object('b/1')}${object('b/absent')}${object('b/2', '<ETag>"other"</ETag>')}</Delete>`,
  )
  expect(first.text.replace(/^.*?<DeleteResult[^>]*>/s, '')).toBe(
    '<Deleted><Key>b/1</Key></Deleted><Deleted><Key>b/absent</Key></Deleted><Error><Key>b/2</Key><Code>PreconditionFailed</Code><Message>At least one of the pre-conditions you specified did not hold</Message></Error></DeleteResult>',
  )
  const quiet = await remove(`<Delete><Quiet>true</Quiet>${object('b/2')}${object('b/&amp;&lt;3&gt;')}</Delete>`)
  expect(quiet.text.replace(/^.*?<DeleteResult[^>]*>/s, '')).toBe('</DeleteResult>')
  expect((await ask('GET', '/bkt', { query: { 'list-type': '2', prefix: 'b/' } })).text).toContain(
    '<KeyCount>0</KeyCount>',
  )
  expect(code(await ask('POST', '/bkt', { query: { delete: '' }, body: '<Delete/>' }))).toEqual([400, 'InvalidRequest'])
  expect(code(await remove('<Delete/>'))).toEqual([400, 'MalformedXML'])
  expect(code(await remove(`<Delete>${object('k').repeat(1001)}</Delete>`))).toEqual([400, 'MalformedXML'])
  expect((await remove(`<Delete>${object('k').repeat(1000)}</Delete>`)).status).toBe(200)
})

test('copies keep conditions on their source', async () => {
  const { headers } = await ask('PUT', '/bkt/source', { body: 'x', headers: { 'x-amz-meta-a': '1' } })
  const copy = (more: Record<string, string>, to = '/bkt/copy') =>
    ask('PUT', to, { headers: { 'x-amz-copy-source': '/bkt/source', ...more } })
  expect(code(await copy({ 'x-amz-copy-source-if-match': '"x"' }))).toEqual([412, 'PreconditionFailed'])
  expect(code(await copy({ 'x-amz-copy-source-if-none-match': String(headers.etag) }))).toEqual([
    412,
    'PreconditionFailed',
  ])
  expect(code(await copy({}, '/bkt/source'))).toEqual([400, 'InvalidRequest'])
  expect(code(await copy({ 'x-amz-copy-source': '/bkt/absent' }))).toEqual([404, 'NoSuchKey'])
  expect(code(await copy({ 'x-amz-copy-source': 'bkt' }))).toEqual([400, 'InvalidArgument'])
  const copied = await copy({ 'if-none-match': '*' })
  expect(copied.text).toContain(`<ETag>${String(headers.etag).replaceAll('"', '&quot;')}</ETag>`)
  expect(code(await copy({ 'if-none-match': '*' }))).toEqual([412, 'PreconditionFailed'])
  const replacing = { 'x-amz-metadata-directive': 'REPLACE', 'x-amz-meta-b': '2' }
  expect((await copy(replacing, '/bkt/source')).status).toBe(200)
  const replaced = (await ask('HEAD', '/bkt/source')).headers
  expect([replaced['x-amz-meta-a'], replaced['x-amz-meta-b']]).toEqual([undefined, '2'])
})
