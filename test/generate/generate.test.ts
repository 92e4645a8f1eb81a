import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test, vi } from 'vitest'
import { startS3Server } from '../../src/dev/s3/index.ts'
import { recordFormat } from '../../src/formats/records.ts'
import { DataSet, generate, hollowStore, verifyFile } from '../../src/generate/index.ts'
import type { DataSetSpec } from '../../src/generate/types.ts'
import { FileStore } from '../../src/storage/file/file.ts'
import { NullStore } from '../../src/storage/null/null.ts'
import { openStore } from '../../src/storage/open.ts'
import { temporaryFolders } from '../cache/temporary.ts'
import { built } from '../cli/built.ts'
import { failing, listed } from '../storage/conformance.ts'
import { withFaults } from '../storage/wrappers/faults.ts'
import { golden, goldenSpec, setSpec } from './golden.ts'

const temporary = temporaryFolders()
beforeAll(built)

/** Every file and empty folder below a folder, by its path. */
function tree(folder: string): Map<string, Buffer | undefined> {
  const found = new Map<string, Buffer | undefined>()
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    if (entry.isFile()) found.set(path.slice(folder.length + 1), readFileSync(path))
    else if (readdirSync(path).length === 0) found.set(`${path.slice(folder.length + 1)}/`, undefined)
  }
  return new Map([...found].sort(([a], [b]) => (a < b ? -1 : 1)))
}

const hashes = (folder: string) =>
  [...tree(folder)].map(([path, bytes]) => [path, bytes && createHash('sha256').update(bytes).digest('hex')])

/** Sizes that follow from names and shapes alone. */
const FIXED = new Set(['npz', 'npy', 'tfrecord', 'indexed_binary', 'mmap_indexed_binary', 'synthetic', 'hdf5'])

/** Cases that DLIO fails, and the one whose size is a fault of it (docs/dlio.md). */
const UNLIKE = new Set(['hdf5_none_explicit', 'jpeg_dims3', 'idx_collective_1file'])

const cases = Object.entries(golden.sets).filter(([name]) => !UNLIKE.has(name))

