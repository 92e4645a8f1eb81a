import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { HeadraceError } from '../../../src/errors.ts'
import { openHttpClient } from '../../../src/storage/http/client.ts'
import type { HttpResponse, Method } from '../../../src/storage/http/types.ts'
import { remoteOptions } from '../../../src/storage/remote/options.ts'
import { openSession } from '../../../src/storage/remote/session.ts'
import { Again, type Endpoint, type Exchange, type Session } from '../../../src/storage/remote/types.ts'
import type { Trace } from '../../../src/storage/types.ts'
import { failing } from '../conformance.ts'
import { TestServer } from './range-server.ts'

const servers: TestServer[] = []
const sessions: Session[] = []
let server: TestServer

async function startServer(): Promise<TestServer> {
  const started = await new TestServer().listen()
  servers.push(started)
  return started
}

function open(endpoints: readonly Endpoint[], options = {}, { timeout = 2000, random = (): number => 1 } = {}) {
  const client = openHttpClient({ firstByteTimeout: timeout })
  const session = openSession({
    endpoints,
    client,
    options: remoteOptions({ baseDelay: 1, maxDelay: 8, ...options }),
    random,
  })
  sessions.push(session)
  return { session, client }
}

function failureOf({ status, headers }: HttpResponse): void {
  const retryAfter = headers['retry-after']
  const details = { url: 'x://b', ...(retryAfter !== undefined && { retryAfter: Number(retryAfter) }) }
  if (status === 503) throw new HeadraceError('E_THROTTLED', 'slow down', details)
  if (status === 500) throw new HeadraceError('E_SERVER', 'internal error', details)
  if (status === 403) throw new HeadraceError('E_ACCESS', 'not allowed', details)
  if (status === 409) throw new Again('the clock was wrong')
}

function exchange(target = '/k', changes: Partial<Exchange<string>> & { method?: Method } = {}): Exchange<string> {
  const { method = 'GET', ...rest } = changes
  return {
    doing: 'get x://b/k',
    url: 'x://b',
    key: 'k',
    idempotent: true,
    build: ({ origin, basePath }) => ({
      method,
      origin,
      target: basePath + target,
      headers: {},
      idempotent: true,
    }),
    read: (response) => {
      failureOf(response)
      return new TextDecoder().decode(response.body)
    },
    ...rest,
  }
}

/** Answers with these statuses, one after the other, then 200. */
function answering(...statuses: (number | 'reset')[]): void {
  server.handler = (_, response, incoming) => {
    const status = statuses.shift() ?? 200
    if (status === 'reset') incoming.socket.destroy()
    else response.writeHead(status).end(`${status}`)
  }
}

beforeEach(async () => {
  server = await startServer()
})
afterEach(async () => {
  await Promise.all(sessions.splice(0).map((session) => session.close()))
  await Promise.all(servers.splice(0).map((each) => each.close()))
})

