import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { HeadraceError } from '../../../src/errors.ts'
import { openHttpClient } from '../../../src/storage/http/client.ts'
import { endpointName, expandTemplate, parseEndpoint, parseEndpoints } from '../../../src/storage/remote/endpoints.ts'
import { remoteOptions } from '../../../src/storage/remote/options.ts'
import { openSession } from '../../../src/storage/remote/session.ts'
import type { Exchange, Session } from '../../../src/storage/remote/types.ts'
import { failing } from '../conformance.ts'
import { TestServer } from './range-server.ts'

const names = (text: string | string[]) => parseEndpoints(text).map(endpointName)

describe('endpoints are written', () => {
  test.each([
    ['http://host', 'http:', 'host', 80, ''],
    ['https://host/', 'https:', 'host', 443, ''],
    ['HTTP://Host:9000//', 'http:', 'host', 9000, ''],
    ['host:9000', 'http:', 'host', 9000, ''],
    ['host:443', 'https:', 'host', 443, ''],
    ['10.0.0.1', 'http:', '10.0.0.1', 80, ''],
    ['s3://10.0.0.1:9000/', 'http:', '10.0.0.1', 9000, ''],
    ['http://[::1]:9000/base/dir/', 'http:', '::1', 9000, '/base/dir'],
    [' https://h:443 ', 'https:', 'h', 443, ''],
  ])('%j', (text, protocol, host, port, basePath) => {
    expect(parseEndpoint(text)).toEqual({ origin: { protocol, host, port }, basePath })
  })

  test('and named in one way', () => {
    expect(names(['HTTP://Host:80/', 'https://h:443/b/', 'http://[::1]:9000'])).toEqual([
      'http://host',
      'https://h/b',
      'http://[::1]:9000',
    ])
  })

  test.each([
    '',
    'ftp://host',
    'http://',
    'http://host?x=1',
    'http://host#x',
    'http://ho st',
    'http://host:99999',
    '/path',
  ])('%j is none', (text) =>
    expect(() => parseEndpoint(text)).toThrow(
      failing('E_CONFIG', 'http://host:9000', JSON.stringify(text.replace(/\?.*/, '?…'))) as Error,
    ),
  )

  test('a bucket in one is refused', () => {
    expect(() => parseEndpoints('s3://10.0.0.1:9000/bucket/')).toThrow(
      failing('E_CONFIG', 'its bucket and prefix stand in the URL of the store') as Error,
    )
  })

  test('credentials in one are refused, and not repeated', () => {
    for (const text of ['http://me:secret@host', 'http://me:secret@h{1...4}', 'me:secret@h{4...1}:9000']) {
      expect(() => parseEndpoints(text)).toThrow(failing('E_CONFIG', 'with credentials in it') as Error)
      expect(() => parseEndpoints(text)).not.toThrow('secret')
    }
  })
})

describe('templates', () => {
  test('count, with the zeros of their first number', () => {
    expect(expandTemplate('http://h{1...3}:9000')).toEqual(['http://h1:9000', 'http://h2:9000', 'http://h3:9000'])
    expect(expandTemplate('h{08..11}')).toEqual(['h08', 'h09', 'h10', 'h11'])
    expect(expandTemplate('h{7...7}')).toEqual(['h7'])
  })

  test('of several ranges stand for every combination', () => {
    expect(expandTemplate('r{1...2}-n{1...3}.x:{9000...9001}')).toHaveLength(12)
    expect(expandTemplate('r{1...2}-n{1...2}')).toEqual(['r1-n1', 'r1-n2', 'r2-n1', 'r2-n2'])
  })

  test('are bounded, and refused where they are none', () => {
    expect(expandTemplate('h{1...1024}')).toHaveLength(1024)
    for (const text of ['h{1...1025}', 'h{1...33}{1...32}', 'h{2...1}', `h{1...${'9'.repeat(30)}}`])
      expect(() => expandTemplate(text)).toThrow(failing('E_CONFIG', '1024', JSON.stringify(text)) as Error)
    for (const text of ['h{}', 'h{1,2}', 'h{a...b}', 'h{1...2'])
      expect(() => expandTemplate(text)).toThrow(failing('E_CONFIG', '{1...16}', JSON.stringify(text)) as Error)
    expect(() => parseEndpoints('a{1...1000},b{1...25}')).toThrow(failing('E_CONFIG', 'at most 1024') as Error)
  })
})

