import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type JsonLines, type JsonlOptions, jsonl, openDataset } from '../../../src/datasets/index.ts'
import type { Sample } from '../../../src/datasets/types.ts'
import { type S3Server, startS3Server } from '../../../src/dev/s3/index.ts'
import { openStore } from '../../../src/storage/open.ts'
import { zstdCompressor } from '../../../src/zstd.ts'

const lineOf = (i: number) => JSON.stringify({ text: `line ${i} ${'é'.repeat(i % 7)}`, label: i % 10, score: i / 4 })
const textOf = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => `${lineOf(from + i)}\n`).join('')

let folder: string
const before = process.env.HEADRACE_CACHE_DIR
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'headrace-jsonl-'))
  process.env.HEADRACE_CACHE_DIR = join(folder, 'cache')
})
afterAll(async () => {
  if (before === undefined) delete process.env.HEADRACE_CACHE_DIR
  else process.env.HEADRACE_CACHE_DIR = before
  await rm(folder, { recursive: true })
})
beforeEach(() => rm(join(folder, 'cache'), { recursive: true, force: true }))

async function using<T>(url: string, options: JsonlOptions, use: (lines: JsonLines) => Promise<T>): Promise<T> {
  const lines = await jsonl(url, options)
  try {
    return await use(lines)
  } finally {
    await lines.close()
  }
}

/** Every sample, asked for at once as a batch is. */
const all = (lines: JsonLines, ids?: readonly number[]): Promise<Sample[]> =>
  Promise.all((ids ?? Array.from({ length: lines.length }, (_, id) => id)).map((id) => lines.read(id)))

const bytesOf = (sample: Sample | undefined, name: string): ArrayBuffer =>
  Uint8Array.from(sample?.[name] as Uint8Array).buffer

async function files(name: string, contents: Readonly<Record<string, string | Uint8Array>>): Promise<string> {
  const root = join(folder, name)
  await mkdir(root, { recursive: true })
  for (const [file, content] of Object.entries(contents)) await writeFile(join(root, file), content)
  return root
}

