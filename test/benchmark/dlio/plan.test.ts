import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { resolveConfig } from '../../../src/benchmark/dlio/config/resolve.ts'
import { planRun } from '../../../src/benchmark/dlio/plan.ts'
import type { Phase, Profile, RunPlan, Workload } from '../../../src/benchmark/dlio/types.ts'
import { failing } from '../../storage/conformance.ts'
import { GENERATED, profileOf, RUNS } from './goldens.ts'

let folder: string
let count = 0
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'headrace-plan-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

async function workloadOf(text: string, profile: Profile = 'default', ranks = 1): Promise<Workload> {
  const file = join(folder, `c${count++}.yaml`)
  await writeFile(file, text)
  return (await resolveConfig({ file, profile, ranks, env: {} })).workload
}

async function plan(text: string, ranks = 1, profile: Profile = 'default'): Promise<RunPlan> {
  return planRun(await workloadOf(text, profile, ranks), ranks)
}

/** train 1.2 [9..12], save 1.2 @12 */
function shown(phases: readonly Phase[]): string[] {
  return phases.map((phase) => {
    switch (phase.kind) {
      case 'generate':
        return 'generate'
      case 'train':
        return `train ${phase.epoch}.${phase.block} from ${phase.firstStep}, ${phase.steps}`
      case 'evaluate':
        return `evaluate ${phase.epoch}, ${phase.steps}`
      default:
        return `${phase.kind} ${phase.epoch}.${phase.number} at ${phase.step}`
    }
  })
}

/** Exits of runs that failed for reasons of their own, not for their configs. */
const RAN = Object.entries(RUNS).filter(([, { exit, steps }]) => exit === 0 && steps !== undefined)

describe('the phases are those of the real DLIO', () => {
  test.each(RAN)(
    '%s',
    async (_, { workload, dlio, ranks, steps = {}, stats = {}, checkpointFiles, generatedFirst }) => {
      const { phases } = await plan(workload, ranks, profileOf(dlio))
      for (const [epoch, blocks] of Object.entries(steps)) {
        const own = phases.filter((phase) => phase.kind !== 'generate' && phase.epoch === Number(epoch))
        const found = Object.fromEntries(
          own.flatMap((phase): [string, number][] =>
            phase.kind === 'train'
              ? [[`block${phase.block}`, phase.steps]]
              : phase.kind === 'evaluate'
                ? [['eval', phase.steps]]
                : [],
          ),
        )
        expect(found).toEqual(blocks)
        const names = own.map((phase) =>
          phase.kind === 'train'
            ? `block${phase.block}`
            : phase.kind === 'evaluate'
              ? 'eval'
              : phase.kind === 'generate'
                ? ''
                : `${phase.kind}_ckpt${phase.number}`,
        )
        expect(names.sort()).toEqual(stats[epoch])
      }
      const folders = phases.flatMap((phase) =>
        phase.kind === 'save' ? [`global_epoch${phase.epoch}_step${phase.step}`] : [],
      )
      expect(folders.sort()).toEqual([...new Set(checkpointFiles.map((path) => path.split('/')[0] ?? ''))].sort())
      expect(phases.some(({ kind }) => kind === 'generate')).toBe(
        !generatedFirst && workload.includes('generate_data: true'),
      )
    },
  )
})

test.each(Object.entries(GENERATED))(
  'the set %s is generated and nothing else',
  async (_, { workload, ranks, exit }) => {
    // What DLIO fails to generate is refused beforehand; what only its own reading breaks is not.
    const found = plan(workload, ranks)
    if (exit !== 0 && workload.includes('jpeg'))
      await expect(found).rejects.toThrow(failing('E_CONFIG', 'record_dims has 3 dimensions'))
    else expect((await found).phases).toEqual([{ kind: 'generate' }])
  },
)

const TRAIN =
  'framework: pytorch\nreader: {data_loader: pytorch, batch_size: 2}\ndataset: {format: npz, num_files_train: 20, num_files_eval: 4}\n'

