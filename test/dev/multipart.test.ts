import { createHash } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type S3Server, startS3Server } from '../../src/dev/s3/index.ts'
import { type Answered, type Sent, send } from './signed.ts'

let server: S3Server
beforeAll(async () => {
  server = await startS3Server({ minPartSize: 10 })
  await send(server.url, { method: 'PUT', path: '/bkt' })
})
afterAll(() => server.close())

const ask = (method: string, path: string, more: Partial<Sent> = {}) => send(server.url, { method, path, ...more })
const code = ({ status, text }: Answered) => [status, /<Code>(.*)<\/Code>/.exec(text)?.[1]]
const sha1 = (...data: readonly (string | Buffer)[]) => {
  const hash = createHash('sha1')
  for (const piece of data) hash.update(piece)
  return hash.digest()
}

interface Part {
  readonly number: number
  readonly etag: string
  readonly more?: string
}

async function begin(path: string, headers: Record<string, string> = {}): Promise<string> {
  const { text } = await ask('POST', path, { query: { uploads: '' }, headers })
  return /<UploadId>(.*)<\/UploadId>/.exec(text)?.[1] ?? ''
}

async function part(
  path: string,
  uploadId: string,
  number: number,
  body: string,
  headers: Record<string, string> = {},
) {
  const answer = await ask('PUT', path, { query: { uploadId, partNumber: String(number) }, body, headers })
  return { ...answer, number, etag: String(answer.headers.etag) }
}

function complete(path: string, uploadId: string, parts: readonly Part[], headers: Record<string, string> = {}) {
  const listed = parts.map(
    ({ number, etag, more = '' }) => `<Part><PartNumber>${number}</PartNumber><ETag>${etag}</ETag>${more}</Part>`,
  )
  const body = `<CompleteMultipartUpload>${listed.join('')}</CompleteMultipartUpload>`
  return ask('POST', path, { query: { uploadId }, body, headers })
}

test('parts become the object in their order, with the etag of their etags', async () => {
  const path = '/bkt/whole'
  const id = await begin(path, { 'content-type': 'text/plain', 'x-amz-meta-a': '1' })
  const last = await part(path, id, 7, 'end')
  await part(path, id, 2, 'to be replaced')
  const first = await part(path, id, 2, 'beginning ')
  expect((await ask('GET', path)).status).toBe(404)
  const done = await complete(path, id, [first, last])
  const digests = [first, last].map(({ etag }) => Buffer.from(etag.slice(1, -1), 'hex'))
  const etag = `${createHash('md5').update(Buffer.concat(digests)).digest('hex')}-2`
  expect(done.text).toContain(`<ETag>&quot;${etag}&quot;</ETag>`)
  const got = await ask('GET', path)
  expect(got).toMatchObject({ text: 'beginning end', headers: { etag: `"${etag}"`, 'content-type': 'text/plain' } })
  expect(got.headers['x-amz-meta-a']).toBe('1')
  expect((await ask('GET', path, { headers: { range: 'bytes=8-11' } })).text).toBe('g en')
  expect((await ask('GET', path, { query: { partNumber: '7' } })).text).toBe('end')
  expect(code(await complete(path, id, [first, last]))).toEqual([404, 'NoSuchUpload'])
})

test('what cannot be completed is told, and can be completed right afterwards', async () => {
  const path = '/bkt/wrong'
  const id = await begin(path)
  const a = await part(path, id, 1, 'a'.repeat(10))
  const b = await part(path, id, 2, 'b')
  const c = await part(path, id, 3, 'c'.repeat(10))
  expect(code(await complete(path, id, []))).toEqual([400, 'MalformedXML'])
  expect(code(await complete(path, id, [c, a]))).toEqual([400, 'InvalidPartOrder'])
  expect(code(await complete(path, id, [a, a]))).toEqual([400, 'InvalidPartOrder'])
  expect(code(await complete(path, id, [a, { number: 4, etag: a.etag }]))).toEqual([400, 'InvalidPart'])
  expect(code(await complete(path, id, [a, { number: 3, etag: a.etag }]))).toEqual([400, 'InvalidPart'])
  const small = await complete(path, id, [a, b, c])
  expect(code(small)).toEqual([400, 'EntityTooSmall'])
  expect(small.text).toContain('<PartNumber>2</PartNumber>')
  expect(code(await complete(path, id, [a, c], { 'x-amz-mp-object-size': '21' }))).toEqual([400, 'InvalidRequest'])
  expect(code(await complete(path, 'absent', [a]))).toEqual([404, 'NoSuchUpload'])
  expect(code(await part(path, id, 0, 'x'))).toEqual([400, 'InvalidArgument'])
  expect(code(await part(path, id, 10_001, 'x'))).toEqual([400, 'InvalidArgument'])
  expect(code(await part('/bkt/another', id, 1, 'x'))).toEqual([404, 'NoSuchUpload'])
  expect((await complete(path, id, [a, c], { 'x-amz-mp-object-size': '20', 'if-none-match': '*' })).status).toBe(200)
  const again = await begin(path)
  const d = await part(path, again, 1, 'd')
  expect(code(await complete(path, again, [d], { 'if-none-match': '*' }))).toEqual([412, 'PreconditionFailed'])
  expect((await ask('GET', path)).text).toBe(`${'a'.repeat(10)}${'c'.repeat(10)}`)
  expect((await ask('DELETE', path, { query: { uploadId: again } })).status).toBe(204)
})

