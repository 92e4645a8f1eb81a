import { createHash } from 'node:crypto'
import { inspect } from 'node:util'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { type HeadraceError, isHeadraceError } from '../../../src/errors.ts'
import { native } from '../../../src/native.ts'
import { openS3Store, type S3Store } from '../../../src/storage/s3/store.ts'
import { bytesOf, failing, listed } from '../conformance.ts'
import { errorXml, type Heard, type Said, ScriptedServer } from './scripted-server.ts'

const server = new ScriptedServer()
const other = new ScriptedServer()
const SECRETS = { accessKeyId: 'AKIDHIDDEN', secretAccessKey: 'secret-hidden', sessionToken: 'token-hidden' }

let store: S3Store
beforeAll(() => Promise.all([server.start(), other.start()]))
afterAll(() => Promise.all([server.stop(), other.stop()]))
beforeEach(async () => {
  store = await open()
})
afterEach(() => store.close())

function open(options: Readonly<Record<string, unknown>> = {}): Promise<S3Store> {
  return openS3Store('bucket/root', {
    endpoint: server.origin,
    credentials: SECRETS,
    region: 'eu-west-1',
    baseDelay: 1,
    maxDelay: 2,
    ...options,
  })
}

async function errorOf(promise: Promise<unknown>): Promise<HeadraceError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (!isHeadraceError(error)) throw new Error(`expected a HeadraceError, but got ${inspect(error)}`)
  return error
}

const OBJECT = { etag: '"e1"', 'last-modified': 'Wed, 01 Jan 2025 00:00:00 GMT' }

