import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { built, headrace, ROOT, spawnHeadrace } from './built.ts'

const S3DLIO = join(ROOT, 'test/fixtures/oplog/s3dlio.tsv.zst')

let folder: string
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'headrace-cli-oplog-'))
  await built()
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('headrace oplog summary', () => {
  it('prints a row an operation, and the errors', async () => {
    const { code, stdout, stderr } = await headrace('oplog', 'summary', S3DLIO)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(
      stdout,
    ).toBe(`operation      count  failed   bytes  ops/s     bytes/s      p50      p90      p99    p99.9      max
GET                2       1   1 MiB  90.91  90.9 MiB/s     4 ms     4 ms     4 ms     4 ms     4 ms
DELETE             1       0     0 B  333.3       0 B/s     3 ms     3 ms     3 ms     3 ms     3 ms
DELETE_PREFIX      1       0     0 B    100       0 B/s    10 ms    10 ms    10 ms    10 ms    10 ms
GET_RANGE          1       0  64 KiB  666.7  41.7 MiB/s   1.5 ms   1.5 ms   1.5 ms   1.5 ms   1.5 ms
HEAD               1       0   1 MiB  1,429   1.4 GiB/s   700 us   700 us   700 us   700 us   700 us
LIST               1       0     0 B    500       0 B/s     2 ms     2 ms     2 ms     2 ms     2 ms
PUT                1       0   1 MiB     80    80 MiB/s  12.5 ms  12.5 ms  12.5 ms  12.5 ms  12.5 ms

operation  failed  error
GET             1  service error: "…"

log   ${S3DLIO}
time  1.003 s from 2026-03-01T10:00:00.000Z, 2 workers
`)
  })

  it('gives one JSON document and a plot', async () => {
    const plot = join(folder, 'latency.svg')
    const { code, stdout } = await headrace('oplog', 'summary', S3DLIO, '--json', '--plot', plot)
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({
      path: S3DLIO,
      cutOff: false,
      count: 8,
      failed: 1,
      ops: [{ op: 'GET' }, {}, {}, {}, {}, {}, {}],
    })
    expect(readFileSync(plot, 'utf8')).toMatch(/^<svg .*s3dlio\.tsv\.zst: 8 operations in 1\.0 s/s)
  })

  it('says in one line what is no log, and what is no plot', async () => {
    const { code, stderr } = await headrace('oplog', 'summary', join(ROOT, 'package.json'))
    expect(code).toBe(1)
    expect(stderr).toBe(`headrace: ${join(ROOT, 'package.json')}, line 1: not JSON: "{" [E_CORRUPT]\n`)
    expect((await headrace('oplog', 'summary', S3DLIO, '--plot', 'x.pdf')).code).toBe(2)
    expect((await headrace('oplog', 'summary', join(folder, 'none'))).stderr).toContain('[E_NOT_FOUND]')
  })
})

describe('headrace oplog replay', () => {
  it('says what it would do, and does it', async () => {
    const to = join(folder, 'target')
    const dry = await headrace('oplog', 'replay', S3DLIO, '--to', to, '--dry-run', '--ops', 'put,list')
    expect(dry).toMatchObject({ code: 0, stderr: '' })
    expect(dry.stdout).toBe(`log         ${S3DLIO}
operations  1 PUT, 1 LIST
keys        bench/set/… becomes ${to}/…
left out    2 GET: not asked for
            1 GET_RANGE: not asked for
            1 HEAD: not asked for
            1 DELETE_PREFIX: not among what can be replayed
            1 DELETE: not asked for
time        0.020 s
bytes       0 B read, 1 MiB written
`)
    expect(await readdir(folder)).not.toContain('target')
    const log = join(folder, 'replayed.tsv.zst')
    const { code, stdout } = await headrace(
      'oplog',
      'replay',
      S3DLIO,
      '--to',
      to,
      '--ops',
      'PUT,LIST',
      '--speed',
      '0.5',
      '--json',
      '--op-log',
      log,
    )
    expect(code).toBe(0)
    const report = JSON.parse(stdout)
    expect(report).toMatchObject({
      to: `file://${to}`,
      speed: 0.5,
      plannedSeconds: 0.04,
      plan: { operations: { PUT: 1, LIST: 1 } },
      summary: { count: 2, failed: 0 },
    })
    expect(await readdir(join(to, 'a'))).toEqual(['0001.bin'])
    expect((await headrace('oplog', 'summary', log)).stdout).toContain('PUT')
  })

  it('ends with 3 where operations failed, and with 2 where it was told nonsense', async () => {
    const { code, stdout } = await headrace(
      'oplog',
      'replay',
      S3DLIO,
      '--to',
      'mem://x',
      '--ops',
      'GET,HEAD',
      '--speed',
      'max',
    )
    expect(code).toBe(3)
    expect(stdout).toMatch(/GET +1 +E_NOT_FOUND/)
    for (const wrong of [['--speed', '0'], ['--speed', 'fast'], ['--ops', 'GET,FOO'], ['--concurrency', '0'], []])
      expect(
        (await headrace('oplog', 'replay', S3DLIO, ...(wrong.length === 0 ? [] : ['--to', 'mem://x']), ...wrong)).code,
      ).toBe(2)
    expect((await headrace('oplog', 'replay', S3DLIO, '--to', 'gopher://x')).stderr).toContain('[E_UNSUPPORTED]')
  })
})

