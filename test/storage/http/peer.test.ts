import { randomBytes } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { openHttpClient } from '../../../src/storage/http/client.ts'
import type { HttpRequest, Origin } from '../../../src/storage/http/types.ts'

/** Against Node's own server, which shares no code with ours. */
test('speaks with another implementation: bodies in both directions, chunks, trailers, many at once', async () => {
  const server = createServer(async (request, response) => {
    const pieces: Buffer[] = []
    for await (const piece of request) pieces.push(piece as Buffer)
    const body = Buffer.concat(pieces)
    if (request.url === '/chunked') {
      response.writeHead(200, { trailer: 'x-sum' })
      for (let at = 0; at < body.length; at += 70_001) response.write(body.subarray(at, at + 70_001))
      response.addTrailers({ 'x-sum': 'y' })
      response.end()
    } else {
      response.writeHead(200, { 'content-length': body.length, 'x-method': request.method })
      response.end(body)
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const origin: Origin = { protocol: 'http:', host: '127.0.0.1', port: (server.address() as AddressInfo).port }
  const client = openHttpClient({ connections: 8 })
  const send = async (target: string, size: number, placed: boolean) => {
    const body = randomBytes(size)
    const memory = new Uint8Array(size)
    const request: HttpRequest = { method: 'PUT', origin, target, headers: {}, body: [body], idempotent: true }
    const answer = await client.request(placed ? { ...request, place: () => memory } : request)
    expect(answer.status).toBe(200)
    expect(Buffer.compare(answer.body, body)).toBe(0)
  }
  const sizes = [0, 1, 1000, 16_384, 70_000, 1_000_000]
  const sent = sizes.flatMap((size) =>
    ['/sized', '/chunked'].flatMap((target) => [send(target, size, true), send(target, size, false)]),
  )
  await Promise.all([...sent, ...Array.from({ length: 100 }, () => send('/sized', 2000, true))])
  const head = await client.request({ method: 'HEAD', origin, target: '/sized', headers: {}, idempotent: true })
  expect(head.headers['x-method']).toBe('HEAD')
  expect(head.body).toHaveLength(0)
  expect(client.counters).toMatchObject({ requests: 125, connectionsOpened: 8, staleConnections: 0 })
  await client.close()
  await new Promise((resolve) => server.close(resolve))
})