describe('lists', () => {
  test('are parted by commas and white space; each endpoint counts once', () => {
    expect(names('http://a:1, http://b:2\n\thttp://a:1/ ,,c{1...2}')).toEqual([
      'http://a:1',
      'http://b:2',
      'http://c1',
      'http://c2',
    ])
    for (const nothing of ['', ' , ', []])
      expect(() => parseEndpoints(nothing)).toThrow(failing('E_CONFIG', 'no endpoint') as Error)
  })

  test('of a file have one a line, and comments', async () => {
    const folder = fs.mkdtempSync(join(tmpdir(), 'headrace-endpoints-'))
    try {
      const path = join(folder, 'list')
      fs.writeFileSync(path, '# ours\nhttp://a:1 # first\r\n\n  h{1...2}:9000\n#http://off\n')
      expect(names(`@${path}`)).toEqual(['http://a:1', 'http://h1:9000', 'http://h2:9000'])
      fs.writeFileSync(path, '# nothing\n')
      expect(() => names(`@${path}`)).toThrow(failing('E_CONFIG', path, 'no endpoint') as Error)
      expect(() => names(`@${path}x`)).toThrow(failing('E_CONFIG', `${path}x`, 'it is not there') as Error)
      expect(() => names(`@${folder}`)).toThrow(failing('E_CONFIG', folder, 'regular file') as Error)
    } finally {
      fs.rmSync(folder, { recursive: true })
    }
  })
})

