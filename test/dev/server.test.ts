import http from 'node:http'
import https from 'node:https'
import { expect, test } from 'vitest'
import { createAuthority } from '../../src/dev/s3/certificate.ts'
import { type S3ServerOptions, startS3Server } from '../../src/dev/s3/index.ts'
import { isHeadraceError } from '../../src/errors.ts'
import { presigned, send, sign } from './signed.ts'

const failing = (code: Parameters<typeof isHeadraceError>[1], words: string) =>
  expect.toSatisfy((error) => isHeadraceError(error, code) && error.message.includes(words), `${code}: ${words}`)

test.each([
  [{ port: 70_000 }, 'port must be an integer from 0 to 65535, but got 70000'],
  [{ dir: '' }, 'dir must be a text that is not empty, but got ""'],
  [{ accessKey: 'a' }, 'accessKey and secretKey belong together'],
  [{ accessKey: 'a', secretKey: '' }, 'secretKey must be a text that is not empty'],
  [{ clockOffset: 0.5 }, 'clockOffset must be an integer of milliseconds, but got 0.5'],
  [{ seed: -1 }, 'seed must be'],
  [{ tls: { cert: 'no', key: 'no' } }, 'the certificate or its key cannot be used'],
  [{ tls: 'yes' as unknown as true }, 'tls must be true, or { cert, key } in PEM'],
  [{ prot: 1 } as S3ServerOptions, 'an S3 server has no option "prot"'],
])('%j is refused', async (options, message) => {
  await expect(startS3Server(options)).rejects.toThrow(failing('E_USAGE', message))
})

test('a port that is taken, and a folder that cannot be made, are told', async () => {
  const first = await startS3Server()
  await expect(startS3Server({ port: first.port })).rejects.toThrow(failing('E_NETWORK', `127.0.0.1:${first.port}`))
  await first.close()
  await expect(startS3Server({ dir: '/dev/null/x' })).rejects.toThrow(failing('E_NOT_FOUND', '/dev/null/x'))
})

test('the log tells what was asked, over which connections, and counts on when it is cleared', async () => {
  const rule = { match: { op: 'GetObject' }, every: 2, fault: { kind: 'slow-down' } } as const
  const { url, requests, close } = await startS3Server({ faults: [rule] })
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
  for (const [method, path] of [
    ['PUT', '/bkt'],
    ['PUT', '/bkt/k'],
    ['GET', '/bkt/k'],
    ['GET', '/bkt/k'],
    ['GET', '/bkt/absent'],
    ['PATCH', '/bkt'],
  ] as const)
    await send(url, { method, path, agent })
  agent.destroy()
  await expect.poll(() => requests.entries.at(-1)?.ms).toBeGreaterThanOrEqual(0)
  const entries = requests.entries.map(({ ms, ...entry }) => entry)
  expect(entries).toEqual([
    { index: 0, connection: 0, method: 'PUT', operation: 'CreateBucket', bucket: 'bkt', status: 200 },
    { index: 1, connection: 0, method: 'PUT', operation: 'PutObject', bucket: 'bkt', key: 'k', status: 200 },
    { index: 2, connection: 0, method: 'GET', operation: 'GetObject', bucket: 'bkt', key: 'k', status: 200 },
    {
      index: 3,
      connection: 0,
      method: 'GET',
      operation: 'GetObject',
      bucket: 'bkt',
      key: 'k',
      status: 503,
      fault: 'slow-down',
    },
    {
      index: 4,
      connection: 0,
      method: 'GET',
      operation: 'GetObject',
      bucket: 'bkt',
      key: 'absent',
      status: 404,
      code: 'NoSuchKey',
    },
    { index: 5, connection: 0, method: 'PATCH', bucket: 'bkt', status: 405, code: 'MethodNotAllowed' },
  ])
  expect([requests.total, requests.connections, requests.count('GetObject'), requests.count('slow-down')]).toEqual([
    6, 1, 3, 1,
  ])
  requests.clear()
  await send(url, { method: 'HEAD', path: '/bkt' })
  expect(requests.entries).toMatchObject([{ index: 6, connection: 1, operation: 'HeadBucket' }])
  expect([requests.count('GetObject'), requests.total]).toEqual([0, 7])
  await close()
})

test('https with a given certificate', async () => {
  const authority = createAuthority(Date.now())
  const server = await startS3Server({ tls: authority.issue(['localhost', '127.0.0.1']) })
  expect([server.certificate, server.url]).toEqual([undefined, `https://127.0.0.1:${server.port}`])
  const status = await new Promise((resolve, reject) => {
    const url = presigned(server.url, { method: 'GET', path: '/' })
    https
      .get(url, { ca: authority.cert, agent: false }, (response) => resolve(response.resume().statusCode))
      .once('error', reject)
  })
  expect(status).toBe(200)
  await server.close()
})

test('faults reset connections under https too', async () => {
  const server = await startS3Server({ tls: true, faults: [{ fault: { kind: 'reset', when: 'before-head' } }] })
  const url = presigned(server.url, { method: 'GET', path: '/' })
  const answer = new Promise((_, reject) => {
    https.get(url, { ca: server.certificate?.pem, agent: false }, reject).once('error', reject)
  })
  await expect(answer).rejects.toMatchObject({ code: 'ECONNRESET' })
  await server.close()
})

test('closing ends what is under way', async () => {
  const server = await startS3Server({
    faults: [{ match: { op: 'ListBuckets' }, fault: { kind: 'slow-first-byte', ms: 60_000 } }],
  })
  const waiting = expect(send(server.url, { method: 'GET', path: '/' })).rejects.toMatchObject({ code: 'ECONNRESET' })
  await expect.poll(() => server.requests.count('slow-first-byte')).toBe(1)
  await server.close()
  await waiting
})

/** A field of the authorization changed, and what it is answered with. */
test.each([
  [
    'no scheme of ours',
    (text: string) => text.replace('AWS4-HMAC-SHA256', 'AWS4-ECDSA-P256-SHA256'),
    'InvalidArgument',
  ],
  ['no signature', (text: string) => text.replace(/Signature=.*/, 'Signature='), 'AuthorizationHeaderMalformed'],
  ['another service', (text: string) => text.replace('/s3/', '/sqs/'), 'AuthorizationHeaderMalformed'],
  ['another end', (text: string) => text.replace('aws4_request', 'aws5_request'), 'AuthorizationHeaderMalformed'],
  ['a scope without a day', (text: string) => text.replace(/\/\d{8}\//, '/'), 'AuthorizationHeaderMalformed'],
  ['another day', (text: string) => text.replace(/\/\d{8}\//, '/20200101/'), 'AuthorizationHeaderMalformed'],
  [
    'no host signed',
    (text: string) => text.replace('SignedHeaders=host;', 'SignedHeaders='),
    'AuthorizationHeaderMalformed',
  ],
  [
    'a field signed that is not there',
    (text: string) => text.replace('SignedHeaders=host;', 'SignedHeaders=date;host;'),
    'SignatureDoesNotMatch',
  ],
])('%s is refused', async (_, change, code) => {
  const server = await startS3Server()
  const { headers } = sign(server.url, { method: 'GET', path: '/' })
  const answer = await fetch(`${server.url}/`, {
    headers: { ...headers, authorization: change(headers.authorization ?? '') },
  })
  expect(/<Code>(.*)<\/Code>/.exec(await answer.text())?.[1]).toBe(code)
  await server.close()
})
