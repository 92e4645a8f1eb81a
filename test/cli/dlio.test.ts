import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { RunReport } from '../../src/benchmark/dlio/run/index.ts'
import { type Groups, RunPlace } from '../benchmark/dlio/run/workload.ts'
import { built, headrace, spawnHeadrace } from './built.ts'

let place: RunPlace
beforeAll(built)
beforeEach(() => {
  place = new RunPlace()
})
afterEach(() => place.remove())

const dlio = (groups: Groups, ...flags: readonly string[]) =>
  headrace('dlio', '--config', place.write(groups), '--no-calibration', ...flags)

describe('headrace dlio', () => {
  test("prints DLIO's log, its figures and a verdict", async () => {
    const { code, stdout, stderr } = await dlio({}, '++workload.train.epochs=1')
    expect([code, stderr]).toEqual([0, ''])
    const lines = stdout.split('\n')
    expect(lines).toContain('[METRIC] Number of Simulated Accelerators: 1 ')
    expect(lines[0]).toMatch(/^\[OUTPUT\] .* Running DLIO \[Generating data & Training\] with 1 process\(es\)$/)
    expect(stdout).toMatch(/^epoch +steps +samples\/s by formula +by the clock +asked for +by the device$/m)
    expect(stdout).toMatch(/^of each step +p50 +p90 +p99 +p99\.9 +max$/m)
    expect(lines.at(-2)).toMatch(/^(?:Limited by|Served from)/)
    expect(readFileSync(join(place.out, '.hydra', 'overrides.yaml'), 'utf8')).toBe('- ++workload.train.epochs=1\n')
  })

  test('prints one JSON document where it is asked to', async () => {
    const { code, stdout } = await dlio({}, '--json', '--verify')
    expect(code).toBe(0)
    const report = JSON.parse(stdout) as RunReport
    expect(report).toMatchObject({ ranks: 1, outputFolder: place.out, faults: 0, auGoal: 90 })
    expect(report.epochs.map(({ samples }) => samples)).toEqual([24, 24])
    expect(report.verdict.text).toContain(' ')
  })

  test.each([['1'], ['2']])('draws how far it is, of %s ranks', async (ranks) => {
    const train = { epochs: 1, computation_time: 0.2 }
    const { code, stderr } = await dlio({ train, reader: { batch_size: 3 } }, '--progress', '--ranks', ranks)
    expect(code).toBe(0)
    expect(stderr).toMatch(/training [█░]+ +\d+% epoch 1, \d of \d, AU \d+\.\d %, [\d,]+ samples\/s, [\d.]+ [KM]iB\/s/)
    expect(stderr).not.toContain('\u001e')
  })

  test('runs several ranks, whose samples are all of the set', async () => {
    const { code, stdout, stderr } = await dlio({ reader: { batch_size: 2 } }, '--ranks', '2', '--json', '--verify')
    expect([code, stderr]).toEqual([0, ''])
    const report = JSON.parse(stdout) as RunReport
    expect(report.epochs).toMatchObject([
      { steps: 6, samples: 24 },
      { steps: 6, samples: 24 },
    ])
    expect(readdirSync(place.out).sort()).toEqual([
      '.hydra',
      '0_output.json',
      '0_per_epoch_stats.json',
      '1_output.json',
      '1_per_epoch_stats.json',
      'dlio.log',
      'summary.json',
    ])
    const [first, second] = [0, 1].map((rank) =>
      place.json<Record<string, { au: { block1: number } }>>(`${rank}_output.json`),
    )
    const { metric } = place.json<{ metric: { train_au_percentage: number[] } }>('summary.json')
    expect(metric.train_au_percentage[0]).toBeCloseTo(
      ((first?.['1']?.au.block1 ?? 0) + (second?.['1']?.au.block1 ?? 0)) / 2,
      9,
    )
    expect(report.steps.barrier?.max).toBeGreaterThan(0)
  })

  test('ends all ranks where one cannot read, and says whose fault it was', async () => {
    await dlio({ workflow: { generate_data: true, train: false } })
    const damaged = join(place.folder, 'data', 'train', 'img_10_of_12.npz')
    truncateSync(damaged, 900)
    const { code, stderr } = await dlio(
      { workflow: { generate_data: false, train: true }, reader: { batch_size: 2 } },
      '--ranks',
      '2',
    )
    expect(code).toBe(1)
    expect(stderr).toMatch(/rank 1: sample [01] of .*img_10_of_12\.npz cannot be read/)
    expect(place.json<{ partial: string }>('summary.json').partial).toContain('rank 1')
  })

  test('names a rank that is stuck', async () => {
    const config = place.write({ train: { epochs: 500, computation_time: 0.01 }, reader: { batch_size: 2 } })
    const child = spawnHeadrace('dlio', '--config', config, '--no-calibration', '--ranks', '2', '--timeout', '0.5')
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
    let errors = ''
    child.stderr.on('data', (chunk: Buffer) => {
      errors += chunk.toString()
    })
    await new Promise<void>((resolve) =>
      child.stdout.on('data', (text: Buffer) => /Ending block/.test(text.toString()) && resolve()),
    )
    const [, second] = execFileSync('ps', ['-eo', 'pid,ppid', '--sort=pid'], { encoding: 'utf8' })
      .split('\n')
      .map((line) => line.trim().split(/\s+/).map(Number))
      .filter(([, parent]) => parent === child.pid)
    process.kill(second?.[0] ?? 0, 'SIGSTOP')
    expect(await ended).toBe(1)
    expect(errors).toContain('rank 1 did not come in time')
  })

  test("names files as dl-driver does where it is asked to, and reads dl-driver's own configs", async () => {
    const { code } = await dlio({}, '--naming', 'dl-driver', '--verify')
    expect(code).toBe(0)
    expect(place.files().slice(0, 2)).toEqual(['train_file_000000.npz', 'train_file_000001.npz'])
    const config = join(place.folder, 'driver.yaml')
    writeFileSync(
      config,
      `model: {name: driver}\nframework: jax\nworkflow: {generate_data: true}\ndataset: {data_folder: "file://${place.folder}/own", num_files_train: 6}\n` +
        `reader: {data_loader: jax, batch_size: 2, prefetch: 3, shuffle: true}\ntrain: {epochs: 1}\noutput: {folder: ${place.out}}\n`,
    )
    const own = await headrace('dlio', '--config', config, '--no-calibration', '--json', '--verify')
    expect(own.code).toBe(0)
    expect((JSON.parse(own.stdout) as RunReport).epochs).toMatchObject([{ steps: 3, samples: 6 }])
    expect(place.files('own')).toHaveLength(6)
  })

  test('answers a query of a key', async () => {
    const { code, stdout } = await dlio({}, '++workload.workflow.query=reader.batch_size')
    expect([code, stdout]).toEqual([0, '3\n'])
  })

  test('refuses what it does not know', async () => {
    expect(await headrace('dlio', 'workload=nowhere')).toMatchObject({ code: 1 })
    expect((await dlio({}, '--on-error', 'skip')).code).toBe(2)
    expect((await dlio({ reader: { batch_size: 1000 } })).stderr).toContain('E_CONFIG')
  })
})

describe('headrace dlio postprocess', () => {
  test("writes DLIO's report of a run", async () => {
    await dlio({ workflow: { generate_data: true, train: true, evaluation: true, checkpoint: true } })
    const { code, stdout } = await headrace('dlio', 'postprocess', place.out)
    const path = join(place.out, 'DLIO_minimal_report.txt')
    expect([code, stdout]).toEqual([0, `${path}\n`])
    const text = readFileSync(path, 'utf8')
    for (const words of [
      /^DLIO v1\.0 Report$/m,
      /^ {4}Run name: +minimal$/m,
      /^ {4}Num Ranks: +1$/m,
      /^Epoch 2$/m,
      /^ {4}Block 2$/m,
      /^ {4}Eval 1$/m,
      /^ {4}Checkpoint 2$/m,
      /^ {8}Avg loading time \/ rank \(s\): +\d+\.\d\d$/m,
    ])
      expect(text).toMatch(words)
    expect(text).toMatch(/^ {8} {2}Samples\/s: +[\d.]+ /m)
  })

  test('says what is no folder of a run', async () => {
    const { code, stderr } = await headrace('dlio', 'postprocess', place.folder)
    expect(code).toBe(1)
    expect(stderr).toContain('holds no run')
  })
})
