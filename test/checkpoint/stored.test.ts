import { execFile, execFileSync } from 'node:child_process'
import { mkdtemp, open, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  type CheckpointFile,
  type CheckpointProgress,
  checkpointFiles,
  loadCheckpoint,
  recoveryRank,
  saveCheckpoint,
} from '../../src/checkpoint/index.ts'
import { FileStore } from '../../src/storage/file/file.ts'
import { MemoryStore } from '../../src/storage/memory.ts'
import { failing } from '../storage/conformance.ts'
import { canMount } from '../tmpfs.ts'
import { goldenRun, specOf } from './golden.ts'

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'headrace-checkpoint-test-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

const run = goldenRun('ck_z3_dp2')
const spec = specOf(run)
const filesOf = (rank: number) => checkpointFiles(spec, rank, run.ranks)

interface Entry {
  readonly dtype: string
  readonly shape: readonly number[]
  readonly data_offsets: readonly [number, number]
}

/** A reader written from docs/formats/checkpoint.md alone. */
async function parsed(path: string) {
  const bytes = await readFile(path)
  const length = Number(bytes.readBigUInt64LE(0))
  const header = JSON.parse(bytes.toString('utf8', 8, 8 + length)) as Record<string, Entry>
  return { header, aligned: (8 + length) % 4096 === 0, data: bytes.subarray(8 + length) }
}

const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0)

describe('saved and loaded', () => {
  test('each rank writes its files, with exactly the bytes of the tensors behind a header of whole pages', async () => {
    for (const rank of [0, 1]) {
      const files = filesOf(rank)
      const report = await saveCheckpoint({ url: dir, files })
      expect(report.files).toBe(2)
      expect(report.bytes).toBe(sum(files.map(({ bytes }) => bytes)))
      expect(report.storedBytes).toBe(report.bytes + 2 * 4096)
      expect(report.gibPerSecond).toBeCloseTo(report.bytes / 2 ** 30 / report.seconds, 9)
      expect(await loadCheckpoint({ url: dir, files, verify: 'noise' })).toMatchObject({
        files: 2,
        bytes: report.bytes,
        storedBytes: report.storedBytes,
      })
    }
    const folder = join(dir, 'global_epoch1_step1')
    expect((await readdir(folder)).sort()).toEqual(
      run.files.filter((name) => name.startsWith('global_epoch1_step1/')).map((name) => name.split('/')[1]),
    )
    const { header, aligned, data } = await parsed(join(folder, 'zero_pp_rank_1_mp_rank_0_model_states.pt'))
    expect(aligned).toBe(true)
    expect(Object.keys(header).length).toBe(33)
    expect(header['0.0']).toEqual({ dtype: 'F16', shape: [16384], data_offsets: [0, 32768] })
    expect(header['7.0']).toEqual({ dtype: 'F16', shape: [32], data_offsets: [296576, 296640] })
    expect(data.length).toBe(296640)
  })

  test('a rank that has no files saves and loads nothing', async () => {
    const files = checkpointFiles(specOf(goldenRun('ck_z0_dp2')), 1, 2)
    const nothing = { files: 0, bytes: 0, storedBytes: 0, gibPerSecond: 0 }
    expect(await saveCheckpoint({ url: dir, files })).toMatchObject(nothing)
    expect(await loadCheckpoint({ url: dir, files })).toMatchObject(nothing)
    expect(await readdir(dir)).toEqual([])
  })

  test("after a shift each rank reads its neighbour's files", async () => {
    for (const rank of [0, 1]) await saveCheckpoint({ url: dir, files: filesOf(rank) })
    await rm(join(dir, 'global_epoch1_step1/zero_pp_rank_0_mp_rank_0_model_states.pt'))
    await loadCheckpoint({ url: dir, files: filesOf(recoveryRank(0, 2, 1)), verify: 'noise' })
    await expect(loadCheckpoint({ url: dir, files: filesOf(recoveryRank(1, 2, 1)) })).rejects.toEqual(
      failing('E_NOT_FOUND', 'zero_pp_rank_0_mp_rank_0_model_states.pt'),
    )
  })

  test('noise is incompressible, other in each file and under each seed, and the same again', async () => {
    const store = new MemoryStore('noise')
    const [model, optimizer] = filesOf(0) as [CheckpointFile, CheckpointFile]
    const saved = async (seed?: number) => {
      await saveCheckpoint({ store, files: filesOf(0), ...(seed !== undefined && { seed }) })
      return (await store.get(model.key))?.data.slice(4096) ?? new Uint8Array()
    }
    const first = await saved()
    expect(gzipSync(first).length).toBeGreaterThan(first.length)
    expect(Buffer.compare(await saved(), first)).toBe(0)
    expect(Buffer.compare(await saved(1), first)).not.toBe(0)
    const other = (await store.get(optimizer.key, { range: { offset: 4096, length: 4096 } }))?.data
    expect(Buffer.compare(other ?? first, first.subarray(0, 4096))).not.toBe(0)
    await expect(loadCheckpoint({ store, files: [model], verify: 'noise' })).rejects.toEqual(
      failing('E_CORRUPT', model.key, 'other bytes'),
    )
    await loadCheckpoint({ store, files: [model], verify: 'noise', seed: 1 })
  })

  test('without randomize each element is 1 of its type', async () => {
    const one = { fp16: '003c', bf16: '803f', fp32: '0000803f', fp64: '000000000000f03f', int8: '01', uint8: '01' }
    const dtypes = Object.keys(one) as (keyof typeof one)[]
    const tensors = dtypes.map((dtype, i) => ({ name: dtype, shape: [3, 700_001 + i], dtype }))
    const itemBytes = dtypes.map((dtype) => one[dtype].length / 2)
    const bytes = sum(tensors.map(({ shape }, i) => 3 * (shape[1] as number) * (itemBytes[i] as number)))
    const files = [{ key: 'ones.pt', tensors, bytes }]
    await saveCheckpoint({ url: dir, files, randomize: false })
    await loadCheckpoint({ url: dir, files, verify: 'ones', blockBytes: 1_000_000 })
    const { header, data } = await parsed(join(dir, 'ones.pt'))
    for (const dtype of dtypes) {
      const [begin, end] = header[dtype]?.data_offsets ?? [0, 0]
      const whole = data.toString('hex', begin, end)
      expect(whole === one[dtype].repeat(whole.length / one[dtype].length)).toBe(true)
    }
  })

  test.each([
    ['file', (path: string) => path],
    ['direct', (path: string) => `direct://${path}?fallback=buffered`],
  ])('%s: with fsync, several files at once, small blocks', async (_name, urlOf) => {
    const url = urlOf(dir)
    const files = checkpointFiles(specOf(goldenRun('ck_z1_tp2pp2')), 0, 4)
    expect(files.length).toBe(5)
    await saveCheckpoint({ url, files, fsync: true, parallel: 3 })
    const told: CheckpointProgress[] = []
    const report = await loadCheckpoint({
      url,
      files,
      parallel: 5,
      blockBytes: 5000,
      verify: 'noise',
      onProgress: (progress) => void told.push(progress),
    })
    const bytes = sum(files.map((file) => file.bytes))
    expect(report).toMatchObject({ files: 5, bytes, storedBytes: bytes + 5 * 4096 })
    expect(told.at(-1)).toEqual({ files: 5, totalFiles: 5, bytes, totalBytes: bytes })
    expect(told.map((progress) => progress.bytes)).toEqual(
      [...told.map((progress) => progress.bytes)].sort((a, b) => a - b),
    )
  })
})