describe('by default', () => {
  test('checkpoints by steps split epochs, and no block is empty', async () => {
    const { phases, stepsPerEpoch } = await plan(
      `${TRAIN}train: {epochs: 2}\nworkflow: {checkpoint: true}\ncheckpoint: {steps_between_checkpoints: 5}`,
    )
    expect(stepsPerEpoch).toBe(10)
    expect(shown(phases)).toEqual([
      'train 1.1 from 1, 5',
      'save 1.1 at 5',
      'train 1.2 from 6, 5',
      'save 1.2 at 10',
      'train 2.1 from 1, 5',
      'save 2.1 at 5',
      'train 2.2 from 6, 5',
      'save 2.2 at 10',
    ])
  })

  test('checkpoints and evaluations by epochs', async () => {
    const { phases } = await plan(
      `${TRAIN}train: {epochs: 5}\nworkflow: {checkpoint: true, evaluation: true, generate_data: true}\ncheckpoint: {checkpoint_after_epoch: 2, epochs_between_checkpoints: 2}\nevaluation: {eval_after_epoch: 3, epochs_between_evals: 2}`,
    )
    expect(shown(phases)).toEqual([
      'generate',
      'train 1.1 from 1, 10',
      'train 2.1 from 1, 10',
      'save 2.1 at 11',
      'train 3.1 from 1, 10',
      'evaluate 3, 4',
      'train 4.1 from 1, 10',
      'save 4.1 at 11',
      'train 5.1 from 1, 10',
      'evaluate 5, 4',
    ])
  })

  test('total_training_steps cuts every epoch', async () => {
    const { phases, stepsPerEpoch } = await plan(`${TRAIN}train: {epochs: 2, total_training_steps: 3}`)
    expect(stepsPerEpoch).toBe(3)
    expect(shown(phases)).toEqual(['train 1.1 from 1, 3', 'train 2.1 from 1, 3'])
  })

  test('evaluation alone', async () => {
    expect(shown((await plan(`${TRAIN}workflow: {train: false, evaluation: true}`)).phases)).toEqual(['evaluate 1, 4'])
  })

  test('checkpoints alone', async () => {
    expect(
      shown(
        (
          await plan(
            'workflow: {train: false, checkpoint: true}\ncheckpoint: {num_checkpoints_write: 2, num_checkpoints_read: 1}',
          )
        ).phases,
      ),
    ).toEqual(['save 1.1 at 1', 'save 1.2 at 2', 'load 1.1 at 1'])
  })

  test('every rank takes the same number of steps', async () => {
    expect((await plan(TRAIN, 3)).stepsPerEpoch).toBe(3)
    expect((await plan(`${TRAIN}`.replace('batch_size: 2', 'batch_size: 3, drop_last: false'), 4)).stepsPerEpoch).toBe(
      2,
    )
  })

  test.each([
    [11, 'no step: the set has 20 samples, but 11 ranks with batches of 2 need 22'],
    [100, 'no step: the set has 20 samples, but 100 ranks with batches of 2 need 200'],
  ])('%d ranks are too many', async (ranks, message) => {
    await expect(plan(TRAIN, ranks)).rejects.toThrow(failing('E_CONFIG', message))
  })

  test('ranks must fit the parallelism', async () => {
    const text = 'workflow: {train: false, checkpoint: true}\nmodel: {parallelism: {tensor: 2, pipeline: 2}}\n'
    await expect(plan(text, 6)).rejects.toThrow(
      failing('E_CONFIG', '6 ranks are no multiple of parallelism.tensor x parallelism.pipeline, 2 x 2'),
    )
    const subset = `${text.replace('pipeline: 2', 'pipeline: 2, data: 2')}checkpoint: {mode: subset}\n`
    expect((await plan(subset, 3)).ranks).toBe(3)
    await expect(plan(subset, 9)).rejects.toThrow(failing('E_CONFIG', '9 ranks are more than the whole job'))
  })
})

test('DLIO trims resnet50 to no file at all', async () => {
  const { workload } = await resolveConfig({ workload: 'resnet50_h100', profile: 'dlio', env: {} })
  expect(() => planRun(workload, 1)).toThrow(failing('E_CONFIG', 'DLIO trims the 1024 training files to none'))
  const mine = await resolveConfig({ workload: 'resnet50_h100', env: {} })
  expect(planRun(mine.workload, 8).stepsPerEpoch).toBe(400)
})

test('the fork deals whole files', async () => {
  expect(
    (await plan(TRAIN.replace('num_files_train: 20', 'num_files_train: 21'), 2, 'mlcommons-fork')).stepsPerEpoch,
  ).toBe(5)
})
