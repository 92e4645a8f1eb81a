import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type RunOptions, type RunReport, runWorkload } from '../../../../src/benchmark/dlio/run/index.ts'
import { type Verdict, verdictOf } from '../../../../src/benchmark/dlio/run/verdict.ts'
import { FileStore } from '../../../../src/storage/file/file.ts'
import { limited } from '../../../../src/storage/wrappers/limited.ts'
import { built, spawnHeadrace } from '../../../cli/built.ts'
import { type Groups, RunPlace } from './workload.ts'

let place: RunPlace
beforeAll(built)
beforeEach(() => {
  place = new RunPlace()
})
afterEach(() => place.remove())

async function run(groups: Groups, options: RunOptions = {}): Promise<RunReport> {
  const report = await runWorkload(await place.config(groups), { calibrate: false, ...options })
  if (report === undefined) throw new Error('rank 0 has a report')
  return report
}

const GENERATE = { workflow: { generate_data: true, train: false } }
const TRAIN = { workflow: { generate_data: false, train: true } }

/** The verdict of a run that has the processors for itself: other tests may use them meanwhile. */
function alone({ figures }: RunReport): Verdict {
  const { ownCpu } = figures
  return verdictOf({ ...figures, engine: 0, ...(ownCpu !== undefined && { hostCpu: ownCpu }) })
}

describe('a planted bottleneck is named:', () => {
  test('a throttled store', async () => {
    const dataset = { num_files_train: 16, num_samples_per_file: 1, record_length_bytes: 65_536 }
    await run({ ...GENERATE, dataset })
    const store = limited(new FileStore(join(place.folder, 'data')), { bytesPerSecond: 2e6 })
    const train = { epochs: 1, computation_time: 0.002 }
    const report = await run({ ...TRAIN, dataset, train, reader: { batch_size: 1 } }, { store })
    expect(alone(report).limit).toBe('storage')
    await store.close()
  })

  test('a slow decoder', async () => {
    const dataset = { format: 'png', num_files_train: 12, num_samples_per_file: 1, record_length_bytes: 1_000_000 }
    const train = { epochs: 1, computation_time: 0.001 }
    const report = await run({ dataset, train, reader: { batch_size: 1 } })
    expect(report.figures.decode).toBeGreaterThan(report.figures.storage)
    expect(alone(report).limit).toBe('decode')
  })

  test("the workload's own preprocessing", async () => {
    const train = { epochs: 1, computation_time: 0.001 }
    const report = await run({ train, reader: { batch_size: 1, preprocess_time: 0.02 } })
    expect(alone(report).limit).toBe('preprocessing')
  })

  test('the page cache', async () => {
    const dataset = { num_files_train: 20, num_samples_per_file: 1, record_length_bytes: 1_000_000 }
    await run({ ...GENERATE, dataset })
    const report = await run({
      ...TRAIN,
      dataset,
      train: { epochs: 2, computation_time: 0.01 },
      reader: { batch_size: 1 },
    })
    // Not every system lets a process see what its reads cost.
    if (report.figures.deviceBytes === undefined) return
    expect(report.fromPageCache).toBe(true)
    expect(alone(report).limit).toBe('page cache')
  })

  test('burnt processors', async () => {
    const burners = cpus().map(() => spawn(process.execPath, ['-e', 'for(;;){}'], { stdio: 'ignore' }))
    try {
      const dataset = { format: 'png', num_files_train: 24, num_samples_per_file: 1, record_length_bytes: 1_000_000 }
      const report = await run({ dataset, train: { epochs: 1, computation_time: 0.001 }, reader: { batch_size: 1 } })
      expect(report.figures.hostCpu).toBeGreaterThan(0.9)
      expect(report.verdict.limit).toBe('host CPU')
    } finally {
      for (const burner of burners) burner.kill('SIGKILL')
    }
  })

  test('one slow rank', async () => {
    const dataset = { data_folder: 'null://nowhere', num_files_train: 400, num_samples_per_file: 1 }
    const config = place.write({
      ...TRAIN,
      dataset,
      train: { epochs: 1, computation_time: 0.02 },
      reader: { batch_size: 2 },
    })
    const child = spawnHeadrace('dlio', '--config', config, '--no-calibration', '--json', '--ranks', '2')
    let text = ''
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString()
    })
    const ended = new Promise((resolve) => child.once('close', resolve))
    await slowDown(child, config)
    await ended
    const report = JSON.parse(text) as RunReport
    const verdict = alone(report)
    expect(verdict.text).toContain('Limited by rank 1: ')
    expect(verdict.limit).toBe('slow rank')
  })

  test('none', async () => {
    const dataset = { data_folder: 'null://nowhere', num_files_train: 24, num_samples_per_file: 1 }
    const report = await run({
      ...TRAIN,
      dataset,
      train: { epochs: 1, computation_time: 0.1 },
      reader: { batch_size: 1 },
    })
    // Where others leave it no processor, that is what it must say.
    expect(['nothing', 'host CPU']).toContain(report.verdict.limit)
    expect(report.summary.train?.auMean).toBeGreaterThan(80)
  })
})

/** Stops rank 1 of a job half of the time. */
async function slowDown(job: ChildProcess, config: string): Promise<void> {
  const rankOne = () =>
    execFileSync('ps', ['-eo', 'pid,ppid,args'], { encoding: 'utf8' })
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .filter(([, parent, ...words]) => Number(parent) === job.pid && words.includes(config))
      .map(([pid]) => Number(pid))
      .sort((a, b) => a - b)[1]
  let pid: number | undefined
  while (pid === undefined && job.exitCode === null) {
    await sleep(20)
    pid = rankOne()
  }
  while (job.exitCode === null && pid !== undefined) {
    try {
      process.kill(pid, 'SIGSTOP')
      await sleep(30)
      process.kill(pid, 'SIGCONT')
    } catch {
      return
    }
    await sleep(20)
  }
}
