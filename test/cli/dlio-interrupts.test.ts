import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Groups, RunPlace } from '../benchmark/dlio/run/workload.ts'
import { built, headrace } from './built.ts'
import { leftRunning, Running } from './running.ts'

let place: RunPlace
beforeAll(built)
beforeEach(() => {
  place = new RunPlace()
})
afterEach(() => place.remove())

/** What a command that was stopped must not leave behind. */
const parts = () =>
  readdirSync(place.folder, { recursive: true, encoding: 'utf8' }).filter((name) => /\.part$|\.tmp|~$/.test(name))

const only = (phase: string) => ({
  workflow: { generate_data: false, train: false, evaluation: false, checkpoint: false, [phase]: true },
})

interface Stopped {
  readonly groups: Groups
  /** What the run has said when it is stopped. */
  readonly at: RegExp
  /** Makes what the run needs. */
  readonly before?: Groups
  readonly flags?: readonly string[]
}

const CHECKPOINT = { checkpoint_folder: 'checkpoints' }
const PHASES: Readonly<Record<string, Stopped>> = {
  generates: {
    groups: { dataset: { num_files_train: 3000, record_length_bytes: 40_000 } },
    at: /Starting data generation\n/,
  },
  trains: { groups: { train: { epochs: 500, computation_time: 0.01 } }, at: /Starting block 1\n/ },
  'computes, which would take an hour': {
    groups: { train: { epochs: 1, computation_time: 3600 } },
    at: /Starting block 1\n/,
  },
  evaluates: {
    groups: {
      workflow: { generate_data: true, train: true, evaluation: true },
      train: { epochs: 1, computation_time: 0.001 },
      evaluation: { eval_time: 3600 },
    },
    at: /Starting eval - /,
  },
  saves: {
    groups: {
      ...only('checkpoint'),
      model: { name: 'large', model_size_bytes: 2e9 },
      checkpoint: { ...CHECKPOINT, num_checkpoints_write: 5 },
    },
    at: /Starting saving checkpoint 1 /,
  },
  'waits between checkpoints': {
    groups: { ...only('checkpoint'), checkpoint: { num_checkpoints_write: 2, time_between_checkpoints: 3600 } },
    at: /Checkpointing write started\n/,
  },
  loads: {
    before: {
      ...only('checkpoint'),
      model: { name: 'many', model_size_bytes: 4e6 },
      checkpoint: { ...CHECKPOINT, num_checkpoints_write: 50 },
    },
    groups: {
      ...only('checkpoint'),
      model: { name: 'many', model_size_bytes: 4e6 },
      checkpoint: { ...CHECKPOINT, num_checkpoints_read: 50, time_between_checkpoints: 0.1 },
    },
    at: /Starting loading checkpoint 3 /,
  },
  calibrates: {
    groups: { train: { epochs: 1, computation_time: 0.05 } },
    at: /calibrating /,
    flags: ['--progress'],
  },
}

describe.each([['1'], ['2']])('Ctrl-C, with %s ranks,', (ranks) => {
  test.each(Object.entries(PHASES))(
    'while it %s ends the run at once, whose files say that they are partial',
    async (phase, { groups, at, before, flags = ['--no-calibration'] }) => {
      const dlio = (given: Groups) => ['dlio', '--config', place.write({ reader: { batch_size: 2 }, ...given })]
      if (before !== undefined) expect((await headrace(...dlio(before), '--ranks', ranks)).code).toBe(0)
      const run = new Running(...dlio(groups), '--ranks', ranks, ...flags)
      await run.says(at)
      // Into the phase, and not before it.
      await sleep(30)
      const begin = performance.now()
      run.child.kill('SIGINT')
      expect(await run.ended).toBe(130)
      expect(performance.now() - begin).toBeLessThan(8000)
      expect(run.stderr).toContain('headrace: interrupted')
      expect(place.json<{ partial: string }>('summary.json').partial).toBe('the run was interrupted')
      expect(place.log()).toContain('these outputs are partial: the run was interrupted')
      if (ranks === '1' && phase !== 'generates')
        expect(run.stderr).toContain(`hint: what was done until then is in ${place.out}`)
      expect(parts()).toEqual([])
      expect(await leftRunning(place.folder)).toEqual([])
    },
  )
})

test('a data set that was being generated goes on from its whole files', async () => {
  const groups = { ...only('generate_data'), dataset: { num_files_train: 400, record_length_bytes: 250_000 } }
  const config = place.write(groups)
  const run = new Running('dlio', '--config', config)
  await run.says(/Starting data generation\n/)
  while (!readdirSync(place.folder).includes('data') || place.files().length < 5) await sleep(2)
  run.child.kill('SIGINT')
  expect(await run.ended).toBe(130)
  const there = place.files().length
  expect(there).toBeLessThan(404)
  expect((await headrace('dlio', '--config', config)).code).toBe(0)
  expect(place.files().length).toBe(404)
  expect(readdirSync(join(place.folder, 'data')).sort()).toEqual(['train', 'valid'])
})

test('a second Ctrl-C ends the process there and then', async () => {
  const config = place.write({ train: { epochs: 1, computation_time: 3600 } })
  const run = new Running('dlio', '--config', config, '--no-calibration')
  await run.says(/Starting block 1\n/)
  run.child.kill('SIGINT')
  await sleep(320)
  run.child.kill('SIGINT')
  expect(await run.ended).toBe(130)
})