describe('generate', () => {
  test.each(cases)('makes the files that DLIO makes: %s', async (_, set) => {
    const folder = await temporary()
    const spec = { ...goldenSpec(set), url: folder }
    for (let rank = 0; rank < set.ranks; rank++) await generate(spec, { rank, size: set.ranks, threads: 1 })
    const made = tree(folder)
    const names = [...set.files.map(([path]) => path), ...set.emptyFolders.map((path) => `${path}/`)]
    expect([...made.keys()]).toEqual(names.sort())
    if (FIXED.has(set.dataset.format) && set.dataset.compression === undefined)
      expect([...made].map(([path, bytes]) => [path, bytes?.length])).toEqual(
        [
          ...set.files.map(([path, size]) => [path, size]),
          ...set.emptyFolders.map((path) => [`${path}/`, undefined]),
        ].sort(([a], [b]) => ((a ?? '') < (b ?? '') ? -1 : 1)),
      )
  })

  const small = (given: Partial<DataSetSpec> = {}) =>
    setSpec({ filesTrain: 12, filesValid: 3, record: { kind: 'length', bytes: 30_000, stdev: 8000 }, ...given })

  test('makes the same bytes on any number of ranks and threads', async () => {
    const [one, threads, ranks] = [await temporary(), await temporary(), await temporary()]
    const report = await generate(small({ url: one }), { threads: 1 })
    expect(report).toMatchObject({ files: 15, written: 15, kept: 0, rank: 0, size: 1, threads: 1, dryRun: false })
    expect(report.bytes).toBe([...tree(one).values()].reduce((sum, bytes) => sum + (bytes?.length ?? 0), 0))
    expect(await generate(small({ url: threads }), { threads: 2 })).toMatchObject({ written: 15, threads: 2 })
    const reports = await Promise.all(
      [0, 1, 2, 3].map((rank) => generate(small({ url: ranks }), { rank, size: 4, threads: 1 })),
    )
    expect(reports.map(({ written }) => written)).toEqual([4, 4, 4, 3])
    expect(hashes(threads)).toEqual(hashes(one))
    expect(hashes(ranks)).toEqual(hashes(one))
  })

  test('keeps what is there and right, and makes again what is not', async () => {
    const folder = await temporary()
    const spec = small({ url: folder })
    await generate(spec, { threads: 1 })
    const expected = hashes(folder)
    const at = (index: number) => join(folder, new DataSet(spec).key(index))
    const before = statSync(at(4)).ino
    rmSync(at(0))
    truncateSync(at(1), 1000)
    writeFileSync(at(2), readFileSync(at(2)).fill(0))
    await generate({ ...spec, seed: 11, filesValid: 0 }, { rank: 3, size: 12, threads: 1, existing: 'replace' })
    const report = await generate(spec, { threads: 1 })
    expect(report).toMatchObject({ written: 4, kept: 11 })
    expect(hashes(folder)).toEqual(expected)
    expect(statSync(at(4)).ino).toBe(before)
    expect(await generate(spec, { threads: 2 })).toMatchObject({ written: 0, kept: 15 })
    expect(await generate(spec, { threads: 1, existing: 'replace' })).toMatchObject({ written: 15, kept: 0 })
    expect(hashes(folder)).toEqual(expected)
  })

  test('makes a file again whose index is missing', async () => {
    const folder = await temporary()
    const spec = small({ url: folder, format: 'tfrecord' })
    await generate(spec, { threads: 1 })
    rmSync(join(folder, 'index/train/img_03_of_12.tfrecord.idx'))
    expect(await generate(spec, { threads: 1 })).toMatchObject({ written: 1, kept: 14 })
    expect(existsSync(join(folder, 'index/train/img_03_of_12.tfrecord.idx'))).toBe(true)
  })

  test('tells beforehand how many files and bytes it will be, and writes nothing', async () => {
    const folder = join(await temporary(), 'set')
    const spec = small({ url: folder })
    const dry = await generate(spec, { dryRun: true, rank: 1, size: 2 })
    expect(existsSync(folder)).toBe(false)
    const one = await generate(spec, { threads: 1, rank: 0, size: 2 })
    const two = await generate(spec, { threads: 1, rank: 1, size: 2 })
    expect(dry).toMatchObject({ dryRun: true, files: 7, bytes: two.bytes, written: 0 })
    expect(dry.total).toEqual({ files: 15, bytes: one.bytes + two.bytes, exact: true })
  })

  test('tells how far it is', async () => {
    const seen: { files: number; bytes: number; totalFiles: number; totalBytes: number }[] = []
    const report = await generate(small({ url: 'null://x' }), {
      threads: 1,
      onProgress: (progress) => seen.push(progress),
    })
    expect(seen.at(-1)).toMatchObject({ files: 15, bytes: report.bytes, totalFiles: 15, totalBytes: report.bytes })
  })

  test('refuses what does not fit, before it writes anything', async () => {
    const folder = join(await temporary(), 'set')
    const spec = setSpec({
      url: folder,
      filesTrain: 100_000,
      record: { kind: 'length', bytes: 1e12, stdev: 0 },
      format: 'npy',
    })
    await expect(generate(spec, { threads: 1 })).rejects.toEqual(failing('E_NO_SPACE', 'do not fit', 'are free'))
    expect(existsSync(folder)).toBe(false)
  })

  test('leaves no part of a file when it is cancelled, and goes on from there', async () => {
    const folder = await temporary()
    const spec = setSpec({ url: folder, filesTrain: 120, record: { kind: 'length', bytes: 3e6, stdev: 0 } })
    for (const threads of [1, 2]) {
      const stop = new AbortController()
      const running = generate(spec, {
        threads,
        signal: stop.signal,
        onProgress: ({ bytes }) => bytes > 10e6 && stop.abort(),
      })
      const cancelled = await running.catch((error: unknown) => error)
      expect(cancelled).toEqual(failing('E_CANCELLED'))
      const sizes = [...tree(folder)].filter(([path]) => path.endsWith('.npz')).map(([, bytes]) => bytes?.length)
      expect(new Set(sizes).size).toBeLessThanOrEqual(1)
      expect([...tree(folder).keys()].filter((path) => path.includes('.tmp'))).toEqual([])
    }
    const report = await generate(spec, { threads: 1 })
    expect(report.kept).toBeGreaterThan(0)
    expect(report.written + report.kept).toBe(120)
  })

  test('ends with the first failure, whose file it names', async () => {
    const folder = await temporary()
    const store = withFaults(new FileStore(folder, { sync: 'never' }), [{ op: 'write', times: 1, code: 'E_NO_SPACE' }])
    await expect(generate(small(), { store })).rejects.toEqual(failing('E_NO_SPACE'))
    expect([...tree(folder).keys()].filter((path) => path.includes('.tmp'))).toEqual([])
    await expect(generate(small({ url: '/proc/1/nowhere' }), { threads: 2 })).rejects.toEqual(
      failing(undefined, '/proc/1'),
    )
  })

  test('ends with what a callback throws', async () => {
    const reason = new Error('enough')
    const onProgress = () => {
      throw reason
    }
    await expect(generate(small({ url: 'null://x' }), { threads: 1, onProgress })).rejects.toBe(reason)
  })

  test('refuses what it does not know', async () => {
    await expect(generate(small(), { thread: 1 } as never)).rejects.toEqual(failing('E_USAGE', '"thread"'))
    await expect(generate(small(), { rank: 2, size: 2 })).rejects.toEqual(failing('E_USAGE', 'rank', '2'))
    await expect(generate(small(), { threads: 2, store: new NullStore('x') })).rejects.toEqual(
      failing('E_USAGE', 'threads'),
    )
    await expect(generate(small({ filesTrain: 0, filesValid: 0 }))).rejects.toEqual(failing('E_CONFIG', 'files'))
    const wrong = small({ format: 'tfrecord', options: { compression: 'lzf' } })
    await expect(generate(wrong)).rejects.toEqual(failing('E_CONFIG', 'compression'))
  })

  test('of a rank that has no files makes the folders and nothing else', async () => {
    const folder = await temporary()
    const spec = setSpec({ url: folder, filesTrain: 2 })
    expect(await generate(spec, { rank: 5, size: 8, threads: 1 })).toMatchObject({ files: 0, written: 0 })
    expect([...tree(folder).keys()]).toEqual(['train/', 'valid/'])
  })
})

