import { readFileSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type S3Server, startS3Server } from '../../src/dev/s3/index.ts'
import { Refusal } from '../../src/dev/s3/refusal.ts'
import { readRequest } from '../../src/dev/s3/request/request.ts'
import { verifyRequest } from '../../src/dev/s3/signing/verify.ts'
import { encodePath, KEYS, presigned, rfc3986, send } from './signed.ts'

/** A case that botocore signed. */
interface Vector {
  readonly name: string
  readonly method: string
  readonly host: string
  readonly bucket: string
  readonly key: string | null
  readonly query: Readonly<Record<string, string>>
  readonly headers: Readonly<Record<string, string>>
  readonly region: string
  readonly access_key_id: string
  readonly secret_access_key: string
  readonly session_token: string | null
  readonly timestamp: string
  readonly authorization?: string
  readonly x_amz_content_sha256?: string
  readonly presigned_url?: string
}

const VECTORS = JSON.parse(
  gunzipSync(readFileSync(new URL('../fixtures/sigv4/s3-requests.json.gz', import.meta.url))).toString(),
) as readonly Vector[]
const NOW = Date.UTC(2026, 0, 2, 3, 4, 5)

function messageOf(vector: Vector): IncomingMessage {
  const { method, host, bucket, key, query, headers, presigned_url } = vector
  const path = `/${bucket}${key === null ? '' : `/${encodePath(key)}`}`
  const search = Object.entries(query).map(([name, value]) => `${rfc3986(name)}=${rfc3986(value)}`)
  const fields: Record<string, string> = { Host: host, ...headers }
  if (presigned_url === undefined) {
    fields['X-Amz-Date'] = vector.timestamp
    fields['X-Amz-Content-Sha256'] = vector.x_amz_content_sha256 ?? ''
    fields.Authorization = vector.authorization ?? ''
    if (vector.session_token !== null) fields['X-Amz-Security-Token'] = vector.session_token
  }
  const target = presigned_url?.replace(/^https?:\/\/[^/]+/, '') ?? `${path}?${search.join('&')}`
  return { method, url: target, rawHeaders: Object.entries(fields).flat() } as IncomingMessage
}

function verify(vector: Vector, message: IncomingMessage, now = NOW) {
  const account = {
    accessKey: vector.access_key_id,
    secretKey: vector.secret_access_key,
    ...(vector.session_token === null ? {} : { sessionToken: vector.session_token }),
  }
  return verifyRequest(readRequest(message), account, vector.region, now)
}

const refused = (code: string) => expect.toSatisfy((error) => error instanceof Refusal && error.code === code, code)

describe('what botocore signed', () => {
  test.each(VECTORS)('$name is let in', (vector) => {
    const { kind } = verify(vector, messageOf(vector))
    expect(kind).toBe(vector.x_amz_content_sha256?.length === 64 ? 'hash' : 'unsigned')
  })

  test.each(VECTORS)('$name is refused with another method, key or signature', (vector) => {
    const message = messageOf(vector)
    const url = message.url ?? ''
    const others: Partial<IncomingMessage>[] = [
      { method: vector.method === 'GET' ? 'HEAD' : 'GET' },
      { url: url.replace(/^(\/[^/?]*)/, '$1x') },
      { url: `${url}${url.includes('?') ? '&' : '?'}acl=1` },
    ]
    for (const other of others) {
      const changed = { ...message, ...other } as IncomingMessage
      expect(() => verify(vector, changed)).toThrow(refused('SignatureDoesNotMatch'))
    }
  })
})