describe('an answer that is an error', () => {
  test.each([
    [403, 'AccessDenied', 'E_ACCESS'],
    [403, 'InvalidAccessKeyId', 'E_CREDENTIALS'],
    [403, 'SignatureDoesNotMatch', 'E_CREDENTIALS'],
    [404, 'XAdminUserNotFound', 'E_CREDENTIALS'],
    [404, 'NoSuchBucket', 'E_NOT_FOUND'],
    [405, 'MethodNotAllowed', 'E_UNSUPPORTED'],
    [501, 'NotImplemented', 'E_UNSUPPORTED'],
    [403, 'InvalidObjectState', 'E_STATE'],
    [400, 'InvalidArgument', 'E_USAGE'],
    [507, 'XMinioStorageFull', 'E_NO_SPACE'],
    [418, 'Teapot', 'E_USAGE'],
  ])('%i %s is %s, at once', async (status, code, expected) => {
    server.says({ status, body: errorXml(code) })
    const error = await errorOf(store.get('k'))
    expect(error).toMatchObject({
      code: expected,
      details: { status, url: 's3://bucket/root/k', key: 'k', requestId: 'R1' },
    })
    expect(error.message).toContain(`cannot get s3://bucket/root/k`)
    expect(error.message).toContain(`${code}: about ${code} (${status})`)
    expect(server.heard).toHaveLength(1)
  })

  test.each([
    [500, 'InternalError', 'E_SERVER'],
    [503, 'SlowDown', 'E_THROTTLED'],
    [503, 'ServiceUnavailable', 'E_THROTTLED'],
    [429, 'TooManyRequests', 'E_THROTTLED'],
    [400, 'RequestTimeout', 'E_TIMEOUT'],
    [400, 'BadDigest', 'E_CHECKSUM'],
    [502, '', 'E_SERVER'],
  ])('%i %s is %s, after other attempts', async (status, code, expected) => {
    server.says({ status, body: code === '' ? '<html>Bad gateway</html>' : errorXml(code) })
    await expect(store.put('k', bytesOf('x'))).rejects.toEqual(failing(expected as 'E_SERVER', '5 attempts'))
    expect(server.heard).toHaveLength(5)
  })

  test('and passes is not seen', async () => {
    server.says({ status: 503, body: errorXml('SlowDown') }, { hangUp: true }, { headers: OBJECT, body: 'bytes' })
    expect(Buffer.from((await store.get('k'))?.data ?? []).toString()).toBe('bytes')
    expect(server.heard).toHaveLength(3)
  })

  test('is waited out for as long as the server asks', async () => {
    server.says({ status: 503, headers: { 'retry-after': '1' }, body: errorXml('SlowDown') }, { headers: OBJECT })
    const began = performance.now()
    await store.get('k')
    expect(performance.now() - began).toBeGreaterThan(950)
  })

  test('says which credentials were refused, and none of them', async () => {
    const said = `<AWSAccessKeyId>${SECRETS.accessKeyId}</AWSAccessKeyId>`
    const echo = `<Error><Code>InvalidAccessKeyId</Code><Message>no ${SECRETS.accessKeyId} with ${SECRETS.sessionToken}</Message>${said}</Error>`
    server.says({ status: 403, body: echo })
    const error = await errorOf(store.get('k'))
    expect(error.message).toBe(
      'cannot get s3://bucket/root/k, with the credentials from the option credentials: InvalidAccessKeyId: no *** with *** (403)',
    )
    expect(error.details.hint).toContain('keys belong to this server')
    const anonymous = await open({ credentials: undefined, anonymous: true })
    await expect(anonymous.get('k')).rejects.toEqual(failing('E_CREDENTIALS', 'without credentials'))
    expect(server.heard.at(-1)?.headers).not.toHaveProperty('authorization')
    await anonymous.close()
  })

  test('to HEAD is asked for its reason by GET', async () => {
    server.says(({ method }) => ({ status: 403, ...(method === 'GET' && { body: errorXml('SignatureDoesNotMatch') }) }))
    await expect(store.head('k')).rejects.toEqual(failing('E_CREDENTIALS', 'SignatureDoesNotMatch'))
    expect(server.heard.map(({ method }) => method)).toEqual(['HEAD', 'GET'])
    server.says(({ method }) => (method === 'GET' ? { status: 206, body: 'x' } : { status: 403 }))
    await expect(store.head('k')).rejects.toEqual(failing('E_ACCESS', 'answered 403 and nothing more'))
  })

  test('inside a 200 is one', async () => {
    const upload = '<InitiateMultipartUploadResult><UploadId>U</UploadId></InitiateMultipartUploadResult>'
    server.says(({ method, url }) => {
      if (url.includes('uploads=')) return { body: upload }
      if (url.includes('partNumber=')) return { headers: { etag: '"p"' } }
      if (method === 'POST') return { body: `   \n${errorXml('InternalError')}` }
      if (method === 'HEAD') return { headers: { ...OBJECT, 'content-length': '3' } }
      if (method === 'PUT') return { body: errorXml('SlowDown') }
      return { status: 204 }
    })
    await expect(store.copy('a', 'b')).rejects.toEqual(failing('E_THROTTLED', 'cannot copy "a" to s3://bucket/root/b'))
    const writer = store.writer('k')
    await writer.write(new Uint8Array(9 * 2 ** 20))
    await expect(writer.close()).rejects.toEqual(failing('E_SERVER', 'InternalError', '5 attempts'))
    expect(server.heard.at(-1)).toMatchObject({ method: 'DELETE', url: '/bucket/root/k?uploadId=U' })
  })

  test('to a conditional upload in parts is no refusal where the upload itself is what is there', async () => {
    const part = new Uint8Array(9 * 2 ** 20)
    const md5 = (data: Uint8Array) => createHash('md5').update(data).digest()
    const etags = [md5(part.subarray(0, 8 * 2 ** 20)), md5(part.subarray(8 * 2 ** 20))]
    const ours = `${md5(Buffer.concat(etags)).toString('hex')}-2`
    const upload = async (lost: number, there: string) => {
      let completions = 0
      server.says(({ method, url }) => {
        if (method === 'POST' && url.endsWith('?uploads='))
          return { body: '<InitiateMultipartUploadResult><UploadId>U</UploadId></InitiateMultipartUploadResult>' }
        if (method === 'PUT')
          return { headers: { etag: `"${etags[url.includes('partNumber=1') ? 0 : 1]?.toString('hex')}"` } }
        if (method === 'HEAD')
          return { headers: { ...OBJECT, etag: `"${there}"`, 'content-length': String(part.length) } }
        if (method === 'DELETE') return { status: 404, body: errorXml('NoSuchUpload') }
        return completions++ < lost ? { hangUp: true } : { status: 412, body: errorXml('PreconditionFailed') }
      })
      const writer = store.writer('k', { ifNoneMatch: '*' })
      await writer.write(part)
      return writer.close()
    }
    expect(await upload(1, ours)).toMatchObject({ key: 'k', etag: ours, size: part.length })
    await expect(upload(1, 'another')).rejects.toEqual(failing('E_EXISTS', 'k is there already'))
    // Somebody else's of the same content.
    await expect(upload(0, ours)).rejects.toEqual(failing('E_EXISTS', 'k is there already'))
  })

  test.each([
    ['a 503', { status: 503, body: errorXml('SlowDown') }],
    ['a lost answer', { hangUp: true }],
  ])('to a conditional put after %s is no refusal where the put itself is what is there', async (_, first) => {
    const body = bytesOf('bytes')
    const md5 = createHash('md5').update(body).digest('hex')
    const crc = Buffer.alloc(4)
    crc.writeUInt32BE(native.crc32c(body))
    const refusal = { status: 412, body: errorXml('PreconditionFailed') }
    const put = async (there: Readonly<Record<string, string>>, before: readonly Said[] = [first]) => {
      let puts = 0
      server.says(({ method }) =>
        method === 'HEAD' ? { headers: { ...OBJECT, ...there } } : (before[puts++] ?? refusal),
      )
      return store.put('k', body, { ifNoneMatch: '*' })
    }
    const [size, other] = [{ 'content-length': '5' }, { 'content-length': '6' }]
    expect(await put({ etag: `"${md5}"`, ...size })).toMatchObject({ key: 'k', size: 5, etag: md5 })
    const summed = { etag: '"opaque"', 'x-amz-checksum-crc32c': crc.toString('base64') }
    expect(await put({ ...summed, ...size })).toMatchObject({ key: 'k', etag: 'opaque' })
    const exists = failing('E_EXISTS', 'k is there already')
    await expect(put({ etag: '"opaque"', ...size })).rejects.toEqual(exists)
    await expect(put({ etag: `"${md5}"`, ...other })).rejects.toEqual(exists)
    await expect(put({ ...summed, 'x-amz-checksum-crc32c': 'AAAAAA==', ...size })).rejects.toEqual(exists)
    // Without an attempt before it is somebody else's, whatever it holds.
    await expect(put({ etag: `"${md5}"`, ...size }, [])).rejects.toEqual(exists)
    // The second attempt may be the one that does it.
    expect(await put({}, [first, { headers: { etag: '"new"' } }])).toMatchObject({ etag: 'new' })
  })

  test('of a batch that does not say which key is that of all', async () => {
    server.says({ body: '<DeleteResult><Error><Code>AccessDenied</Code></Error></DeleteResult>' })
    const results = []
    for await (const result of store.delete(['a', 'b'])) results.push(result)
    const refused = failing('E_ACCESS', 'AccessDenied')
    expect(results).toEqual([
      { key: 'a', error: refused },
      { key: 'b', error: refused },
    ])
  })

  test('of single keys of a batch is theirs alone', async () => {
    const error = '<Error><Key>root/b</Key><Code>AccessDenied</Code><Message>no</Message></Error>'
    const gone = '<Error><Key>root/c</Key><Code>NoSuchKey</Code></Error>'
    server.says({ body: `<DeleteResult>${error}${gone}</DeleteResult>` })
    const results = []
    for await (const result of store.delete(['a', 'b', 'c', 'b'])) results.push(result)
    const refused = failing('E_ACCESS', 'cannot delete s3://bucket/root/b', 'AccessDenied: no')
    expect(results).toEqual([{ key: 'a' }, { key: 'b', error: refused }, { key: 'c' }, { key: 'b', error: refused }])
    const { body, headers } = server.heard[0] as Heard
    expect(body.match(/<Key>/g)).toHaveLength(3)
    expect(headers['content-md5']).toBe(createHash('md5').update(body, 'latin1').digest('base64'))
  })
})

