import { execFile } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { RunReport } from '../../src/benchmark/dlio/run/index.ts'
import { type S3Server, startS3Server } from '../../src/dev/s3/index.ts'
import { openS3Store } from '../../src/storage/s3/store.ts'
import { type Groups, RunPlace } from '../benchmark/dlio/run/workload.ts'
import { canMount } from '../tmpfs.ts'
import { built, headrace, ROOT } from './built.ts'
import { leftRunning, Running } from './running.ts'

let place: RunPlace
beforeAll(built)
beforeEach(() => {
  place = new RunPlace()
})
afterEach(() => place.remove())

const GENERATE = { workflow: { generate_data: true, train: false } }
const TRAIN = { workflow: { generate_data: false, train: true } }

const dlio = (groups: Groups) => ['dlio', '--config', place.write(groups), '--no-calibration']
const partial = () => place.json<{ partial?: string }>('summary.json').partial

describe('a rank that dies', () => {
  const one = { epochs: 1, computation_time: 3600 }
  const PHASES: readonly (readonly [phase: string, groups: Groups, at: RegExp])[] = [
    ['generating', { dataset: { num_files_train: 3000, record_length_bytes: 40_000 } }, /Starting data generation\n/],
    ['training', { train: one }, /Starting block 1\n/],
    [
      'evaluating',
      {
        workflow: { generate_data: true, train: true, evaluation: true },
        train: { epochs: 1, computation_time: 0.001 },
        evaluation: { eval_time: 3600 },
      },
      /Starting eval - /,
    ],
    [
      'between checkpoints',
      {
        workflow: { generate_data: false, train: false, checkpoint: true },
        checkpoint: { num_checkpoints_write: 2, time_between_checkpoints: 3600 },
      },
      /Checkpointing write started\n/,
    ],
  ]

  test.each(PHASES)('while %s ends the others, and is named', async (_, groups, at) => {
    const run = new Running(...dlio({ reader: { batch_size: 2 }, ...groups }), '--ranks', '2')
    await run.says(at)
    await sleep(30)
    const [, second = 0] = run.ranks()
    process.kill(second, 'SIGKILL')
    expect(await run.ended).toBe(1)
    expect(run.stderr).toMatch(new RegExp(`rank 1 .*(?:process ${second}|has gone)`))
    expect(partial()).toContain('rank 1')
    expect(await leftRunning(place.folder)).toEqual([])
  })

  test.each(PHASES)('while %s, being rank 0, ends the others too', async (_, groups, at) => {
    const run = new Running(...dlio({ reader: { batch_size: 2 }, ...groups }), '--ranks', '2')
    await run.says(at)
    await sleep(30)
    const [first = 0] = run.ranks()
    process.kill(first, 'SIGKILL')
    expect(await run.ended).toBe(1)
    expect(run.stderr).toContain('rank 0')
    expect(await leftRunning(place.folder)).toEqual([])
  })

  test('leaves no other where it is the process that started all', async () => {
    const run = new Running(...dlio({ reader: { batch_size: 2 }, train: one }), '--ranks', '2')
    await run.says(/Starting block 1\n/)
    run.child.kill('SIGKILL')
    expect(await run.ended).toBeNull()
    expect(await leftRunning(place.folder, 15)).toEqual([])
  })
})