describe('a server', () => {
  let server: S3Server
  beforeAll(async () => {
    server = await startS3Server({ region: 'eu-central-1' })
  })
  afterAll(() => server.close())
  const keys = { ...KEYS, region: 'eu-central-1' }
  const list = { method: 'GET', path: '/', keys }
  const code = (text: string) => /<Code>(.*)<\/Code>/.exec(text)?.[1]

  test('refuses who does not sign, or signs with other keys', async () => {
    const anonymous = await fetch(`${server.url}/`)
    expect([anonymous.status, code(await anonymous.text())]).toEqual([403, 'AccessDenied'])
    const other = await send(server.url, { ...list, keys: { ...keys, accessKey: 'other' } })
    expect([other.status, code(other.text)]).toEqual([403, 'InvalidAccessKeyId'])
    const wrong = await send(server.url, { ...list, keys: { ...keys, secretKey: 'other' } })
    expect([wrong.status, code(wrong.text)]).toEqual([403, 'SignatureDoesNotMatch'])
    expect(wrong.text).not.toContain('testsecret')
    const token = await send(server.url, { ...list, headers: { 'x-amz-security-token': 'x' } })
    expect([token.status, code(token.text)]).toEqual([400, 'InvalidToken'])
  })

  test('names its region to who signs for another', async () => {
    const answer = await send(server.url, { ...list, keys: { ...keys, region: 'us-east-1' } })
    expect([answer.status, code(answer.text)]).toEqual([400, 'AuthorizationHeaderMalformed'])
    expect(answer.text).toContain('<Region>eu-central-1</Region>')
    expect(answer.headers['x-amz-bucket-region']).toBe('eu-central-1')
  })

  test('refuses clocks that are more than 15 minutes off, in both directions', async () => {
    for (const minutes of [-14, 14]) {
      const near = await send(server.url, { ...list, at: Date.now() + minutes * 60_000 })
      expect(near.status).toBe(200)
    }
    for (const minutes of [-16, 16]) {
      const far = await send(server.url, { ...list, at: Date.now() + minutes * 60_000 })
      expect([far.status, code(far.text)]).toEqual([403, 'RequestTimeTooSkewed'])
      expect(far.text).toContain('<MaxAllowedSkewMilliseconds>900000</MaxAllowedSkewMilliseconds>')
    }
    const ahead = await startS3Server({ clockOffset: 3_600_000 })
    const skewed = await send(ahead.url, { method: 'GET', path: '/' })
    expect(code(skewed.text)).toBe('RequestTimeTooSkewed')
    expect(Date.parse(String(skewed.headers.date)) - Date.now()).toBeGreaterThan(3_500_000)
    expect((await send(ahead.url, { method: 'GET', path: '/', at: Date.now() + 3_600_000 })).status).toBe(200)
    await ahead.close()
  })

  test('lets presigned queries in until they expire', async () => {
    const sent = { method: 'GET', path: '/', keys }
    expect((await fetch(presigned(server.url, sent))).status).toBe(200)
    const late = await fetch(presigned(server.url, { ...sent, at: Date.now() - 61_000 }))
    expect([late.status, await late.text()]).toEqual([403, expect.stringContaining('Request has expired')])
    const long = await fetch(presigned(server.url, sent, 604_801))
    expect([long.status, code(await long.text())]).toEqual([400, 'AuthorizationQueryParametersError'])
    const altered = await fetch(`${presigned(server.url, sent)}&prefix=x`)
    expect([altered.status, code(await altered.text())]).toEqual([403, 'SignatureDoesNotMatch'])
  })

  test('refuses fields that change the meaning and are not signed', async () => {
    const url = presigned(server.url, { method: 'PUT', path: '/bkt/k', keys })
    const answer = await fetch(url, { method: 'PUT', headers: { 'x-amz-copy-source': '/bkt/other' } })
    expect([answer.status, await answer.text()]).toEqual([403, expect.stringContaining('x-amz-copy-source')])
  })

  test('refuses a body that is not the one signed', async () => {
    await send(server.url, { method: 'PUT', path: '/bkt', keys })
    const put = { method: 'PUT', path: '/bkt/k', keys, body: 'right' }
    const answer = await send(server.url, { ...put, payload: 'a'.repeat(64) })
    expect([answer.status, code(answer.text)]).toEqual([400, 'XAmzContentSHA256Mismatch'])
    expect((await send(server.url, { method: 'GET', path: '/bkt/k', keys })).status).toBe(404)
  })

  test('asks for temporary credentials where it was started with some', async () => {
    const temporary = await startS3Server({ sessionToken: 'token' })
    const get = { method: 'GET', path: '/' }
    expect(code((await send(temporary.url, get)).text)).toBe('InvalidToken')
    expect((await send(temporary.url, { ...get, headers: { 'x-amz-security-token': 'token' } })).status).toBe(200)
    await temporary.close()
  })
})