describe('a wrong assumption', () => {
  test.each([
    [301, { 'x-amz-bucket-region': 'ap-south-1' }, errorXml('PermanentRedirect')],
    [400, {}, errorXml('AuthorizationHeaderMalformed', '<Region>ap-south-1</Region>')],
  ])('about the region is mended for good (%i)', async (status, headers, body) => {
    const inRegion = ({ headers }: Heard) => String(headers.authorization).includes('/ap-south-1/s3/aws4_request')
    server.says((heard) => (inRegion(heard) ? { headers: OBJECT, body: 'x' } : { status, headers, body }))
    await store.get('k')
    await store.get('k')
    expect(server.heard.map(inRegion)).toEqual([false, true, true])
  })

  test('that many requests share is mended for all of them', async () => {
    const together = (one: S3Store) => Promise.all(['a', 'b', 'c', 'd'].map((key) => one.get(key)))
    server.says(({ headers }) =>
      String(headers.authorization).includes('/ap-south-1/s3/aws4_request')
        ? { headers: OBJECT, body: 'x' }
        : { status: 301, headers: { 'x-amz-bucket-region': 'ap-south-1' }, body: errorXml('PermanentRedirect') },
    )
    expect(await together(store)).toHaveLength(4)
    expect(server.heard).toHaveLength(8)

    let loads = 0
    const credentials = async () => ({ accessKeyId: `key${loads++}`, secretAccessKey: 'secret' })
    const renewing = await open({ credentials })
    server.says(({ headers }) =>
      String(headers.authorization).includes('key0/')
        ? { status: 400, body: errorXml('ExpiredToken') }
        : { headers: OBJECT, body: 'x' },
    )
    expect(await together(renewing)).toHaveLength(4)
    expect(loads).toBe(2)
    await renewing.close()

    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    try {
      const late = await open()
      const date = new Date(Date.now() - 3_600_000).toUTCString()
      const now = new Date().toISOString().slice(0, 13).replace(/-/g, '')
      server.says(({ headers }) =>
        String(headers['x-amz-date']).startsWith(now)
          ? { status: 403, headers: { date }, body: errorXml('RequestTimeTooSkewed') }
          : { headers: { ...OBJECT, date }, body: 'x' },
      )
      expect(await together(late)).toHaveLength(4)
      expect(warned).toHaveBeenCalledTimes(1)
      await late.close()
    } finally {
      warned.mockRestore()
    }
  })

  test('about the region that stays wrong is an error', async () => {
    server.says({ status: 400, body: errorXml('AuthorizationHeaderMalformed', '<Region>eu-west-1</Region>') })
    await expect(store.get('k')).rejects.toEqual(failing('E_CREDENTIALS', 'AuthorizationHeaderMalformed'))
    server.says({ status: 301, headers: { 'x-amz-bucket-region': 'x" y' }, body: errorXml('PermanentRedirect') })
    await expect(store.get('k')).rejects.toEqual(failing('E_CONFIG', 'PermanentRedirect'))
  })

  test('about the time is mended once, and told once', async () => {
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    try {
      const there = Date.now() + 40 * 60_000
      const right = ({ headers }: Heard) => {
        const text = String(headers['x-amz-date'])
        const iso = text.replace(/(....)(..)(..)T(..)(..)(..)Z/, '$1-$2-$3T$4:$5:$6Z')
        return Math.abs(Date.parse(iso) - there) < 15 * 60_000
      }
      const date = new Date(there).toUTCString()
      server.says((heard) =>
        right(heard)
          ? { headers: { ...OBJECT, date }, body: 'x' }
          : { status: 403, headers: { date }, body: errorXml('RequestTimeTooSkewed') },
      )
      await store.get('k')
      await store.get('k')
      expect(server.heard.map(right)).toEqual([false, true, true])
      expect(warned).toHaveBeenCalledTimes(1)
      expect(warned.mock.calls[0]?.[0]).toBe(
        "this machine's clock is 40 minutes behind that of s3://bucket/root: requests are signed with the server's time",
      )
      // HEAD has no body that says it.
      const again = await open()
      server.says((heard) => (right(heard) ? { headers: { ...OBJECT, date } } : { status: 403, headers: { date } }))
      expect((await again.head('k'))?.etag).toBe('e1')
      expect(server.heard.map(right)).toEqual([false, true])
      await again.close()
    } finally {
      warned.mockRestore()
    }
  })

  test('about the time that another time does not mend is an error', async () => {
    server.says({ status: 403, body: errorXml('RequestTimeTooSkewed') })
    const error = await errorOf(store.get('k'))
    expect(error).toMatchObject({ code: 'E_CREDENTIALS', details: { hint: "set this machine's clock" } })
    expect(server.heard).toHaveLength(1)
  })

  test('about credentials asks for others', async () => {
    let loads = 0
    const provider = async () => ({ ...SECRETS, accessKeyId: `ID${++loads}` })
    const temporary = await open({ credentials: provider })
    const isNew = ({ headers }: Heard) => String(headers.authorization).includes('Credential=ID2/')
    server.says((heard) => (isNew(heard) ? { headers: OBJECT } : { status: 400, body: errorXml('ExpiredToken') }))
    await temporary.get('k')
    expect(server.heard.map(isNew)).toEqual([false, true])
    await temporary.close()
    server.says({ status: 400, body: errorXml('ExpiredToken') })
    await expect(store.get('k')).rejects.toEqual(failing('E_CREDENTIALS', 'ExpiredToken'))
    expect(server.heard).toHaveLength(2)
  })
})

