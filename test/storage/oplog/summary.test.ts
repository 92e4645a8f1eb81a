import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Histogram } from '../../../src/histogram.ts'
import { formatLatency, latencySvg, writeLatencyPlot } from '../../../src/storage/oplog/plot.ts'
import { OpLogReader } from '../../../src/storage/oplog/reader.ts'
import { errorKind, OpLogTotals } from '../../../src/storage/oplog/summary.ts'
import type { OpRecord } from '../../../src/storage/oplog/types.ts'
import { failing } from '../conformance.ts'

const FIXTURES = fileURLToPath(new URL('../../fixtures/oplog/', import.meta.url))

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'headrace-summary-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const record = (over: Partial<OpRecord>): OpRecord => ({
  worker: 0,
  op: 'GET',
  objects: 1,
  bytes: 1000,
  endpoint: '',
  url: 'mem://x/k',
  start: 0,
  end: 1,
  ...over,
})

function totalsOf(records: Iterable<OpRecord>): OpLogTotals {
  const totals = new OpLogTotals()
  for (const each of records) totals.add(each)
  return totals
}

describe('the summary of an op-log', () => {
  test('has counts, bytes, rates and percentiles of every operation', () => {
    const gets = Array.from({ length: 1000 }, (_, i) =>
      record({ worker: i % 4, start: 1000 + i, firstByte: 1000 + i + (i + 1) / 10, end: 1000 + i + (i + 1) / 4 }),
    )
    const puts = [
      record({ op: 'PUT', start: 0, end: 500 }),
      record({ op: 'PUT', start: 0, end: 1, error: 'E_ACCESS: no', bytes: 0 }),
    ]
    expect(totalsOf([...gets, ...puts]).summary()).toEqual({
      count: 1002,
      failed: 1,
      bytes: 1_001_000,
      workers: 4,
      start: '1970-01-01T00:00:00.000Z',
      seconds: 2.249,
      ops: [
        {
          op: 'GET',
          count: 1000,
          failed: 0,
          errors: {},
          messages: {},
          objects: 1000,
          bytes: 1_000_000,
          seconds: 1.249,
          opsPerSecond: 1000 / 1.249,
          bytesPerSecond: 1e6 / 1.249,
          latencyMs: { p50: 125, p90: 225, p99: 247.5, p999: 249.75, max: 250 },
          firstByteMs: { p50: 50, p90: 90, p99: 99, p999: expect.closeTo(99.9), max: 100 },
        },
        {
          op: 'PUT',
          count: 2,
          failed: 1,
          errors: { E_ACCESS: 1 },
          messages: { E_ACCESS: 'no' },
          objects: 1,
          bytes: 1000,
          seconds: 0.5,
          opsPerSecond: 2,
          bytesPerSecond: 2000,
          latencyMs: { p50: 500, p90: 500, p99: 500, p999: 500, max: 500 },
          firstByteMs: null,
        },
      ],
    })
  })

  test('of nothing is nothing', () => {
    expect(totalsOf([]).summary()).toEqual({
      count: 0,
      failed: 0,
      bytes: 0,
      workers: 0,
      start: null,
      seconds: 0,
      ops: [],
    })
  })

  test('of what failed only has no latencies, and of one instant no rate', () => {
    const [op] = totalsOf([record({ error: 'x', end: 0 })]).summary().ops
    expect(op).toMatchObject({ latencyMs: null, opsPerSecond: 0, bytesPerSecond: 0, seconds: 0, errors: { x: 1 } })
  })

  test('counts errors by kind: a code of ours, or the first line without what differs each time', () => {
    expect(errorKind('E_NETWORK: cannot reach 10.0.0.1')).toBe('E_NETWORK')
    expect(errorKind('Get "http://10.0.0.2:9000/b/x": dial tcp: refused (attempt 3)\nmore')).toBe(
      'Get "…": dial tcp: refused (attempt #)',
    )
    expect(errorKind(`status ${'x'.repeat(5000)}`)).toHaveLength(80)
    const many = Array.from({ length: 500 }, (_, i) => record({ error: `kind ${String.fromCharCode(256 + i)}` }))
    const errors = totalsOf(many).summary().ops[0]?.errors ?? {}
    expect(Object.keys(errors)).toHaveLength(101)
    expect(errors.other).toBe(400)
  })

  test('does not grow with names that somebody made up', () => {
    const totals = totalsOf(Array.from({ length: 5000 }, (_, i) => record({ op: `OP${i}` })))
    const { ops, count } = totals.summary()
    expect([ops.length, count, ops[0]?.op, ops[0]?.count]).toEqual([65, 5000, 'other', 4936])
  })

  test('of the logs of s3dlio and warp is what their rows say', async () => {
    const read = async (name: string) => {
      const totals = new OpLogTotals()
      for await (const batch of new OpLogReader(join(FIXTURES, name)).batches())
        for (const each of batch) totals.add(each)
      return totals.summary()
    }
    const s3dlio = await read('s3dlio.tsv.zst')
    expect(s3dlio).toMatchObject({
      count: 8,
      failed: 1,
      bytes: 3_211_264,
      workers: 2,
      seconds: 1.003,
      start: '2026-03-01T10:00:00.000Z',
    })
    expect(s3dlio.ops.map(({ op, count }) => [op, count])).toEqual([
      ['GET', 2],
      ['DELETE', 1],
      ['DELETE_PREFIX', 1],
      ['GET_RANGE', 1],
      ['HEAD', 1],
      ['LIST', 1],
      ['PUT', 1],
    ])
    expect(s3dlio.ops[0]).toMatchObject({ errors: { 'service error: "…"': 1 }, latencyMs: { p50: 4, max: 4 } })
    const warp = await read('warp.csv.zst')
    expect(warp).toMatchObject({ count: 5, failed: 1, bytes: 20_971_520, workers: 2 })
    expect(warp.ops[0]).toMatchObject({ op: 'GET', latencyMs: { p50: 50 }, firstByteMs: { p50: 5 } })
    expect(warp.ops[1]).toMatchObject({ op: 'DELETE', objects: 3 })
  })
})