describe('several endpoints', () => {
  let servers: TestServer[] = []
  let session: Session
  const open = (options = {}) => {
    session = openSession({
      endpoints: servers.map(({ endpoint }) => endpoint),
      client: openHttpClient({ firstByteTimeout: 150 }),
      options: remoteOptions({ baseDelay: 5, maxDelay: 200, ...options }),
    })
    return session
  }
  const exchange: Exchange<number> = {
    doing: 'get x://b/k',
    url: 'x://b',
    idempotent: true,
    build: ({ origin }) => ({ method: 'GET', origin, target: '/', headers: {}, idempotent: true }),
    read: ({ status }) => {
      if (status !== 200) throw new HeadraceError('E_SERVER', `status ${status}`, { url: 'x://b' })
      return status
    },
  }
  const send = async (count: number) => {
    for (let i = 0; i < count; i++) expect(await session.send(exchange)).toBe(200)
  }
  const counts = () => session.report().endpoints.map(({ requests }) => requests)
  const health = () => session.report().endpoints.map(({ healthy }) => healthy)

  beforeEach(async () => {
    servers = await Promise.all(Array.from({ length: 3 }, () => new TestServer().listen()))
    for (const server of servers) server.handler = (_, response) => response.writeHead(200).end('ok')
  })
  afterEach(async () => {
    await session.close()
    await Promise.all(servers.map((server) => server.close()))
  })

  test('take turns', async () => {
    open()
    await send(30)
    expect(servers.map(({ requests }) => requests.length)).toEqual([10, 10, 10])
    expect(session.report().endpoints).toEqual(
      servers.map(({ port }) => ({
        endpoint: `http://127.0.0.1:${port}`,
        requests: 10,
        failures: 0,
        bytesSent: 0,
        bytesReceived: 20,
        active: 0,
        healthy: true,
      })),
    )
  })

  test('or the one with the fewest requests under way is taken', async () => {
    open({ balance: 'least-busy' })
    const held: (() => void)[] = []
    const [slow] = servers
    if (slow) slow.handler = (_, response) => void held.push(() => response.end())
    const first = session.send(exchange)
    await expect.poll(() => held.length).toBe(1)
    await send(20)
    expect(counts()).toEqual([1, 10, 10])
    expect(session.report().endpoints[0]?.active).toBe(1)
    held[0]?.()
    await first
  })

  test('one that dies loses no request, is set aside, and rejoins', async () => {
    open({ attempts: 1 })
    await send(6)
    await servers[1]?.close()
    const many = Array.from({ length: 60 }, () => session.send(exchange))
    expect(await Promise.all(many)).toEqual(Array(60).fill(200))
    expect(health()).toEqual([true, false, true])
    const [, dead = 0] = counts()
    await send(10)
    // Nothing goes there but a probe when its pause has passed.
    expect((counts()[1] ?? 0) - dead).toBeLessThan(3)
    const revived = await new TestServer().listen(servers[1]?.port)
    revived.handler = (_, response) => response.writeHead(200).end('back')
    servers.push(revived)
    await expect
      .poll(
        async () => {
          await send(3)
          return health()
        },
        { interval: 20, timeout: 5000 },
      )
      .toEqual([true, true, true])
    revived.requests.length = 0
    await send(30)
    expect(revived.requests).toHaveLength(10)
    expect(session.report().endpoints[1]?.failures).toBeGreaterThan(0)
  })

  test('one that goes silent is left for another', async () => {
    open({ attempts: 1 })
    const [silent] = servers
    if (silent) silent.handler = () => {}
    await send(5)
    expect(health()).toEqual([false, true, true])
    expect(silent?.requests).toHaveLength(1)
  })

  test('while one is tried again, the others do the work: a single request finds out', async () => {
    open({ attempts: 1, baseDelay: 2, maxDelay: 20 })
    const [silent] = servers
    if (silent) silent.handler = () => {}
    await send(3)
    expect(health()).toEqual([false, true, true])
    await new Promise((resolve) => setTimeout(resolve, 40))
    // The first is the probe; it hangs until its time is up, then goes elsewhere.
    const before = silent?.requests.length ?? 0
    expect(await Promise.all(Array.from({ length: 30 }, () => session.send(exchange)))).toEqual(Array(30).fill(200))
    expect((silent?.requests.length ?? 0) - before).toBe(1)
  })

  test('what an answer says does not set one aside, and is waited for', async () => {
    open({ attempts: 3 })
    let failures = 2
    for (const server of servers) server.handler = (_, response) => response.writeHead(failures-- > 0 ? 500 : 200).end()
    await send(1)
    expect(health()).toEqual([true, true, true])
    expect(session.report().retries).toBe(2)
  })

  test('where all are dead the error says so in time, and it works again when one is back', async () => {
    open({ attempts: 2 })
    await Promise.all(servers.map((server) => server.close()))
    await expect(session.send(exchange)).rejects.toEqual(
      failing('E_NETWORK', 'cannot get x://b/k', 'connection refused'),
    )
    expect(health()).toEqual([false, false, false])
    const revived = await new TestServer().listen(servers[2]?.port)
    revived.handler = (_, response) => response.writeHead(200).end()
    servers.push(revived)
    await expect.poll(() => session.send(exchange).catch(() => 0), { interval: 20, timeout: 5000 }).toBe(200)
  })

  test('what may not be repeated is not sent to another after it may have arrived', async () => {
    open()
    for (const server of servers) server.handler = (_, __, incoming) => incoming.socket.destroy()
    await expect(session.send({ ...exchange, idempotent: false })).rejects.toEqual(failing('E_NETWORK'))
    expect(servers.map(({ requests }) => requests.length)).toEqual([1, 0, 0])
    await servers[1]?.close()
    for (const server of servers) server.handler = (_, response) => response.writeHead(200).end()
    expect(await session.send({ ...exchange, idempotent: false })).toBe(200)
  })
})