describe('a redirection', () => {
  test('to the same host is signed anew for its path', async () => {
    server.says(({ url }) =>
      url === '/elsewhere?x=1'
        ? { headers: OBJECT, body: 'x' }
        : { status: 307, headers: { location: '/elsewhere?x=1' } },
    )
    expect((await store.get('k'))?.info.etag).toBe('e1')
    const [first, second] = server.heard.map(({ headers }) => headers.authorization)
    expect(second).toContain('AWS4-HMAC-SHA256')
    expect(second).not.toBe(first)
  })

  test('to another host takes no credentials along', async () => {
    server.says({ status: 307, headers: { location: `${other.origin}/data?token=t` } })
    other.says({ headers: OBJECT, body: 'there' })
    expect(Buffer.from((await store.get('k'))?.data ?? []).toString()).toBe('there')
    expect(other.heard[0]).toMatchObject({
      method: 'GET',
      url: '/data?token=t',
      headers: { host: other.origin.slice(7) },
    })
    expect(Object.keys(other.heard[0]?.headers ?? {})).not.toContain('authorization')
    expect(inspect(other.heard)).not.toMatch(/hidden|x-amz-security-token/)
  })

  test('that goes round ends', async () => {
    server.says({ status: 307, headers: { location: '/round' } })
    await expect(store.get('k')).rejects.toEqual(failing('E_SERVER', 'redirects', 'again and again'))
  })

  test('without a place, or to another protocol, is an error', async () => {
    server.says({ status: 307 })
    await expect(store.get('k')).rejects.toEqual(failing('E_CONFIG', '307'))
    server.says({ status: 307, headers: { location: 'ftp://x/y' } })
    await expect(store.get('k')).rejects.toEqual(failing('E_CONFIG', '307'))
  })
})