describe('generate writes to any store', () => {
  const spec = (url: string) =>
    setSpec({ url, format: 'tfrecord', filesTrain: 9, record: { kind: 'length', bytes: 400_000, stdev: 100_000 } })

  test('around the page cache', async () => {
    const [plain, direct] = [await temporary(), await temporary()]
    await generate(spec(plain), { threads: 1 })
    await generate(spec(`direct://${direct}?fallback=buffered`), { threads: 2 })
    expect(hashes(direct)).toEqual(hashes(plain))
  })

  test('to S3, by threads and ranks, and keeps what is there', async () => {
    const server = await startS3Server()
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'testkey')
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'testsecret')
    try {
      const url = `s3://sets/a/b?endpoint=${server.url}`
      const store = await openStore(url)
      await store.createContainer?.()
      await generate(spec(url), { threads: 2, rank: 0, size: 2 })
      await generate(spec(url), { threads: 1, rank: 1, size: 2 })
      const plain = await temporary()
      await generate(spec(plain), { threads: 1 })
      for (const [path, bytes] of tree(plain))
        if (bytes !== undefined) expect(Buffer.compare((await store.get(path))?.data ?? bytes, bytes), path).toBe(0)
      expect(await listed(store)).toEqual([...tree(plain).keys()].filter((path) => !path.endsWith('/')))
      expect(await generate(spec(url), { threads: 2 })).toMatchObject({ written: 0, kept: 9 })
      expect(await verifyFile(spec(url), 8, store)).toMatchObject({ samples: 1 })
      await store.close()
    } finally {
      vi.unstubAllEnvs()
      await server.close()
    }
  })
})

const everyFormat = [
  'npz',
  'npy',
  'csv',
  'tfrecord',
  'indexed_binary',
  'mmap_indexed_binary',
  'hdf5',
  'png',
  'jpeg',
] as const