describe('the plot', () => {
  const histogram = (values: readonly number[]) => {
    const made = new Histogram()
    for (const value of values) made.record(value)
    return made
  }
  const plot = {
    title: 'Latency <by> operation & "more"\u0001',
    subtitle: 'run.tsv',
    rows: [
      { op: 'GET', latency: histogram([1.5, 1.5, 1.5, 20]), notes: ['4 operations'] },
      { op: 'PUT', latency: histogram([0.25]), notes: [] },
      { op: 'NONE', latency: histogram([]), notes: [] },
    ],
  }

  test('has a row an operation on one logarithmic axis, with its percentiles', () => {
    const svg = latencySvg(plot)
    expect(svg).toContain('Latency &#60;by&#62; operation &#38; &#34;more&#34;\ufffd')
    const texts = [...svg.matchAll(/<text[^>]*>([^<]*)<\/text>/g)].map(([, text]) => text)
    expect(texts).toEqual(
      expect.arrayContaining([
        'GET',
        'PUT',
        '4 operations',
        'p50 1.5 ms',
        'p99 20 ms',
        '100 us',
        '1 ms',
        '10 ms',
        '100 ms',
      ]),
    )
    expect(texts).not.toContain('NONE')
    // Three decades over 726 pixels from 150 on: 1.5 ms is 1.176 decades past 100 us.
    expect(svg).toContain(`<line x1="${Number((150 + (726 * Math.log10(15)) / 3).toFixed(2))}"`)
    // Three in a bar of full height, one of a third.
    const bars = [...svg.matchAll(/<rect x="[\d.]+" y="[\d.]+" width="[\d.]+" height="([\d.]+)"\/>/g)].map(
      ([, height]) => height,
    )
    expect(bars).toEqual(['96', '32', '96'])
    expect(latencySvg(plot)).toBe(svg)
  })

  test('of nothing says so', () => {
    expect(latencySvg({ ...plot, rows: [] })).toContain('no operation that succeeded')
  })

  test('is a file of SVG or PNG by its name', async () => {
    await writeLatencyPlot(join(folder, 'a.svg'), plot)
    expect(readFileSync(join(folder, 'a.svg'), 'utf8')).toBe(latencySvg(plot))
    await writeLatencyPlot(join(folder, 'a.PNG'), plot)
    const { format, width, height } = await sharp(join(folder, 'a.PNG')).metadata()
    expect({ format, width, height }).toEqual({ format: 'png', width: 1800, height: 748 })
    await expect(writeLatencyPlot(join(folder, 'a.pdf'), plot)).rejects.toEqual(
      failing('E_USAGE', '.svg or .png', 'a.pdf'),
    )
    await expect(writeLatencyPlot(join(folder, 'no/a.svg'), plot)).rejects.toEqual(failing('E_NOT_FOUND', 'no/a.svg'))
  })

  test('says times in three digits and a fitting unit', () => {
    expect([0.0004, 0.25, 0.9996, 1.234, 999.4, 999.6, 61_000].map(formatLatency)).toEqual([
      '0.4 us',
      '250 us',
      '1 ms',
      '1.23 ms',
      '999 ms',
      '1 s',
      '61 s',
    ])
  })
})