test('a composite checksum is that of the parts', async () => {
  const path = '/bkt/composite'
  const id = await begin(path, { 'x-amz-checksum-algorithm': 'SHA1' })
  const bodies = ['a'.repeat(10), 'b']
  const sums = bodies.map((body) => sha1(body))
  const parts = await Promise.all(
    bodies.map((body, i) => part(path, id, i + 1, body, { 'x-amz-checksum-sha1': sums[i]?.toString('base64') ?? '' })),
  )
  expect(code(await part(path, id, 3, 'x'))).toEqual([400, 'InvalidRequest'])
  expect(code(await complete(path, id, parts))).toEqual([400, 'InvalidRequest'])
  const named = parts.map(({ number, etag }, i) => ({
    number,
    etag,
    more: `<ChecksumSHA1>${sums[i]?.toString('base64')}</ChecksumSHA1>`,
  }))
  const whole = sha1(...sums).toString('base64')
  const wrong = { 'x-amz-checksum-sha1': `${sha1('x').toString('base64')}-2` }
  expect(code(await complete(path, id, named, wrong))).toEqual([400, 'BadDigest'])
  const done = await complete(path, id, named, {
    'x-amz-checksum-sha1': `${whole}-2`,
    'x-amz-checksum-type': 'COMPOSITE',
  })
  expect(done.text).toContain(`<ChecksumSHA1>${whole}-2</ChecksumSHA1><ChecksumType>COMPOSITE</ChecksumType>`)
  const { headers } = await ask('HEAD', path, { headers: { 'x-amz-checksum-mode': 'ENABLED' } })
  expect(headers).toMatchObject({ 'x-amz-checksum-sha1': `${whole}-2`, 'x-amz-checksum-type': 'COMPOSITE' })
})

test.each(['CRC32', 'CRC32C', 'CRC64NVME'])('%s of the whole follows from the parts', async (algorithm) => {
  const name = `x-amz-checksum-${algorithm.toLowerCase()}`
  const bodies = ['a'.repeat(1000), 'b'.repeat(12), '', 'c']
  const parts = bodies.filter((body) => body !== '')
  const path = `/bkt/full-${algorithm}`
  const id = await begin(path, { 'x-amz-checksum-algorithm': algorithm, 'x-amz-checksum-type': 'FULL_OBJECT' })
  const sent = await Promise.all(parts.map((body, i) => part(path, id, i + 1, body)))
  expect((await complete(path, id, sent)).status).toBe(200)
  const mode = { 'x-amz-checksum-mode': 'ENABLED' }
  const inParts = (await ask('HEAD', path, { headers: mode })).headers[name]
  // The same bytes put whole; their checksum comes from one pass over them.
  const copying = { 'x-amz-copy-source': path, 'x-amz-checksum-algorithm': algorithm }
  await ask('PUT', `${path}-copy`, { headers: copying })
  const atOnce = (await ask('HEAD', `${path}-copy`, { headers: mode })).headers[name]
  expect(inParts).toBe(atOnce)
  expect(inParts).toMatch(/^[\w+/]+=*$/)
})

test('algorithms and types that do not go together are refused', async () => {
  const start = (algorithm: string, type: string) =>
    ask('POST', '/bkt/x', {
      query: { uploads: '' },
      headers: { 'x-amz-checksum-algorithm': algorithm, 'x-amz-checksum-type': type },
    })
  expect(code(await start('SHA256', 'FULL_OBJECT'))).toEqual([400, 'InvalidRequest'])
  expect(code(await start('CRC64NVME', 'COMPOSITE'))).toEqual([400, 'InvalidRequest'])
  expect(code(await start('MD4', 'COMPOSITE'))).toEqual([400, 'InvalidRequest'])
})