describe('what is wrong with a file is said', () => {
  const [file] = filesOf(0) as [CheckpointFile]
  const path = () => join(dir, file.key)
  beforeEach(() => saveCheckpoint({ url: dir, files: [file] }))
  const loading = () => loadCheckpoint({ url: dir, files: [file], verify: 'noise', blockBytes: 65536 })

  test('cut off', async () => {
    await truncate(path(), 200_000)
    await expect(loading()).rejects.toEqual(
      failing('E_CORRUPT', path(), '33 tensors in 300736 bytes', 'has 200000 bytes'),
    )
  })

  test('empty', async () => {
    await writeFile(path(), '')
    await expect(loading()).rejects.toEqual(failing('E_CORRUPT', path(), 'has 0 bytes'))
  })

  test('another header of the same length', async () => {
    const bytes = await readFile(path())
    bytes.write('F64', bytes.indexOf('F16'))
    await writeFile(path(), bytes)
    await expect(loading()).rejects.toEqual(failing('E_CORRUPT', path(), 'header'))
  })

  test('one other byte, by its place', async () => {
    const handle = await open(path(), 'r+')
    const { buffer } = await handle.read(new Uint8Array(1), 0, 1, 123_457)
    await handle.write(Uint8Array.of((buffer[0] as number) ^ 1), 0, 1, 123_457)
    await handle.close()
    await expect(loading()).rejects.toEqual(failing('E_CORRUPT', path(), 'other bytes at byte 123457'))
    await loadCheckpoint({ url: dir, files: [file] })
  })
})