describe('jsonl', () => {
  it('has the lines of all files in the order of their names', async () => {
    const root = await files('plain', {
      'a.jsonl': textOf(0, 3),
      'b.ndjson': `\n${textOf(3, 5).trimEnd()}`,
      'empty.jsonl': '\n\n',
      'notes.txt': 'no line',
      _SUCCESS: '',
    })
    await using(root, {}, async (lines) => {
      expect(lines).toMatchObject({ length: 5, schema: { line: { kind: 'string' } }, randomAccess: true })
      expect(await all(lines)).toEqual([0, 1, 2, 3, 4].map((i) => ({ line: lineOf(i) })))
      expect(await lines.read(4, { fields: [] })).toEqual({})
      expect([0, 3, 4, 5].map((id) => lines.describe(id))).toEqual([
        'a.jsonl: line 0',
        'b.ndjson: line 0',
        'b.ndjson: line 1',
        'sample 5',
      ])
      await expect(lines.read(5)).rejects.toMatchObject({ code: 'E_USAGE' })
    })
  })

  it('has the values of keys, of types that the first lines tell', async () => {
    const root = await files('keys', { 'a.jsonl': textOf(0, 200) })
    await using(root, { fields: ['label', 'text', 'score'] }, async (lines) => {
      expect(lines.schema).toEqual({
        label: { kind: 'number', dtype: 'int64' },
        text: { kind: 'string' },
        score: { kind: 'number', dtype: 'float64' },
      })
      expect(await lines.read(123)).toEqual({ label: 3n, text: 'line 123 éééé', score: 30.75 })
      expect(await lines.read(123, { fields: ['score'] })).toEqual({ score: 30.75 })
      expect(lines.spec).toMatchObject({ kind: 'jsonl', fields: lines.schema })
      const again = await openDataset(JSON.parse(JSON.stringify(lines.spec)))
      expect([again.fingerprint, await again.read(7)]).toEqual([lines.fingerprint, await lines.read(7)])
      await again.close()
    })
  })

  it('has fields as they are asked for: tensors, small numbers, lists as text', async () => {
    const lines = [
      {
        box: [1, 2.5, 3, 4],
        ids: [
          [1, 2],
          [3, 4],
        ],
        tags: ['a', 'b'],
        n: 200,
        ok: true,
      },
      {
        box: [0, 0, 0, 0],
        ids: [
          [5, 6],
          [7, 8],
        ],
        tags: { c: 1 },
        n: 7,
        ok: false,
      },
    ]
    const root = await files('typed', { 'a.jsonl': lines.map((line) => `${JSON.stringify(line)}\n`).join('') })
    const fields = {
      box: { kind: 'tensor', dtype: 'float32', shape: [4] },
      ids: { kind: 'tensor', dtype: 'int64', shape: [2, 2] },
      tags: { kind: 'string' },
      n: { kind: 'number', dtype: 'uint8' },
      ok: { kind: 'number', dtype: 'bool' },
    } as const
    await using(root, { fields }, async (dataset) => {
      const [first, second] = await all(dataset)
      expect([...new Float32Array(bytesOf(first, 'box'))]).toEqual([1, 2.5, 3, 4])
      expect([...new BigInt64Array(bytesOf(second, 'ids'))]).toEqual([5n, 6n, 7n, 8n])
      expect([first?.tags, second?.tags, first?.n, second?.ok]).toEqual(['["a","b"]', '{"c":1}', 200, 0])
    })
    const wrong = { ...fields, ids: { kind: 'tensor', dtype: 'int64', shape: [4] } } as const
    await using(root, { fields: wrong }, (dataset) =>
      expect(dataset.read(1)).rejects.toMatchObject({
        code: 'E_CORRUPT',
        message: 'a.jsonl: line 1: ids must be numbers of shape [4], but it is a list',
        details: { sample: 1, field: 'ids', path: 'a.jsonl: line 1' },
      }),
    )
  })

  it('tells a bad line by file and number, and reads the others', async () => {
    const bad = [
      '{"n":1}',
      '{"n":',
      '[1]',
      '{"m":1}',
      '{"n":"x"}',
      '{"n":1e400}',
      '{"n":9007199254740993}',
      '{"n":null}',
      '{"n":2}',
    ]
    const root = await files('bad', {
      'a.jsonl': Buffer.concat([Buffer.from(`${bad.join('\n')}\n`), Buffer.from([0x7b, 0xff, 0x7d])]),
    })
    await using(root, { fields: { n: { kind: 'number', dtype: 'int64' } } }, async (lines) => {
      const told = await Promise.all(
        Array.from({ length: 10 }, (_, id) => lines.read(id).catch((error) => error.message)),
      )
      expect(told).toEqual([
        { n: 1n },
        'a.jsonl: line 1 is not JSON',
        'a.jsonl: line 2 is JSON, but no object with keys',
        'a.jsonl: line 3 has no key "n"',
        'a.jsonl: line 4: n must be a number of int64, but it is a string',
        'a.jsonl: line 5: n must be a number of int64, but it is Infinity',
        'a.jsonl: line 6: n must be a number of int64, but it is 9007199254740992',
        'a.jsonl: line 7: n must be a number of int64, but it is null',
        { n: 2n },
        'a.jsonl: line 9 is not UTF-8',
      ])
    })
  })

  it.each(['gz', 'zst'])('reads %s files from front to back, in any order within them', async (suffix) => {
    const pack = suffix === 'gz' ? gzipSync : await zstdCompressor()
    const root = await files(`packed-${suffix}`, {
      [`a.jsonl.${suffix}`]: Buffer.concat([pack(Buffer.from(textOf(0, 3000))), pack(Buffer.from(textOf(3000, 4000)))]),
      [`b.json.${suffix}`]: pack(Buffer.from(textOf(4000, 5000))),
    })
    await using(root, {}, async (lines) => {
      expect([lines.length, lines.randomAccess, lines.chunks.count]).toEqual([5000, false, 2])
      const shuffled = Array.from({ length: 5000 }, (_, i) => (i * 2017) % 5000)
      expect(await all(lines, shuffled)).toEqual(shuffled.map((i) => ({ line: lineOf(i) })))
      expect(await lines.read(0)).toEqual({ line: lineOf(0) })
      expect(await lines.read(4999)).toEqual({ line: lineOf(4999) })
    })
    // What is little is read again where it is wanted late.
    await using(root, { bufferBytes: 1 }, async (lines) => {
      for (const id of [3500, 2, 4600, 3999, 0]) expect(await lines.read(id)).toEqual({ line: lineOf(id) })
    })
  })

  it('is cut into runs of some MiB, neighbours that an order may read together', async () => {
    const line = `${JSON.stringify({ text: 'x'.repeat(999_000) })}\n`
    const root = await files('runs', { 'a.jsonl': line.repeat(20), 'b.jsonl': line.repeat(3) })
    await using(root, {}, async ({ chunks }) => {
      expect(Array.from({ length: chunks.count + 1 }, (_, i) => chunks.start(i))).toEqual([0, 9, 18, 20, 23])
    })
  })

  it('keeps its index, and makes another when a file changes', async () => {
    const root = await files('kept', { 'a.jsonl': textOf(0, 10) })
    const indexes = () => readdir(join(folder, 'cache/indexes'))
    const first = await using(root, {}, async ({ fingerprint }) => fingerprint)
    const [kept] = await indexes()
    expect(await using(root, {}, async ({ fingerprint }) => fingerprint)).toBe(first)
    expect(await indexes()).toEqual([kept])
    await writeFile(join(root, 'a.jsonl'), textOf(10, 30))
    await utimes(join(root, 'a.jsonl'), 5, 5)
    await using(root, {}, async (lines) => {
      expect(lines.fingerprint).not.toBe(first)
      expect(await lines.read(19)).toEqual({ line: lineOf(29) })
      await utimes(join(root, 'a.jsonl'), 9, 9)
      await expect(lines.read(19)).rejects.toMatchObject({
        code: 'E_STATE',
        message: 'a.jsonl has changed since it was listed',
        details: { sample: 19 },
      })
    })
    expect(await indexes()).toHaveLength(2)
    const index = join(folder, 'own.index')
    await using(root, { index }, async (lines) => expect(lines.length).toBe(20))
    expect(await readdir(folder)).toContain('own.index')
  })

  it('refuses what makes no sense', async () => {
    const root = await files('refused', { 'a.jsonl': '\n', 'b.jsonl': '{"a":1}\n{"b":1}\n' })
    await expect(jsonl(join(root, 'a.jsonl'))).rejects.toMatchObject({
      code: 'E_USAGE',
      message: expect.stringContaining('there are no lines'),
    })
    await expect(jsonl(root, { include: ['*.txt'] })).rejects.toMatchObject({ code: 'E_NOT_FOUND' })
    await expect(jsonl(root, { fields: ['a'] })).rejects.toMatchObject({
      code: 'E_CORRUPT',
      message: expect.stringContaining('has no key "a"'),
    })
    for (const fields of [
      [],
      {},
      [1],
      { a: { kind: 'image' } },
      { a: { kind: 'number' } },
      { a: { kind: 'tensor', dtype: 'int8' } },
    ])
      await expect(jsonl(root, { fields } as never)).rejects.toMatchObject({ code: 'E_USAGE' })
    const fields = { a: { kind: 'number', dtype: 'float16' } } as const
    await expect(jsonl(root, { fields })).rejects.toMatchObject({ code: 'E_UNSUPPORTED' })
    await expect(jsonl(root, { bufferBytes: 0 })).rejects.toMatchObject({ code: 'E_USAGE' })
    await expect(jsonl(root, { field: ['a'] } as never)).rejects.toMatchObject({ code: 'E_USAGE' })
  })
})

describe('jsonl in a bucket', () => {
  let server: S3Server
  beforeAll(async () => {
    server = await startS3Server()
    process.env.AWS_ENDPOINT_URL = server.url
    process.env.AWS_ACCESS_KEY_ID = 'testkey'
    process.env.AWS_SECRET_ACCESS_KEY = 'testsecret'
  })
  afterAll(() => server.close())

  it('reads neighbours of a batch together', async () => {
    const store = await openStore('s3://lines')
    await store.createContainer?.()
    await store.put('set/a.jsonl', Buffer.from(textOf(0, 1000)))
    await store.close()
    await using('s3://lines/set', {}, async (lines) => {
      const before = server.requests.total
      expect(await all(lines)).toEqual(Array.from({ length: 1000 }, (_, i) => ({ line: lineOf(i) })))
      expect(server.requests.total - before).toBe(1)
    })
  })
})