describe('verifyFile', () => {
  test.each(everyFormat)('finds what was written, and says which byte is not: %s', async (format) => {
    const folder = await temporary()
    const single = format === 'png' || format === 'jpeg'
    const spec = setSpec({ url: folder, format, filesTrain: 2, samplesPerFile: single ? 1 : 3 })
    await generate(spec, { threads: 1 })
    const store = await openStore(folder)
    const samples = spec.samplesPerFile
    expect(await verifyFile(spec, 1, store)).toEqual({ samples, bytes: samples * 4096 })
    const path = join(folder, new DataSet(spec).key(1))
    const bytes = readFileSync(path)
    const middle = Math.floor(bytes.length / 2)
    bytes[middle] = (bytes[middle] ?? 0) ^ 1
    writeFileSync(path, bytes)
    await expect(verifyFile(spec, 1, store)).rejects.toEqual(failing('E_CORRUPT', 'img_1_of_2'))
    await expect(verifyFile({ ...spec, filesTrain: 3 }, 2, store)).rejects.toEqual(failing('E_NOT_FOUND', 'img_2_of_3'))
  })

  test('knows what columns of Parquet are read as: texts, flags, and those that are read alone', async () => {
    const folder = await temporary()
    const columns = [
      { name: 'text', dtype: 'string', size: 1, read: true },
      { name: 'left', dtype: 'float32', size: 3, read: false },
      { name: 'flag', dtype: 'bool', size: 5, read: true },
      { name: 'raw', dtype: 'binary', size: 7, read: true },
    ]
    const record = { kind: 'length', bytes: 16, stdev: 0 } as const
    const spec = setSpec({
      url: folder,
      format: 'parquet',
      filesTrain: 2,
      samplesPerFile: 30,
      record,
      options: { columns },
    })
    await generate(spec, { threads: 1 })
    const store = await openStore(folder)
    const found = await verifyFile(spec, 1, store)
    expect(found.samples).toBe(30)
    // `text_` and up to ten digits, five flags, seven bytes.
    expect(found.bytes).toBeGreaterThan(30 * (5 + 8 + 5 + 7))
    expect(found.bytes).toBeLessThanOrEqual(30 * (5 + 10 + 5 + 7))
    const all = columns.map((column) => ({ ...column, read: true }))
    expect((await verifyFile({ ...spec, options: { columns: all } }, 0, store)).samples).toBe(30)
    await expect(verifyFile({ ...spec, seed: 11 }, 0, store)).rejects.toMatchObject({
      code: 'E_CORRUPT',
      details: { key: 'train/img_0_of_2.parquet', sample: 0, offset: expect.any(Number) },
    })
  })

  test('tells content of another seed', async () => {
    const folder = await temporary()
    const spec = setSpec({ url: folder, format: 'tfrecord', samplesPerFile: 2 })
    await generate(spec, { threads: 1 })
    const store = await openStore(folder)
    await expect(verifyFile({ ...spec, seed: 11 }, 0, store)).rejects.toMatchObject({
      code: 'E_CORRUPT',
      details: { key: 'train/img_0_of_8.tfrecord', sample: 0, offset: 0 },
    })
  })
})

describe('a hollow store', () => {
  test.each(everyFormat.filter((format) => format !== 'png' && format !== 'jpeg' && format !== 'csv'))(
    'has the names and sizes of the files, and readers read zeros from them: %s',
    async (name) => {
      const folder = await temporary()
      const spec = setSpec({
        url: folder,
        format: name,
        filesTrain: 12,
        filesValid: 2,
        subfoldersTrain: 3,
        samplesPerFile: 2,
        record: { kind: 'length', bytes: 16384, stdev: 4096 },
      })
      await generate(spec, { threads: 1 })
      const store = await hollowStore(spec)
      const real = await openStore(folder)
      expect(await listed(store)).toEqual(await listed(real))
      for (const key of await listed(real))
        expect((await store.head(key))?.size, key).toBe((await real.head(key))?.size)
      const set = new DataSet(spec)
      const format = await recordFormat(name)
      const { openStored } = await import('../../src/generate/open-stored.ts')
      const reader = await openStored(set, format, store, 5)
      const into = new Uint8Array(set.recordBytes(5)).fill(1)
      expect(await reader.read(1, into)).toBe(into.length)
      expect(into.every((byte) => byte === 0)).toBe(true)
      await reader.close()
    },
  )
})