describe('a session', () => {
  test('gives what the answer says, and fills the trace', async () => {
    answering()
    const { session } = open([server.endpoint])
    const trace: Trace = {}
    const before = performance.now()
    expect(await session.send(exchange(), { trace })).toBe('200')
    expect(trace).toEqual({
      endpoint: `http://127.0.0.1:${server.port}`,
      retries: 0,
      firstByte: expect.toSatisfy((at) => at > before && at < performance.now()),
    })
    expect(session.report()).toEqual({
      endpoints: [
        {
          endpoint: `http://127.0.0.1:${server.port}`,
          requests: 1,
          failures: 0,
          bytesSent: 0,
          bytesReceived: 3,
          active: 0,
          healthy: true,
        },
      ],
      retries: 0,
      concurrency: 64,
    })
  })

  test.each([[503], [500], ['reset' as const], ['reset' as const, 503, 500, 503]])(
    'tries again after %j %j %j %j',
    async (...statuses) => {
      answering(...statuses.filter((each) => each !== undefined))
      const { session } = open([server.endpoint])
      const trace: Trace = {}
      expect(await session.send(exchange(), { trace })).toBe('200')
      expect(trace.retries).toBe(statuses.length)
      expect(server.requests).toHaveLength(statuses.length + 1)
      expect(session.report().retries).toBe(statuses.length)
      expect(session.report().endpoints[0]?.failures).toBe(statuses.length)
    },
  )

  test('gives up after as many attempts as it may, with the last error', async () => {
    answering(500, 503, 500, 500)
    const { session } = open([server.endpoint], { attempts: 3 })
    await expect(session.send(exchange())).rejects.toEqual(failing('E_SERVER', 'internal error (3 attempts)'))
    expect(server.requests).toHaveLength(3)
  })

  test('says what it was doing where the client fails', async () => {
    await server.close()
    const { session } = open([server.endpoint], { attempts: 2 })
    const error = await session.send(exchange()).catch((each) => each)
    expect(error).toEqual(failing('E_NETWORK', 'cannot get x://b/k: ', 'connection refused', '(2 attempts)'))
    expect(error.details).toMatchObject({ url: 'x://b', key: 'k' })
  })

  test('does not repeat what an answer says for good', async () => {
    answering(403)
    const { session } = open([server.endpoint])
    const error = await session.send(exchange()).catch((each) => each)
    expect(error.message).toBe('not allowed')
    expect(server.requests).toHaveLength(1)
    expect(session.report()).toMatchObject({ retries: 0, endpoints: [{ failures: 0 }] })
  })

  test('repeats what may not be repeated only where nothing was sent', async () => {
    answering('reset', 500)
    const { session } = open([server.endpoint])
    const once = exchange('/k', { idempotent: false, method: 'POST' })
    await expect(session.send(once)).rejects.toEqual(failing('E_NETWORK'))
    await expect(session.send(once)).rejects.toEqual(failing('E_SERVER'))
    expect(server.requests).toHaveLength(2)
    await server.close()
    const { session: other } = open([server.endpoint], { baseDelay: 50, maxDelay: 400, attempts: 6 })
    const sent = other.send(once)
    server = await new TestServer().listen(server.port)
    servers.push(server)
    expect(await sent).toBe('')
    expect(server.requests).toHaveLength(1)
  })

  test('builds anew what was built on a wrong assumption, three times at most', async () => {
    answering(409, 409, 409)
    const { session } = open([server.endpoint], { attempts: 1 })
    const { session: other } = open([server.endpoint], { attempts: 1 })
    let built = 0
    const counted = exchange('/k', {
      idempotent: false,
      build: (endpoint) => {
        built++
        return exchange().build(endpoint)
      },
    })
    expect(await session.send(counted)).toBe('200')
    expect(built).toBe(4)
    answering(409, 409, 409, 409)
    await expect(other.send(counted)).rejects.toEqual(failing('E_SERVER', 'cannot get x://b/k', 'the clock was wrong'))
    expect(server.requests).toHaveLength(8)
  })

  test('passes on what is thrown while a request is built, trying again only where it may pass', async () => {
    const { session } = open([server.endpoint])
    const credentials = new HeadraceError('E_CREDENTIALS', 'no key', { url: 'x://b' })
    await expect(session.send(exchange('/k', { build: () => Promise.reject(credentials) }))).rejects.toBe(credentials)
    let built = 0
    const build: Exchange<string>['build'] = async (endpoint) => {
      if (++built === 1) throw new HeadraceError('E_NETWORK', 'no answer from the token server', { url: 'x://b' })
      return exchange().build(endpoint)
    }
    answering()
    expect(await session.send(exchange('/k', { build, idempotent: false }))).toBe('200')
    expect(server.requests).toHaveLength(1)
    expect(session.report().endpoints[0]).toMatchObject({ requests: 1, failures: 0 })
  })
})

describe('waiting', () => {
  test('is drawn from nothing to the doubled delay, up to the longest', async () => {
    answering(500, 500, 500, 500)
    const drawn: number[] = []
    const { session } = open(
      [server.endpoint],
      { baseDelay: 20, maxDelay: 50 },
      {
        random: () => {
          drawn.push(1)
          return 1
        },
      },
    )
    const before = performance.now()
    await session.send(exchange())
    const waited = performance.now() - before
    expect(drawn).toHaveLength(4)
    // 20 + 40 + 50 + 50; timers of Node fire up to a millisecond early.
    expect(waited).toBeGreaterThan(155)
  })

  test('is at least as long as the server asks for, and no wait at all where that is too long', async () => {
    const asked = (retryAfter: number) => {
      server.handler = (_, response) => {
        const first = server.requests.length === 1
        response.writeHead(first ? 503 : 200, first ? { 'retry-after': `${retryAfter}` } : {}).end('late')
      }
    }
    asked(80)
    const { session } = open([server.endpoint], {}, { random: () => 0 })
    const before = performance.now()
    expect(await session.send(exchange())).toBe('late')
    expect(performance.now() - before).toBeGreaterThan(78)
    server.requests.length = 0
    asked(600_000)
    await expect(session.send(exchange())).rejects.toEqual(failing('E_THROTTLED', 'asks for a wait of 600000 ms'))
  })

  test('ends with the signal, and with the session', async () => {
    server.handler = (_, response) => response.writeHead(500).end()
    const { session } = open([server.endpoint], { baseDelay: 20_000, maxDelay: 20_000 })
    const controller = new AbortController()
    const one = session.send(exchange(), { signal: controller.signal }).catch((error) => error)
    const two = session.send(exchange()).catch((error) => error)
    await expect.poll(() => session.report().retries).toBe(2)
    controller.abort()
    expect(await one).toEqual(failing('E_CANCELLED', 'cannot get x://b/k'))
    await session.close()
    expect(await two).toEqual(failing('E_CANCELLED', 'cannot get x://b/k'))
    await expect(session.send(exchange())).rejects.toEqual(failing('E_CANCELLED', 'closed'))
  })
})

