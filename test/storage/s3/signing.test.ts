import { readFileSync } from 'node:fs'
import { inspect } from 'node:util'
import { gunzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { canonicalQuery, encodeKey } from '../../../src/storage/remote/encoding.ts'
import { amzDate, Signer, sha256Hex, UNSIGNED_PAYLOAD } from '../../../src/storage/s3/signing.ts'

function fixture<T>(name: string): T {
  const path = new URL(`../../fixtures/sigv4/${name}.json.gz`, import.meta.url)
  return JSON.parse(gunzipSync(readFileSync(path)).toString()) as T
}

interface SuiteCase {
  readonly name: string
  readonly context: {
    readonly credentials: { access_key_id: string; secret_access_key: string; token?: string }
    readonly expiration_in_seconds: number
    readonly normalize: boolean
    readonly region: string
    readonly service: string
    readonly sign_body: boolean
    readonly timestamp: string
  }
  readonly request: string
  readonly header: { readonly signature: string }
  readonly query: { readonly signature: string }
}

/** What services other than S3 sign: dots and double slashes resolved first. */
function suitePath(path: string, normalize: boolean): string {
  const kept: string[] = []
  for (const segment of path.split('/')) {
    if (segment === '..') kept.pop()
    else if (segment !== '' && segment !== '.') kept.push(segment)
  }
  const normalized = `/${kept.join('/')}${path.endsWith('/') && kept.length > 0 ? '/' : ''}`
  return encodeKey(decodeURIComponent(normalize ? normalized : path))
}

function suiteRequest({ request, context }: SuiteCase) {
  const [head = '', body = ''] = request.split('\n\n')
  const [line = '', ...fields] = head.split('\n')
  const [method = '', ...rest] = line.replace(/ HTTP\/1\.1$/, '').split(' ')
  const [path = '', query = ''] = rest.join(' ').split('?')
  const headers: Record<string, string> = {}
  for (const field of fields.filter((each) => each !== '')) {
    const colon = field.indexOf(':')
    const name = field.slice(0, colon).toLowerCase()
    const value = field.slice(colon + 1)
    headers[name] = headers[name] === undefined ? value : `${headers[name]},${value}`
  }
  const pairs = query.split('&').flatMap((pair) => {
    const at = pair.indexOf('=')
    return pair === '' ? [] : [[decodeURIComponent(pair.slice(0, at)), decodeURIComponent(pair.slice(at + 1))] as const]
  })
  return { method, path: suitePath(path, context.normalize), pairs, headers, payload: sha256Hex(body) }
}

const suite = fixture<SuiteCase[]>('aws-signing-test-suite-v4')

test.each(suite)('AWS signing test suite: $name', (each) => {
  const { context } = each
  const date = amzDate(Date.parse(context.timestamp))
  const { access_key_id: accessKeyId, secret_access_key: secretAccessKey, token } = context.credentials
  const identity = { accessKeyId, secretAccessKey, ...(token === undefined ? {} : { sessionToken: token }) }
  const signer = new Signer(identity, context.region, context.service)
  const { method, path, pairs, headers, payload } = suiteRequest(each)
  const dated = {
    ...headers,
    'x-amz-date': date,
    ...(token === undefined ? {} : { 'x-amz-security-token': token }),
    ...(context.sign_body ? { 'x-amz-content-sha256': payload } : {}),
  }
  const authorization = signer.authorize({ method, path, query: canonicalQuery(pairs), headers: dated, payload })
  expect(authorization).toContain(`, Signature=${each.header.signature}`)
  const query = signer.presign({ method, path, headers, payload }, pairs, date, context.expiration_in_seconds)
  expect(new URLSearchParams(query).get('X-Amz-Signature')).toBe(each.query.signature)
})

interface S3Case {
  readonly name: string
  readonly method: string
  readonly host: string
  readonly key: string | null
  readonly bucket: string
  readonly query: Readonly<Record<string, string>>
  readonly headers: Readonly<Record<string, string>>
  readonly payload: string
  readonly region: string
  readonly access_key_id: string
  readonly secret_access_key: string
  readonly session_token: string | null
  readonly timestamp: string
  readonly body_hex: string
  readonly x_amz_content_sha256?: string
  readonly authorization?: string
  readonly expires?: number
  readonly presigned_url?: string
}

test.each(fixture<S3Case[]>('s3-requests'))('S3 request: $name', (each) => {
  const token = each.session_token === null ? {} : { sessionToken: each.session_token }
  const signer = new Signer(
    { accessKeyId: each.access_key_id, secretAccessKey: each.secret_access_key, ...token },
    each.region,
  )
  const path = `/${each.bucket}${each.key === null ? '' : `/${encodeKey(each.key)}`}`
  const given = Object.fromEntries(Object.entries(each.headers).map(([name, value]) => [name.toLowerCase(), value]))
  const pairs = Object.entries(each.query)
  if (each.presigned_url !== undefined) {
    const request = {
      method: each.method,
      path,
      headers: { ...given, host: each.host },
      payload: UNSIGNED_PAYLOAD,
    }
    const query = signer.presign(request, pairs, each.timestamp, each.expires ?? 0)
    const expected = new URL(each.presigned_url)
    expect(`http://${each.host}${path}`).toBe(each.presigned_url.split('?')[0])
    expect([...new URLSearchParams(query)].sort()).toEqual([...expected.searchParams].sort())
    return
  }
  const payload = each.payload === 'signed' ? sha256Hex(Buffer.from(each.body_hex, 'hex')) : UNSIGNED_PAYLOAD
  expect(payload).toBe(each.x_amz_content_sha256)
  const headers = {
    ...given,
    host: each.host,
    'x-amz-content-sha256': payload,
    'x-amz-date': each.timestamp,
    ...(each.session_token === null ? {} : { 'x-amz-security-token': each.session_token }),
  }
  expect(signer.authorize({ method: each.method, path, query: canonicalQuery(pairs), headers, payload })).toBe(
    each.authorization,
  )
})

interface DocumentedCase {
  readonly name: string
  readonly canonical_request: string
  readonly string_to_sign: string
  readonly signature: string
}

test.each(fixture<DocumentedCase[]>('s3-documentation'))('S3 documentation: $name', (each) => {
  const [method = '', path = '', query = '', ...rest] = each.canonical_request.split('\n')
  const headers = Object.fromEntries(
    rest.slice(0, -3).map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]),
  )
  const payload = rest.at(-1) ?? ''
  const identity = {
    accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
    secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
  }
  const signer = new Signer(identity, 'us-east-1')
  if (!query.includes('X-Amz-Algorithm')) {
    expect(signer.authorize({ method, path, query, headers, payload })).toContain(`, Signature=${each.signature}`)
    return
  }
  expect(signer.presign({ method, path, headers, payload }, [], '20130524T000000Z', 86_400)).toBe(
    `${query}&X-Amz-Signature=${each.signature}`,
  )
})

test('a signer signs for the next day with the next day’s key', () => {
  const identity = { accessKeyId: 'a', secretAccessKey: 's' }
  const request = (date: string) => ({
    method: 'GET',
    path: '/',
    query: '',
    headers: { host: 'h', 'x-amz-date': date },
    payload: UNSIGNED_PAYLOAD,
  })
  const signer = new Signer(identity, 'us-east-1')
  const days = ['20251231T235959Z', '20260101T000000Z', '20251231T235959Z'].map((date) =>
    signer.authorize(request(date)),
  )
  expect(days[2]).toBe(days[0])
  expect(days[1]).toBe(new Signer(identity, 'us-east-1').authorize(request('20260101T000000Z')))
  expect(days[1]).toContain('Credential=a/20260101/us-east-1/s3/aws4_request')
})

test('a signer does not show its secrets', () => {
  const signer = new Signer({ accessKeyId: 'AK', secretAccessKey: 'HIDDEN', sessionToken: 'TOKEN' }, 'us-east-1')
  expect(inspect(signer, { depth: 9, showHidden: true })).not.toMatch(/HIDDEN|TOKEN/)
  expect(JSON.stringify(signer)).toBe('{}')
})