describe('bytes are compared with', () => {
  const text = 'the bytes of an object'
  const crc32c = Buffer.alloc(4)
  crc32c.writeUInt32BE(native.crc32c(bytesOf(text)))
  const crc64 = Buffer.alloc(8)
  crc64.writeBigUInt64BE(native.crc64nvme(bytesOf(text)))
  const sums = {
    crc32c: crc32c.toString('base64'),
    crc64nvme: crc64.toString('base64'),
    crc32: 'yKtnjw==',
    sha1: createHash('sha1').update(text).digest('base64'),
    sha256: createHash('sha256').update(text).digest('base64'),
  }

  test.each(Object.entries(sums).filter(([name]) => name !== 'crc32'))(
    'the %s of a whole object',
    async (name, value) => {
      const header = `x-amz-checksum-${name}`
      server.says({ headers: { ...OBJECT, [header]: value }, body: text })
      const body = await store.get('k')
      expect(body?.info.checksum).toEqual({ algorithm: name, value: Buffer.from(value, 'base64').toString('hex') })
      expect(server.heard[0]?.headers['x-amz-checksum-mode']).toBe('ENABLED')
      server.says({ headers: { ...OBJECT, [header]: value }, body: text.replace('bytes', 'bites') })
      await expect(store.get('k')).rejects.toEqual(failing('E_CHECKSUM', name, 's3://bucket/root/k', '5 attempts'))
      const off = await open({ checksums: 'off' })
      expect((await off.get('k'))?.data).toHaveLength(text.length)
      expect(server.heard.at(-1)?.headers).not.toHaveProperty('x-amz-checksum-mode')
      await off.close()
    },
  )

  test('no checksum of checksums of parts, and none of a whole object that is read in part', async () => {
    const composite = { 'x-amz-checksum-crc32c': `${sums.crc32c}-3`, 'x-amz-checksum-type': 'COMPOSITE' }
    server.says({ headers: { ...OBJECT, ...composite }, body: text })
    expect((await store.get('k'))?.info).not.toHaveProperty('checksum')
    const part = { 'content-range': `bytes 0-2/${text.length}`, 'x-amz-checksum-crc32c': sums.crc32c }
    server.says({ status: 206, headers: { ...OBJECT, ...part }, body: 'the' })
    expect((await store.get('k', { range: { offset: 0, length: 3 } }))?.data).toEqual(bytesOf('the'))
  })

  test('the checksum that the server got of an upload', async () => {
    server.says({ headers: { etag: '"e"', 'x-amz-checksum-crc32c': sums.crc32c } })
    expect((await store.put('k', bytesOf(text))).checksum?.algorithm).toBe('crc32c')
    expect(server.heard[0]?.headers).toMatchObject({
      'x-amz-checksum-crc32c': sums.crc32c,
      'x-amz-content-sha256': 'UNSIGNED-PAYLOAD',
    })
    await expect(store.put('k', bytesOf('other'))).rejects.toEqual(failing('E_CHECKSUM', 'cannot put', '5 attempts'))
    const signing = await open({ signPayload: true, checksums: 'off' })
    await signing.put('k', bytesOf(text))
    expect(server.heard.at(-1)?.headers['x-amz-content-sha256']).toBe(createHash('sha256').update(text).digest('hex'))
    expect(server.heard.at(-1)?.headers).not.toHaveProperty('x-amz-checksum-crc32c')
    await signing.close()
  })
})