describe('a file that is damaged in the middle of an epoch', () => {
  const damage = (split: 'train' | 'valid', name: string) => truncateSync(join(place.folder, 'data', split, name), 900)
  const groups = { ...TRAIN, train: { epochs: 1, computation_time: 0.001 } }

  test('ends the run: the message says rank, file and sample, the files that they are partial', async () => {
    await headrace(...dlio(GENERATE))
    damage('train', 'img_08_of_12.npz')
    const { code, stderr } = await headrace(...dlio(groups))
    expect(code).toBe(1)
    expect(stderr).toMatch(/^headrace: rank 0: sample 0 of .*img_08_of_12\.npz cannot be read: .* \[E_CORRUPT\]$/m)
    expect(partial()).toContain('img_08_of_12.npz cannot be read')
    expect(place.log()).toContain('[WARNING] these outputs are partial: rank 0: sample 0')
  })

  test('is counted with --on-error count, and the run is whole', async () => {
    await headrace(...dlio(GENERATE))
    damage('train', 'img_08_of_12.npz')
    const { code, stdout, stderr } = await headrace(...dlio(groups), '--on-error', 'count', '--json')
    expect([code, stderr]).toEqual([0, ''])
    const report = JSON.parse(stdout) as RunReport
    // Both samples of the file.
    expect([report.faults, report.partial, report.epochs[0]?.samples]).toEqual([2, undefined, 24])
    expect(partial()).toBeUndefined()
    const errors = place.log().match(/^\[ERROR\] rank 0: sample [01] of .*img_08_of_12\.npz was not read: .*$/gm)
    expect(errors?.length).toBe(2)
    const told = await headrace(...dlio(groups), '--on-error', 'count')
    expect(told.stdout).toMatch(/^not read +2 samples$/m)
  })

  test('ends an evaluation too, and is counted there', async () => {
    const workflow = { generate_data: false, train: true, evaluation: true }
    await headrace(...dlio(GENERATE))
    damage('valid', 'img_2_of_4.npz')
    const { code, stderr } = await headrace(...dlio({ ...groups, workflow }))
    expect(code).toBe(1)
    expect(stderr).toMatch(/rank 0: sample 0 of .*valid\/img_2_of_4\.npz cannot be read/)
    expect(partial()).toContain('valid/img_2_of_4.npz')
    const counted = await headrace(...dlio({ ...groups, workflow }), '--on-error', 'count', '--json')
    expect((JSON.parse(counted.stdout) as RunReport).faults).toBe(2)
  })

  test.each([['1'], ['0']])('with read_threads %s of two ranks ends both', async (read_threads) => {
    await headrace(...dlio(GENERATE))
    damage('train', 'img_03_of_12.npz')
    const reader = { batch_size: 2, read_threads: Number(read_threads) }
    const { code, stderr } = await headrace(...dlio({ ...groups, reader }), '--ranks', '2')
    expect(code).toBe(1)
    expect(stderr).toMatch(/rank 0: sample 0 of .*img_03_of_12\.npz cannot be read/)
    expect(partial()).toContain('img_03_of_12.npz')
    expect(await leftRunning(place.folder)).toEqual([])
  })
})

describe('storage that stalls', () => {
  let server: S3Server
  const credentials = { accessKeyId: 'testkey', secretAccessKey: 'testsecret' }
  const storageAt = (url: string) => ({
    storage_type: 's3',
    storage_root: 'bucket',
    storage_options: { endpoint_url: url, access_key_id: 'testkey', secret_access_key: 'testsecret' },
  })

  /** A set in a store whose objects come until the one that never does. */
  async function stalled(groups: Groups): Promise<Groups> {
    const made = await startS3Server()
    const store = await openS3Store('bucket', { endpoint: made.url, credentials })
    await store.createContainer()
    const dataset = { data_folder: 's3://bucket/data' }
    const { code } = await headrace(...dlio({ ...GENERATE, dataset, storage: storageAt(made.url) }))
    expect(code).toBe(0)
    const match = { op: 'GetObject', key: 'data/train/img_07_of_12' } as const
    server = await startS3Server({ faults: [{ match, fault: { kind: 'stall', after: 0 } }] })
    const copy = await openS3Store('bucket', { endpoint: server.url, credentials })
    await copy.createContainer()
    for await (const entry of store.list(''))
      if (entry.kind === 'object') await copy.put(entry.key, (await store.get(entry.key))?.data ?? new Uint8Array())
    await Promise.all([store.close(), copy.close(), made.close()])
    return {
      ...TRAIN,
      dataset,
      storage: storageAt(server.url),
      train: { epochs: 1, computation_time: 0.001 },
      ...groups,
    }
  }
  afterEach(() => server.close())

  test.each([
    ['0', '1'],
    ['1', '1'],
    ['2', '1'],
    ['1', '2'],
  ])(
    'with read_threads %s and %s ranks ends the run after --timeout, which says at what',
    async (read_threads, ranks) => {
      const groups = await stalled({ reader: { batch_size: 2, read_threads: Number(read_threads) } })
      const { code, stderr } = await headrace(...dlio(groups), '--timeout', '1', '--ranks', ranks)
      expect(code).toBe(1)
      expect(stderr).toMatch(
        /batch \d+ did not come within 1 s: .*is at sample [01] of s3:\/\/bucket\/data\/train\/img_07_of_12/,
      )
      expect(stderr).toContain('hint: --timeout sets how long a batch may take')
      expect(partial()).toContain('did not come within 1 s')
      expect(await leftRunning(place.folder)).toEqual([])
    },
  )

  test.each([['0'], ['1']])('with read_threads %s does not hold Ctrl-C', async (read_threads) => {
    const groups = await stalled({ reader: { batch_size: 2, read_threads: Number(read_threads) } })
    const run = new Running(...dlio(groups))
    await run.says(/Starting block 1\n/)
    await sleep(500)
    run.child.kill('SIGINT')
    expect(await run.ended).toBe(130)
    expect(partial()).toBe('the run was interrupted')
    expect(await leftRunning(place.folder)).toEqual([])
  })
})

