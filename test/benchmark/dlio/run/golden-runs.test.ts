import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { built, headrace, type Result } from '../../../cli/built.ts'
import { profileOf, RUNS } from '../goldens.ts'
import { GOLDEN_RUNS, goldenRun } from './golden.ts'

let folder: string
beforeAll(built)
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'headrace-golden-runs-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const runOf = (name: string) => {
  const run = RUNS[name]
  if (run === undefined) throw new Error(`there is no golden ${name}`)
  return run
}

/** The config of a case, as it is, but for where things lie. */
async function dlio(name: string, ranks: number, ...overrides: readonly string[]): Promise<Result> {
  const { workload, dlio: by } = runOf(name)
  const file = join(folder, 'workload.yaml')
  writeFileSync(file, workload)
  const places = {
    'dataset.data_folder': join(folder, 'data'),
    'checkpoint.checkpoint_folder': join(folder, 'checkpoints'),
    'output.folder': join(folder, 'out'),
  }
  return headrace(
    ...['dlio', '--config', file, '--profile', profileOf(by), '--no-calibration', '--verify'],
    ...(ranks > 1 ? ['--ranks', String(ranks)] : []),
    ...Object.entries(places).map(([key, place]) => `++workload.${key}=${place}`),
    ...overrides,
  )
}

const GENERATE = ['generate_data=True', 'train=False', 'evaluation=False', 'checkpoint=False']

const output = (file: string): unknown =>
  JSON.parse(readFileSync(join(folder, 'out', file), 'utf8').replaceAll(/\bNaN\b/g, 'null'))

interface Summary {
  readonly metric: Readonly<Record<string, unknown>>
  readonly [key: string]: unknown
}

/** What other hosts have, and no run decides. */
const OF_THE_HOST = ['host_cpuinfo', 'host_meminfo']

/** A document's keys, in their order, with what they hold: lists of so many numbers, texts, numbers. */
function formOf(value: unknown): unknown {
  if (Array.isArray(value)) return `${value.length} x ${[...new Set(value.map((each) => typeof each))].join()}`
  if (typeof value !== 'object' || value === null) return value === null ? 'number' : typeof value
  return Object.entries(value).map(([key, each]) => [key, OF_THE_HOST.includes(key) ? 'facts' : formOf(each)])
}

const below = (name: string): string[] =>
  existsSync(join(folder, name))
    ? readdirSync(join(folder, name), { recursive: true, encoding: 'utf8' })
        .filter((path) => statSync(join(folder, name, path)).isFile())
        .sort()
    : []

describe('under the profile of the DLIO that was run,', () => {
  test.each(Object.keys(RUNS))('%s leaves the same files, with the same keys, steps and checkpoints', async (name) => {
    const { ranks, generatedFirst, checkpointFiles, steps, stats } = runOf(name)
    if (generatedFirst) {
      const { code, stderr } = await dlio(name, 1, ...GENERATE.map((each) => `++workload.workflow.${each}`))
      expect([code, stderr.includes('E_')]).toEqual([0, false])
      rmSync(join(folder, 'out'), { recursive: true, force: true })
    }
    // Two of them failed in DLIO, when they read what they had written.
    const { code, stderr } = await dlio(name, ranks)
    expect([code, stderr.includes('E_')]).toEqual([0, false])
    const each = Array.from({ length: ranks }, (_, rank) => [`${rank}_output.json`, `${rank}_per_epoch_stats.json`])
    const files = ['.hydra/config.yaml', '.hydra/hydra.yaml', '.hydra/overrides.yaml', 'dlio.log', 'summary.json']
    expect(below('out')).toEqual([...files, ...each.flat()].sort())
    expect(below('checkpoints')).toEqual(checkpointFiles)
    if (steps !== undefined && stats !== undefined)
      for (let rank = 0; rank < ranks; rank++) {
        const found = output(`${rank}_output.json`) as Record<string, Record<string, Record<string, number[]>>>
        const marks = output(`${rank}_per_epoch_stats.json`) as Record<string, Record<string, unknown>>
        for (const [epoch, blocks] of Object.entries(steps)) {
          for (const column of ['load', 'proc', 'compute']) {
            const counts = Object.entries(found[epoch]?.[column] ?? {}).map(([block, times]) => [block, times.length])
            expect(Object.fromEntries(counts)).toEqual(blocks)
          }
          const spans = Object.keys(marks[epoch] ?? {}).filter((key) => !['start', 'end', 'duration'].includes(key))
          expect(spans.sort()).toEqual(stats[epoch])
        }
      }
    if (!GOLDEN_RUNS.includes(name)) return
    const golden = goldenRun(name)
    for (const file of ['summary.json', ...each.flat()]) {
      expect([file, formOf(output(file))]).toEqual([file, formOf(golden.json(file))])
    }
    const [ours, theirs] = [output('summary.json'), golden.json('summary.json')] as [Summary, Summary]
    for (const key of [
      'num_accelerators',
      'num_hosts',
      'num_files_train',
      'num_files_eval',
      'num_samples_per_file',
      'data_size_per_host_GB',
      'epochs',
    ])
      expect([key, ours[key]]).toEqual([key, theirs[key]])
    expect(ours.metric.checkpoint_size_GB).toBe(theirs.metric.checkpoint_size_GB)
  })
})