describe('an answer that is not what was asked for', () => {
  test.each([
    ['bytes 1-3/22', 'the'],
    ['bytes 0-3/22', 'the'],
    ['bytes 0-2/x', 'the'],
    ['bytes */22', 'the'],
    [undefined, 'the'],
  ])('Content-Range %s is E_CORRUPT', async (range, body) => {
    server.says({ status: 206, headers: { ...OBJECT, ...(range && { 'content-range': range }) }, body })
    await expect(store.get('k', { range: { offset: 0, length: 3 } })).rejects.toEqual(
      failing('E_CORRUPT', '5 attempts'),
    )
  })

  test('a whole object will do for a range that is all of it, and for no other', async () => {
    server.says({ headers: OBJECT, body: 'all' })
    expect((await store.get('k', { range: { offset: 0, length: 10 } }))?.data).toEqual(bytesOf('all'))
    await expect(store.get('k', { range: { offset: 1, length: 1 } })).rejects.toEqual(failing('E_CORRUPT'))
  })

  test('a 204 is no object', async () => {
    server.says({ status: 204 })
    await expect(store.get('k')).rejects.toEqual(failing('E_CORRUPT', '204'))
  })

  test('a list that is none is an error, never empty', async () => {
    const page = (inner: string) => `<ListBucketResult>${inner}</ListBucketResult>`
    const key = (name: string) => `<Contents><Key>${name}</Key><Size>1</Size></Contents>`
    for (const [body, ...words] of [
      ['', 'XML'],
      ['<html></html>', 'html'],
      [page(key('root/a')).slice(0, -5), 'XML'],
      [page('<IsTruncated>true</IsTruncated>'), 'next one'],
      [page('<Contents><Key>root/a</Key></Contents>'), 'no key or size'],
      [page(`<EncodingType>url</EncodingType>${key('root/%ff')}`), 'UTF-8'],
    ] as const) {
      server.says({ body })
      await expect(listed(store)).rejects.toEqual(failing('E_CORRUPT', ...words))
    }
    server.says({ body: page(key('elsewhere/a')) })
    await expect(listed(store)).rejects.toEqual(failing('E_CORRUPT', 'other keys'))
    server.says({
      body: page(`${key('root/b')}<IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>`),
    })
    await expect(listed(store)).rejects.toEqual(failing('E_CORRUPT', 'the same one again'))
    server.says({ status: 503, body: errorXml('SlowDown') })
    await expect(listed(store)).rejects.toEqual(failing('E_THROTTLED', 'cannot list s3://bucket/root'))
  })
})

test('nothing secret is to be seen of a store, its spec, its errors or its URLs', async () => {
  server.says({ hangUp: true })
  const errors = [
    await errorOf(store.get('k')),
    await errorOf(store.put('k', bytesOf('x'))),
    await errorOf(listed(store)),
    await errorOf(store.copy('a', 'b')),
  ]
  const seen = [store, store.spec, store.url, store.report(), ...errors]
  for (const thing of seen) {
    expect(inspect(thing, { depth: 20, showHidden: true, getters: true })).not.toMatch(/hidden/i)
    expect(JSON.stringify(thing)).not.toMatch(/hidden/i)
  }
  // What a presigned URL must hold is neither the secret key nor more than the user asked for.
  expect(await store.presign('k')).not.toContain(SECRETS.secretAccessKey)
})
