import { afterAll, beforeAll, expect, test } from 'vitest'
import { type S3Server, startS3Server } from '../../src/dev/s3/index.ts'
import { presigned, send } from './signed.ts'

let server: S3Server
beforeAll(async () => {
  server = await startS3Server()
})
afterAll(() => server.close())

test('puts, gets, lists and deletes', async () => {
  expect(await send(server.url, { method: 'PUT', path: '/demo' })).toMatchObject({ status: 200, text: '' })
  const key = '/demo/a//b c+d%é\u{1f600}'
  const put = await send(server.url, { method: 'PUT', path: key, body: 'hello' })
  expect(put).toMatchObject({ status: 200, headers: { etag: '"5d41402abc4b2a76b9719d911017c592"' } })
  const got = await send(server.url, { method: 'GET', path: key, headers: { range: 'bytes=1-3' } })
  expect(got).toMatchObject({ status: 206, text: 'ell', headers: { 'content-range': 'bytes 1-3/5' } })
  expect(await send(server.url, { method: 'HEAD', path: key })).toMatchObject({
    status: 200,
    headers: { 'content-length': '5' },
  })
  const list = await send(server.url, { method: 'GET', path: '/demo', query: { 'list-type': '2' } })
  expect(list.text).toContain('<Key>a//b c+d%é\u{1f600}</Key>')
  expect(await (await fetch(presigned(server.url, { method: 'GET', path: key }))).text()).toBe('hello')
  expect(await send(server.url, { method: 'DELETE', path: '/demo' })).toMatchObject({ status: 409 })
  expect(await send(server.url, { method: 'DELETE', path: key })).toMatchObject({ status: 204 })
  expect(await send(server.url, { method: 'HEAD', path: key })).toMatchObject({ status: 404 })
  expect(await send(server.url, { method: 'DELETE', path: '/demo' })).toMatchObject({ status: 204 })
})