test('uploads and parts are listed page by page', async () => {
  await send(server.url, { method: 'PUT', path: '/lists' })
  const ids: [string, string][] = []
  for (const key of ['b', 'a/1', 'a/2', 'a/1', 'c d']) ids.push([key, await begin(`/lists/${key}`)])
  const listing = async (query: Record<string, string>) =>
    (await ask('GET', '/lists', { query: { uploads: '', ...query } })).text
  const found: [string, string][] = []
  let markers: Record<string, string> = {}
  for (let pages = 0; pages < 10; pages++) {
    const text = await listing({ 'max-uploads': '2', ...markers })
    for (const [, key = '', id = ''] of text.matchAll(/<Upload><Key>(.*?)<\/Key><UploadId>(.*?)</g))
      found.push([key, id])
    if (!text.includes('<IsTruncated>true')) break
    markers = {
      'key-marker': /<NextKeyMarker>(.*?)</.exec(text)?.[1] ?? '',
      'upload-id-marker': /<NextUploadIdMarker>(.*?)</.exec(text)?.[1] ?? '',
    }
  }
  expect(found.map(([key]) => key)).toEqual(['a/1', 'a/1', 'a/2', 'b', 'c d'])
  expect(new Set(found.map(String))).toEqual(new Set(ids.map(String)))
  expect(await listing({ delimiter: '/' })).toContain('<CommonPrefixes><Prefix>a/</Prefix></CommonPrefixes>')
  expect(await listing({ 'key-marker': 'a/2', 'encoding-type': 'url' })).toContain('<Upload><Key>c+d</Key>')
  expect(await listing({ 'key-marker': 'a/1' })).not.toContain('<Key>a/1</Key>')

  const [key = '', uploadId = ''] = ids[0] ?? []
  for (const number of [5, 1, 10]) await part(`/lists/${key}`, uploadId, number, 'x'.repeat(number))
  const parts = async (query: Record<string, string>) =>
    (await ask('GET', `/lists/${key}`, { query: { uploadId, ...query } })).text
  const page = await parts({ 'max-parts': '2' })
  expect([...page.matchAll(/<PartNumber>(\d+)<.*?<Size>(\d+)</g)].map(([, n, size]) => [n, size])).toEqual([
    ['1', '1'],
    ['5', '5'],
  ])
  expect(page).toContain('<NextPartNumberMarker>5</NextPartNumberMarker>')
  expect(page).toContain('<IsTruncated>true</IsTruncated>')
  const rest = await parts({ 'part-number-marker': '5' })
  expect([...rest.matchAll(/<PartNumber>(\d+)</g)].map(([, n]) => n)).toEqual(['10'])
  expect(rest).toContain('<IsTruncated>false</IsTruncated>')
  // Open uploads do not keep a bucket.
  expect((await ask('DELETE', '/lists')).status).toBe(204)
  expect(code(await part(`/lists/${key}`, uploadId, 1, 'x'))).toEqual([404, 'NoSuchBucket'])
})

test('parts are copied from ranges of objects', async () => {
  await ask('PUT', '/bkt/origin', { body: '0123456789abcdef' })
  const path = '/bkt/copied'
  const uploadId = await begin(path)
  const copy = (range: string | undefined, number: string) => {
    const more: Record<string, string> = range === undefined ? {} : { 'x-amz-copy-source-range': range }
    return ask('PUT', path, {
      query: { uploadId, partNumber: number },
      headers: { 'x-amz-copy-source': '/bkt/origin', ...more },
    })
  }
  expect(code(await copy('bytes=10-16', '1'))).toEqual([400, 'InvalidArgument'])
  expect(code(await copy('bytes=10-', '1'))).toEqual([400, 'InvalidArgument'])
  const etags = [await copy('bytes=3-12', '1'), await copy(undefined, '2')].map(
    ({ text }) => /<ETag>&quot;(.*)&quot;<\/ETag>/.exec(text)?.[1] ?? '',
  )
  await complete(
    path,
    uploadId,
    etags.map((etag, i) => ({ number: i + 1, etag })),
  )
  expect((await ask('GET', path)).text).toBe('3456789abc0123456789abcdef')
})
