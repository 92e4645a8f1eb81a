import { readdir } from 'node:fs/promises'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { FaultDraws, type Target } from '../../src/dev/s3/faults/draw.ts'
import { checkRules, type FaultRule } from '../../src/dev/s3/faults/rules.ts'
import { startS3Server } from '../../src/dev/s3/index.ts'
import { isHeadraceError } from '../../src/errors.ts'
import { overSocket, requestBytes } from './socket.ts'

const GET: Target = { operation: 'GetObject', method: 'GET', bucket: 'bkt', key: 'train/a.jpg' }
const PUT: Target = { operation: 'PutObject', method: 'PUT', bucket: 'bkt', key: 'train/a.jpg' }

/** Which of `n` such requests are hit. */
function hits(rule: FaultRule, n: number, target = GET, seed = 0): readonly number[] {
  const draws = new FaultDraws(checkRules([rule]), seed)
  return Array.from({ length: n }, (_, i) => i).filter(() => draws.draw(target) !== undefined)
}

const fault = { kind: 'error' } as const

test('every, skip, times and bursts choose by the number of the request', () => {
  expect(hits({ fault }, 3)).toEqual([0, 1, 2])
  expect(hits({ every: 3, fault }, 10)).toEqual([2, 5, 8])
  expect(hits({ every: 3, skip: 2, fault }, 10)).toEqual([4, 7])
  expect(hits({ times: 2, skip: 1, fault }, 10)).toEqual([1, 2])
  expect(hits({ every: 4, fault: { kind: 'slow-down', burst: 3 } }, 12)).toEqual([3, 4, 5, 7, 8, 9, 11])
  expect(hits({ times: 1, fault: { kind: 'slow-down', burst: 3 } }, 12)).toEqual([0, 1, 2])
})

test('probability chooses that share, by the seed and nothing else', () => {
  fc.assert(
    fc.property(fc.double({ min: 0.05, max: 0.95, noNaN: true }), fc.nat(2 ** 32 - 1), (probability, seed) => {
      const found = hits({ probability, fault }, 4000, GET, seed)
      expect(Math.abs(found.length / 4000 - probability)).toBeLessThan(0.06)
      expect(hits({ probability, fault }, 4000, GET, seed)).toEqual(found)
      expect(hits({ probability, fault }, 4000, GET, (seed + 1) % 2 ** 32)).not.toEqual(found)
    }),
    { numRuns: 50 },
  )
})

test.each([
  [{ method: 'GET' }, true],
  [{ method: 'PUT' }, false],
  [{ op: 'GetObject', bucket: 'bkt' }, true],
  [{ op: 'HeadObject' }, false],
  [{ bucket: 'b' }, false],
  [{ key: 'train/' }, true],
  [{ key: 'rain/' }, false],
  [{ key: '*.jpg' }, true],
  [{ key: 'train/?.jpg' }, true],
  [{ key: 't?.jpg' }, false],
  [{ key: '*.jp' }, false],
  [{ key: 'train/a.jpg.' }, false],
] as const)('%j matches: %s', (match, matched) => {
  expect(hits({ match, fault }, 1).length > 0).toBe(matched)
})

test('requests that a fault is impossible for are not counted', () => {
  const draws = new FaultDraws(checkRules([{ every: 2, fault: { kind: 'corrupt-body' } }]), 0)
  expect([PUT, GET, PUT, PUT, GET].map((target) => draws.draw(target)?.fault.kind)).toEqual([
    undefined,
    undefined,
    undefined,
    undefined,
    'corrupt-body',
  ])
})

test('the first rule that fires decides, and the others count on', () => {
  const rules = checkRules([
    { every: 2, fault },
    { every: 3, fault: { kind: 'garbage' } },
  ])
  const draws = new FaultDraws(rules, 0)
  expect(Array.from({ length: 6 }, () => draws.draw(GET)?.fault.kind)).toEqual([
    undefined,
    'error',
    'garbage',
    'error',
    undefined,
    'error',
  ])
})

test.each([
  [[{ fault: { kind: 'unknown' } }], 'faults[0].fault.kind'],
  [[{ fault }, { fault: { kind: 'stall', ms: -1 } }], 'faults[1].fault.ms'],
  [[{ fault: { kind: 'stall', after: 1.5 } }], 'faults[0].fault.after'],
  [[{ fault: { kind: 'garbage', extra: 1 } }], 'extra'],
  [[{ match: { op: 'getObject' }, fault }], 'faults[0].match.op'],
  [[{ probability: 2, fault }], 'faults[0].probability'],
  [[{ probability: 0.5, every: 2, fault }], 'probability and every'],
  [{ fault }, 'faults'],
])('%j is refused, and told where', (rules, place) => {
  expect(() => checkRules(rules)).toThrow(
    expect.toSatisfy((error) => isHeadraceError(error, 'E_USAGE') && error.message.includes(place)),
  )
})

test('whatever is done to connections, none is left, nor any file or timer', async () => {
  const descriptors = async () => (await readdir('/proc/self/fd').catch(() => [])).length
  const before = await descriptors()
  const kinds: FaultRule['fault'][] = [
    { kind: 'stall' },
    { kind: 'stall-upload' },
    { kind: 'slow-first-byte', ms: 60_000 },
    { kind: 'short-body' },
    { kind: 'garbage' },
    { kind: 'close-after' },
    { kind: 'slow-body', bytesPerSecond: 1 },
    { kind: 'reset', when: 'mid-body' },
    { kind: 'reset', when: 'after-processing' },
    { kind: 'reset', when: 'during-upload' },
  ]
  const rules = kinds.map((each, i): FaultRule => ({ every: 11, skip: i, fault: each }))
  const server = await startS3Server({ faults: rules })
  const body = Buffer.alloc(100_000, 'x')
  const ask = (method: string, path: string, more: object = {}, wait = 30) =>
    overSocket(server.url, requestBytes(server.url, { method, path, ...more }), wait)
  await ask('PUT', '/bkt', {}, 1000)
  await ask('PUT', '/bkt/k', { body }, 1000)
  for (let i = 0; i < 30; i++)
    await Promise.all([
      ask('GET', '/bkt/k'),
      ask('PUT', `/bkt/k${i}`, { body }),
      ask('GET', '/bkt', { query: { 'list-type': '2' } }),
    ])
  for (const { kind } of kinds) expect(server.requests.count(kind)).toBeGreaterThan(0)
  const open = server.requests.entries.filter(({ ms }) => ms === undefined)
  await expect.poll(() => open.every(({ ms }) => ms !== undefined)).toBe(true)
  await server.close()
  expect(await descriptors()).toBeLessThanOrEqual(before)
  expect(process.getActiveResourcesInfo().filter((name) => name === 'TCPServerWrap')).toEqual([])
})