describe.skipIf(!canMount())('a disk that is full (where a mount may be made)', () => {
  /** Runs a line of sh with a small file system at a folder, in a mount namespace of its own. */
  async function onSmallDisk(at: string, size: string, line: string) {
    mkdirSync(at, { recursive: true })
    const command = `mount -t tmpfs -o size=${size} none ${at} && ${line}`
    return promisify(execFile)('unshare', ['-rm', 'sh', '-c', command], { cwd: ROOT })
  }
  const main = `${process.execPath} ${join(ROOT, 'dist/cli/headrace.cjs')}`
  const command = (groups: Groups) => `${main} ${dlio(groups).join(' ')}`

  test.each([['1'], ['2']])(
    'while it generates, with %s ranks, is said, and leaves whole files alone',
    async (ranks) => {
      const data = join(place.folder, 'data')
      const groups = { dataset: { num_files_train: 6000, num_samples_per_file: 1, record_length_bytes: 5000 } }
      // It fits when it is begun; then somebody else takes the rest.
      const line =
        `${command(groups)} --ranks ${ranks} >${place.folder}/stdout 2>${place.folder}/stderr & pid=$!; ` +
        `until [ -n "$(ls ${data}/train 2>/dev/null)" ]; do sleep 0.01; done; ` +
        `dd if=/dev/zero of=${data}/other bs=64k 2>/dev/null; wait $pid; echo code $?; ` +
        `find ${data} -type f ! -name other -printf '%s\\n' | sort -u; ls -A ${data}`
      const { stdout } = await onSmallDisk(data, '60m', line)
      const stderr = readFileSync(join(place.folder, 'stderr'), 'utf8')
      expect(stdout).toMatch(/^code 1\n/)
      expect(stderr).toMatch(/\[E_NO_SPACE\]|rank \d/)
      expect(stderr).toContain('ENOSPC')
      expect(partial()).toContain('ENOSPC')
      // Of one size, which is that of whole files.
      const [, size, ...names] = stdout.trim().split('\n')
      expect(Number(size)).toBeGreaterThan(4900)
      expect(names.sort()).toEqual(['other', 'train', 'valid'])
    },
  )

  test.each([['1'], ['2']])('while it saves, with %s ranks, is said, and leaves no part of a file', async (ranks) => {
    const folder = join(place.folder, 'checkpoints')
    const groups = {
      model: { name: 'large', model_size_bytes: 64_000_000 },
      workflow: { generate_data: false, train: false, checkpoint: true },
      checkpoint: { num_checkpoints_write: 1 },
    }
    const line = `${command(groups)} --ranks ${ranks} >/dev/null 2>${place.folder}/stderr; echo code $?; find ${folder} -type f`
    const { stdout } = await onSmallDisk(folder, '16m', line)
    expect(stdout).toBe('code 1\n')
    const stderr = readFileSync(join(place.folder, 'stderr'), 'utf8')
    expect(stderr).toMatch(/model_states-0\.pt.*ENOSPC/)
    expect(partial()).toContain('ENOSPC')
  })

  test('for the outputs of a run is said', async () => {
    const line = `${command({ train: { epochs: 200, computation_time: 0 } })} >/dev/null 2>${place.folder}/stderr; echo code $?`
    const { stdout } = await onSmallDisk(place.out, '64k', line)
    expect(stdout).toBe('code 1\n')
    expect(readFileSync(join(place.folder, 'stderr'), 'utf8')).toMatch(/ENOSPC.*\[E_NO_SPACE\]/)
    expect(readdirSync(place.folder)).toContain('data')
  })
})
