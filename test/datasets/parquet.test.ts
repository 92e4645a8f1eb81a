import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openDataset, type ParquetOptions, type ParquetRows, parquet } from '../../src/datasets/index.ts'
import type { Value } from '../../src/datasets/types.ts'
import { type S3Server, startS3Server } from '../../src/dev/s3/index.ts'
import { openStore } from '../../src/storage/open.ts'
import { failing } from '../storage/conformance.ts'
import { type RecordingProxy, recordingProxy } from './recording-proxy.ts'

const fixtures = fileURLToPath(new URL('../fixtures/parquet', import.meta.url))

/** What PyArrow reads: integers and bytes as text. */
interface GoldenRow {
  readonly [column: string]: unknown
}
interface GoldenGroup {
  readonly file: number
  readonly rows: number
  /** First byte and bytes of each column. */
  readonly columns: Readonly<Record<string, readonly [number, number]>>
}
const { rows, groups } = JSON.parse(readFileSync(join(fixtures, 'rows.json'), 'utf8')) as {
  rows: readonly GoldenRow[]
  groups: readonly GoldenGroup[]
}

const folder = mkdtempSync(join(tmpdir(), 'headrace-parquet-'))
beforeAll(() => {
  process.env.HEADRACE_CACHE_DIR = join(folder, 'cache')
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function using<T>(
  url: string,
  options: ParquetOptions,
  use: (dataset: ParquetRows) => T | Promise<T>,
): Promise<T> {
  const dataset = await parquet(url, options)
  try {
    return await use(dataset)
  } finally {
    await dataset.close()
  }
}

const hex = (value: Value | undefined) => Buffer.from(value as Uint8Array).toString('hex')
const own = (value: Value | undefined) => (value as Uint8Array).slice().buffer

/** float16 by its bits: the values here are exact and not below 2^-14, but for 0. */
function half(bits: number): number {
  return bits === 0 ? 0 : 2 ** (((bits >> 10) & 31) - 15) * (1 + (bits & 1023) / 1024)
}

const ids = Array.from({ length: 70 }, (_, i) => (i * 37) % 70)

describe('rows of Parquet files', () => {
  it('are what PyArrow reads, in any order', async () => {
    await using(
      fixtures,
      {
        columns: [
          'id',
          'label',
          'small',
          'signed',
          'big',
          'flag',
          'half',
          'score',
          'exact',
          'text',
          'blob',
          'four',
          'ids',
          'image',
          'uuid',
          'day',
        ],
      },
      async (dataset) => {
        expect(dataset.length).toBe(70)
        expect(dataset.schema).toEqual({
          id: { kind: 'number', dtype: 'int64' },
          label: { kind: 'number', dtype: 'int32' },
          small: { kind: 'number', dtype: 'uint8' },
          signed: { kind: 'number', dtype: 'int16' },
          big: { kind: 'number', dtype: 'uint64' },
          flag: { kind: 'number', dtype: 'bool' },
          half: { kind: 'tensor', dtype: 'float16', shape: [] },
          score: { kind: 'number', dtype: 'float32' },
          exact: { kind: 'number', dtype: 'float64' },
          text: { kind: 'string' },
          blob: { kind: 'bytes' },
          four: { kind: 'tensor', dtype: 'float32', shape: [4] },
          ids: { kind: 'bytes' },
          'image.bytes': { kind: 'bytes' },
          'image.path': { kind: 'string' },
          uuid: { kind: 'tensor', dtype: 'uint8', shape: [4] },
          day: { kind: 'number', dtype: 'int32' },
        })
        for (const id of ids) {
          const row = await dataset.read(id)
          const wanted = rows[id] as GoldenRow
          expect([row.id, row.big]).toEqual([BigInt(wanted.id as string), BigInt(wanted.big as string)])
          expect([row.label, row.small, row.signed].map(String)).toEqual([wanted.label, wanted.small, wanted.signed])
          expect([row.flag, row.day]).toEqual([wanted.flag === true ? 1 : 0, id])
          expect([row.score, row.exact, row.text]).toEqual([wanted.score, wanted.exact, wanted.text])
          expect(half(new Uint16Array(own(row.half))[0] ?? 0)).toBe(wanted.half)
          expect([hex(row.blob), hex(row.uuid)]).toEqual([wanted.blob, wanted.uuid])
          expect([...new Float32Array(own(row.four))]).toEqual(wanted.four)
          expect([...new BigInt64Array(own(row.ids))].map(String)).toEqual(wanted.ids)
          expect({ bytes: hex(row['image.bytes']), path: row['image.path'] }).toEqual(wanted.image)
        }
        expect(dataset.describe(55)).toBe('part-1.parquet: row 5 of row group 0')
      },
    )
  })

  it('have row groups as chunks', async () => {
    await using(fixtures, { columns: ['id'] }, ({ chunks }) => {
      expect(Array.from({ length: chunks.count + 1 }, (_, i) => chunks.start(i))).toEqual([0, 20, 40, 50, 70])
    })
  })

  it('have all columns that a field holds; lists of texts are none', async () => {
    await using(fixtures, {}, ({ schema }) => {
      expect(schema.tags).toBeUndefined()
      expect(Object.keys(schema)).toHaveLength(18)
    })
    await expect(parquet(fixtures, { columns: ['tags'] })).rejects.toEqual(failing('E_UNSUPPORTED', '"tags"'))
    await expect(parquet(fixtures, { columns: ['nope'] })).rejects.toEqual(failing('E_USAGE', '"nope"', 'there are id'))
    await expect(parquet(fixtures, { columns: [] })).rejects.toEqual(failing('E_USAGE', 'columns'))
  })

  it('are pictures where the options say so', async () => {
    await using(fixtures, { columns: ['image.bytes'], types: { 'image.bytes': 'image' } }, ({ schema }) =>
      expect(schema).toEqual({ 'image.bytes': { kind: 'image' } }),
    )
    await expect(parquet(fixtures, { columns: ['id'], types: { id: 'image' } })).rejects.toEqual(
      failing('E_USAGE', 'cannot be image'),
    )
    await expect(parquet(fixtures, { columns: ['id'], types: { label: 'bytes' } })).rejects.toEqual(
      failing('E_USAGE', '"label"'),
    )
  })

  it('that hold null are errors of their samples, or filled', async () => {
    await using(fixtures, { columns: ['maybe', 'id'] }, async (dataset) => {
      expect((await dataset.read(3)).maybe).toBe(3)
      await expect(dataset.read(7)).rejects.toMatchObject({
        code: 'E_UNSUPPORTED',
        message: 'part-0.parquet: column maybe is null',
        details: { sample: 7, field: 'maybe' },
      })
      expect((await dataset.read(7, { fields: ['id'] })).id).toBe(1_000_000_000_007n)
    })
    await using(fixtures, { columns: ['maybe'], nulls: 'fill' }, async (dataset) => {
      expect([(await dataset.read(7)).maybe, (await dataset.read(8)).maybe]).toEqual([Number.NaN, 8])
    })
  })

  it('keep decoded row groups up to a bound', async () => {
    await using(fixtures, { columns: ['id', 'text'], cacheBytes: 1000 }, async (dataset) => {
      for (const id of [0, 25, 45, 65, 1, 26]) {
        expect((await dataset.read(id)).id).toBe(BigInt(rows[id]?.id as string))
        expect(dataset.cachedBytes).toBeLessThanOrEqual(1000)
      }
      const together = await Promise.all(ids.map((id) => dataset.read(id)))
      expect(together.map(({ text }) => text)).toEqual(ids.map((id) => rows[id]?.text))
      expect(dataset.cachedBytes).toBeLessThanOrEqual(1000)
    })
  })

  it('of files whose columns differ are refused', async () => {
    const set = join(folder, 'differ')
    mkdirSync(set)
    copyFileSync(join(fixtures, 'part-0.parquet'), join(set, 'a.parquet'))
    copyFileSync(
      fileURLToPath(new URL('../fixtures/dlio/pq_cols/img_0_of_4.parquet', import.meta.url)),
      join(set, 'b.parquet'),
    )
    await expect(parquet(set)).rejects.toEqual(failing('E_CORRUPT', 'b.parquet', '"id"', 'not there'))
    writeFileSync(join(set, 'b.parquet'), 'PAR1 no file PAR1')
    await expect(parquet(set)).rejects.toEqual(failing('E_CORRUPT', 'b.parquet'))
  })

  it('are opened again by their spec', async () => {
    const dataset = await parquet(fixtures, { columns: ['label', 'image'], nulls: 'fill', cacheBytes: 5000 })
    const again = await openDataset(JSON.parse(JSON.stringify(dataset.spec)))
    expect([again.fingerprint, again.schema]).toEqual([dataset.fingerprint, dataset.schema])
    expect((await again.read(69)).label).toBe(Number(rows[69]?.label))
    await Promise.all([dataset.close(), again.close()])
  })
})

describe('rows in a bucket', () => {
  let server: S3Server
  let proxy: RecordingProxy
  beforeAll(async () => {
    server = await startS3Server()
    proxy = await recordingProxy(server.url)
    process.env.AWS_ENDPOINT_URL = proxy.url
    process.env.AWS_ACCESS_KEY_ID = 'testkey'
    process.env.AWS_SECRET_ACCESS_KEY = 'testsecret'
    const store = await openStore('s3://rows')
    await store.createContainer?.()
    for (const name of ['part-0.parquet', 'part-1.parquet'])
      await store.put(`set/${name}`, readFileSync(join(fixtures, name)))
    await store.close()
  })
  afterAll(async () => {
    await proxy.close()
    await server.close()
  })

  it('fetch the ranges of the columns that are read and no others, once a row group', async () => {
    await using('s3://rows/set', { columns: ['label', 'exact', 'text'] }, async (dataset) => {
      const range = (group: number, column: string) => {
        const [first, bytes] = groups[group]?.columns[column] ?? [0, 0]
        return [first, first + bytes - 1]
      }
      // the footer of the first file
      await dataset.read(0, { fields: ['label'] })
      proxy.gets.length = 0
      await dataset.read(21, { fields: ['label', 'text'] })
      expect(proxy.gets.map((get) => get.range).sort((a, b) => (a?.[0] ?? 0) - (b?.[0] ?? 0))).toEqual([
        range(1, 'label'),
        range(1, 'text'),
      ])
      expect(proxy.gets.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(
        (groups[1]?.columns.label?.[1] ?? 0) + (groups[1]?.columns.text?.[1] ?? 0),
      )
      proxy.gets.length = 0
      await Promise.all([22, 39, 30].map((id) => dataset.read(id)))
      // label and text are at hand; exact and text lie side by side, exact alone is missing
      expect(proxy.gets.map((get) => get.range)).toEqual([range(1, 'exact')])
    })
  })

  it('read no footer at the start once the index is there', async () => {
    await using('s3://rows/set', {}, () => {})
    proxy.gets.length = 0
    await using('s3://rows/set', { columns: ['id'] }, ({ length }) => expect(length).toBe(70))
    expect(proxy.gets).toEqual([])
  })
})