describe('headrace bench storage', () => {
  const target = () => join(folder, 'bench')

  it('prints JSON of fixed keys, with threads of their own', async () => {
    const log = join(folder, 'bench.tsv.zst')
    const { code, stdout, stderr } = await headrace(
      ...['bench', 'storage', target(), '--op', 'get', '--size', '4KiB', '--objects', '50', '--concurrency', '6'],
      ...['--duration', '0.3', '--warmup', '0.1', '--workers', '2', '--op-log', log, '--json'],
    )
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const report = JSON.parse(stdout)
    expect(Object.keys(report)).toEqual([
      'op',
      'url',
      'concurrency',
      'workers',
      'objects',
      'bytes',
      'seconds',
      'opsPerSecond',
      'bytesPerSecond',
      'latencyMs',
      'firstByteMs',
      'cpuSecondsPerOp',
      'cpuSecondsPerGiB',
      'peakRssBytes',
      'errors',
    ])
    expect(Object.keys(report.latencyMs)).toEqual(['p50', 'p90', 'p99', 'p999', 'max'])
    expect(report).toMatchObject({
      op: 'get',
      url: `file://${target()}`,
      concurrency: 6,
      workers: 2,
      objects: 50,
      errors: {},
    })
    const summary = JSON.parse((await headrace('oplog', 'summary', log, '--json')).stdout)
    expect(summary).toMatchObject({ failed: 0, workers: 2, bytes: report.bytes })
    expect(summary.count * 4096).toBe(report.bytes)
    expect(await readdir(target())).toEqual([])
  })

  it('prints what people want to know', async () => {
    const { code, stdout } = await headrace(
      'bench',
      'storage',
      'mem://x',
      '--op',
      'put',
      '--duration',
      '0.1',
      '--warmup',
      '0',
      '--objects',
      '5',
    )
    expect(code).toBe(0)
    expect(stdout).toMatch(
      /^ +p50 +p90 +p99 +p99\.9 +max\nlatency .* [mu]?s\n\nstore +mem:\/\/x\nmeasured +put of 5 objects of 128 KiB, 32 at once, 1 worker, \d\.\d\d s\noperations +[\d,.]+\/s\nthroughput +[\d.]+ [KMG]iB\/s\nCPU +[\d,.]+ us an operation, [\d.]+ s a GiB\n5 GB\/s +needs [\d.]+ cores like these, by CPU, at this object size\npeak memory +[\d.]+ MiB\n$/,
    )
  })

  it('deletes with threads what there is', async () => {
    const { code, stdout } = await headrace(
      'bench',
      'storage',
      target(),
      '--op',
      'delete',
      '--size',
      '10',
      '--objects',
      '300',
      '--concurrency',
      '8',
      '--workers',
      '2',
      '--json',
    )
    expect(code).toBe(0)
    const { opsPerSecond, seconds } = JSON.parse(stdout)
    expect(Math.round(opsPerSecond * seconds)).toBe(300)
  })

  it('tells in one line what cannot be, from threads too', async () => {
    const run = (...args: string[]) => headrace('bench', 'storage', ...args)
    expect(await run('mem://x', '--op', 'get', '--workers', '2')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('[E_UNSUPPORTED]'),
    })
    expect((await run('mem://x')).code).toBe(2)
    expect((await run('mem://x', '--op', 'get', '--size', '5X')).code).toBe(2)
    const unwritable = await run(
      target(),
      '--op',
      'get',
      '--objects',
      '2',
      '--workers',
      '2',
      '--op-log',
      join(folder, 'no/such.tsv'),
    )
    expect(unwritable).toMatchObject({ code: 1, stdout: '' })
    expect(unwritable.stderr).toContain('[E_NOT_FOUND]')
    expect(await readdir(target())).toEqual([])
  })

  it.each(['mixed', 'put'])('cleans up %s when it is interrupted, with and without threads', async (op) => {
    for (const workers of ['1', '2']) {
      const child = spawnHeadrace(
        'bench',
        'storage',
        target(),
        '--op',
        op,
        '--size',
        '100',
        '--objects',
        '20',
        '--workers',
        workers,
        '--duration',
        '1000',
        '--progress',
      )
      let stderr = ''
      child.stderr.on('data', (data) => {
        stderr += data
      })
      while (!stderr.includes('measuring') && child.exitCode === null) await sleep(20)
      // As npm passes it on: the terminal has sent it already.
      child.kill('SIGINT')
      await sleep(20)
      child.kill('SIGINT')
      const [code] = (await once(child, 'close')) as [number]
      expect(code).toBe(130)
      expect(await readdir(target())).toEqual([])
    }
  })
})