describe('a retry budget', () => {
  test('ends retries of a server that fails everything, and fills up again by what succeeds', async () => {
    server.handler = (_, response) => response.writeHead(500).end()
    // 64 tokens for few requests at once.
    const { session } = open([server.endpoint], { concurrency: 4, attempts: 5 })
    for (let i = 0; i < 16; i++)
      await expect(session.send(exchange())).rejects.toEqual(failing('E_SERVER', '5 attempts'))
    expect(server.requests).toHaveLength(80)
    const refused = await Promise.all(
      Array.from({ length: 20 }, () => session.send(exchange()).catch((error) => error)),
    )
    // Those tokens that the time since has brought.
    expect(server.requests.length).toBeLessThan(105)
    expect(refused.at(-1)).toEqual(failing('E_SERVER', 'too much fails for more'))
    answering()
    for (let i = 0; i < 50; i++) await session.send(exchange())
    answering(500, 500, 500, 500)
    expect(await session.send(exchange())).toBe('200')
  })
})

describe('concurrency', () => {
  test('is bounded, and those who wait come in their order', async () => {
    const order: string[] = []
    server.handler = ({ path }, response) => {
      order.push(path)
      setTimeout(() => response.end(), 5)
    }
    const { session } = open([server.endpoint], { concurrency: 3 })
    await Promise.all(Array.from({ length: 30 }, (_, i) => session.send(exchange(`/${i}`))))
    expect(server.mostActive).toBe(3)
    const lateness = order.map((path, at) => Math.abs(Number(path.slice(1)) - at))
    expect(Math.max(...lateness)).toBeLessThan(3)
  })

  test('is halved once where many are told to slow down at once, and grows by one a round', async () => {
    let throttle = true
    const waiting: (() => void)[] = []
    server.handler = (_, response) => {
      waiting.push(() => response.writeHead(throttle ? 503 : 200).end('x'))
      if (!throttle || waiting.length === 8) for (const answer of waiting.splice(0)) answer()
    }
    const { session } = open([server.endpoint], { concurrency: 8, attempts: 1 })
    const refused = await Promise.all(
      Array.from({ length: 8 }, () => session.send(exchange()).catch((error) => error.code)),
    )
    expect(refused).toEqual(Array(8).fill('E_THROTTLED'))
    expect(session.report().concurrency).toBe(4)
    throttle = false
    for (let i = 0; i < 4; i++) await session.send(exchange())
    expect(session.report().concurrency).toBe(4)
    await session.send(exchange())
    expect(session.report().concurrency).toBe(5)
    for (let i = 0; i < 100; i++) await session.send(exchange())
    expect(session.report().concurrency).toBe(8)
  })

  test('never falls below one', async () => {
    server.handler = (_, response) => response.writeHead(503).end('x')
    const { session } = open([server.endpoint], { concurrency: 8, attempts: 8 })
    await expect(session.send(exchange())).rejects.toEqual(failing('E_THROTTLED', '8 attempts'))
    expect(session.report().concurrency).toBe(1)
    answering()
    expect(await session.send(exchange())).toBe('200')
  })

  test('a request that is cancelled while it waits leaves its place to the next', async () => {
    const held: (() => void)[] = []
    server.handler = ({ path }, response) => void held.push(() => response.end(path))
    const { session } = open([server.endpoint], { concurrency: 1 })
    const controller = new AbortController()
    const first = session.send(exchange('/1'))
    const second = session.send(exchange('/2'), { signal: controller.signal }).catch((error) => error)
    const third = session.send(exchange('/3'))
    controller.abort()
    expect(await second).toEqual(failing('E_CANCELLED', 'cannot get x://b/k'))
    await expect.poll(() => held.length).toBe(1)
    held.pop()?.()
    expect(await first).toBe('/1')
    await expect.poll(() => held.length).toBe(1)
    held.pop()?.()
    expect(await third).toBe('/3')
    expect(server.requests).toHaveLength(2)
  })
})