describe('what cannot be done leaves nothing half done', () => {
  const big: CheckpointFile = {
    key: 'global_epoch1_step1/big.pt',
    tensors: [{ name: 'a', shape: [64 * 2 ** 20], dtype: 'int8' }],
    bytes: 64 * 2 ** 20,
  }

  test('a signal ends saving, and the file is not there', async () => {
    const stop = new AbortController()
    const saving = saveCheckpoint({
      url: dir,
      files: [...filesOf(0), big],
      signal: stop.signal,
      onProgress: ({ files, bytes }) => {
        if (files === 2 && bytes > 10 * 2 ** 20) stop.abort()
      },
    })
    await expect(saving).rejects.toEqual(failing('E_CANCELLED'))
    expect((await readdir(join(dir, 'global_epoch1_step1'))).sort()).toEqual([
      'zero_pp_rank_0_mp_rank_0_model_states.pt',
      'zero_pp_rank_0_mp_rank_0_optim_states.pt',
    ])
  })

  test('a signal ends loading', async () => {
    await saveCheckpoint({ url: dir, files: [big] })
    const stop = new AbortController()
    let last = 0
    const loading = loadCheckpoint({
      url: dir,
      files: [big],
      signal: stop.signal,
      blockBytes: 2 ** 20,
      onProgress: ({ bytes }) => {
        last = bytes
        if (bytes > 20 * 2 ** 20) stop.abort()
      },
    })
    await expect(loading).rejects.toEqual(failing('E_CANCELLED'))
    expect(last).toBeLessThan(30 * 2 ** 20)
  })

  test.skipIf(!canMount())(
    'a full disk is E_NO_SPACE, and the file is not there (where a mount may be made)',
    async () => {
      // A file system of 16 MiB in a mount namespace of its own, which goes away with the process.
      const child = new URL('./save-child.ts', import.meta.url).pathname
      const loader = new URL('../cache/typescript-loader.mjs', import.meta.url).pathname
      const line = `mount -t tmpfs -o size=16m none ${dir} && ${process.execPath} --import ${loader} ${child} ${dir}; ls -A ${dir}/global_epoch1_step1`
      const { stdout } = await promisify(execFile)('unshare', ['-rm', 'sh', '-c', line])
      expect(stdout).toBe('E_NO_SPACE\n')
    },
  )

  test.each([
    ['neither', {}, 'either a store or a url'],
    ['both', { url: '/tmp', store: new MemoryStore('x') }, 'either a store or a url'],
    ['fsync of a store', { store: new MemoryStore('x'), fsync: true }, 'fsync goes with url'],
    ['an unknown option', { url: '/tmp', sync: true }, 'has no option "sync"'],
  ])('%s is E_USAGE', async (_name, options, message) => {
    await expect(saveCheckpoint({ files: [], ...options } as never)).rejects.toEqual(failing('E_USAGE', message))
  })
})

test('memory is bounded, however large the files are', async () => {
  const child = new URL('./save-child.ts', import.meta.url).pathname
  const loader = new URL('../cache/typescript-loader.mjs', import.meta.url).pathname
  const args = ['--import', loader, child, dir, String(2 ** 30)]
  const { stdout } = await promisify(execFile)(process.execPath, args, { maxBuffer: 2 ** 20 })
  const { peak, base, saved, loaded } = JSON.parse(stdout) as Record<string, number>
  expect([saved, loaded]).toEqual([2 ** 30, 2 ** 30])
  expect(((peak as number) - (base as number)) / 2 ** 20).toBeLessThan(150)
  expect((await stat(join(dir, 'global_epoch1_step1/big.pt'))).size).toBe(2 ** 30 + 4096)
}, 300_000)

function hasSafetensors(): boolean {
  try {
    execFileSync('python3', ['-c', 'import safetensors, numpy'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

test.skipIf(!hasSafetensors())('the safetensors library reads them (python3 with safetensors and numpy)', async () => {
  const files = checkpointFiles(specOf(goldenRun('ck_legacy_groups')), 0, 1)
  const store = new FileStore(dir)
  await saveCheckpoint({ store, files, randomize: false })
  const script = `
import json, sys
from safetensors.numpy import load_file
print(json.dumps([{k: [list(v.shape), str(v.dtype), int(v.min()), int(v.max())] for k, v in load_file(p).items()} for p in sys.argv[1:]]))`
  const paths = files.map(({ key }) => store.localPath(key))
  const { stdout } = await promisify(execFile)('python3', ['-c', script, ...paths])
  expect(JSON.parse(stdout)).toEqual(
    files.map(({ tensors }) =>
      Object.fromEntries(tensors.map(({ name, shape, dtype }) => [name, [shape, dtype, 1, 1]])),
    ),
  )
})
