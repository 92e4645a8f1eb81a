import { describe, expect, test } from 'vitest'
import { type CheckpointSpec, checkpointFiles, checkpointSize, recoveryRank } from '../../src/checkpoint/index.ts'
import { failing } from '../storage/conformance.ts'
import { GOLDEN_RUNS, GOLDEN_SIZES, goldenRun, specOf, specOfLoaded } from './golden.ts'

const TORCH: Readonly<Record<string, string>> = {
  fp16: 'float16',
  bf16: 'bfloat16',
  fp32: 'float32',
  fp64: 'float64',
  int8: 'int8',
  uint8: 'uint8',
}

/** The moment that a golden's file is of. */
function momentOf(path: string) {
  const [, epoch, step] = /^global_epoch(\d+)_step(\d+)\//.exec(path) ?? []
  return { epoch: Number(epoch), step: Number(step) }
}

function filesOf(spec: CheckpointSpec, ranks: number, moment?: { epoch: number; step: number }) {
  return Array.from({ length: ranks }, (_, rank) => checkpointFiles(spec, rank, ranks, moment)).flat()
}

/** What TensorFlow puts beside its tensors. */
const isBeside = (path: string) => path.endsWith('.index') || path.endsWith('/checkpoint')

describe('the files are those that DLIO wrote', () => {
  test.each(GOLDEN_RUNS.map((run) => [run.case, run] as const))('%s: names', (_name, run) => {
    const moments = new Map(run.files.map((path) => [path.split('/')[0], momentOf(path)]))
    const names = [...moments.values()].flatMap((moment) =>
      filesOf(specOf(run), run.ranks, moment).map(({ key }) => key),
    )
    expect(names.sort()).toEqual(run.files.filter((path) => !isBeside(path)).sort())
  })

  const loaded = GOLDEN_RUNS.filter(({ tensors }) => Object.keys(tensors).length > 0)
  test.each(loaded.map((run) => [run.case, run] as const))('%s: tensors', (_name, run) => {
    const [first = ''] = Object.keys(run.tensors)
    const files = filesOf(specOf(run), run.ranks, momentOf(first))
    const tensorsOf = ({ tensors }: (typeof files)[number]) =>
      tensors.map(({ name, shape, dtype }) => [name, [shape, TORCH[dtype]]] as const)
    expect(Object.fromEntries(files.map((file) => [file.key, Object.fromEntries(tensorsOf(file))]))).toEqual(
      run.tensors,
    )
  })

  test('the fork stores tensors alone: the size of its files is ours', () => {
    const run = goldenRun('ck_F_z3_dp2')
    const bytes = filesOf(specOf(run), run.ranks).map(({ bytes }) => bytes)
    expect(bytes).toEqual([296640, 1783680, 296640, 1783680])
    expect(bytes).toEqual(run.fileBytes.slice(0, 4))
  })

  const counted = GOLDEN_RUNS.filter(({ sizeGB }) => sizeGB !== undefined)
  test.each(counted.map((run) => [run.case, run] as const))('%s: the size that its summary states', (_name, run) => {
    const { countedByDlio } = checkpointSize(specOf(run), run.ranks)
    expect(countedByDlio / 2 ** 30).toBeCloseTo(run.sizeGB ?? -1, 14)
  })
})

describe('published workloads have the figures that DLIO computes', () => {
  const cases = GOLDEN_SIZES.flatMap((size) =>
    Object.entries(size.ranks).map(([ranks, expected]) => [size.workload, Number(ranks), size, expected] as const),
  )
  test('there are refusals among them, and figures', () => {
    expect(cases.length).toBe(75)
    expect(cases.filter(([, , , expected]) => 'error' in expected).length).toBe(27)
  })

  test.each(cases)('%s on %i ranks', (_name, ranks, size, expected) => {
    const spec = specOfLoaded(size)
    if ('error' in expected) {
      const { tensor, pipeline } = spec.parallelism
      expect(() => checkpointSize(spec, ranks)).toThrow(
        failing('E_CONFIG', `multiple of ${tensor * pipeline}`, `but got ${ranks}`) as Error,
      )
      return
    }
    const { bytesPerRank, countedByDlio: _, ...totals } = checkpointSize(spec, ranks)
    expect(totals).toEqual({
      files: expected.files,
      tensors: expected.tensors,
      bytes: expected.tensor_bytes,
      parameters: expected.parameters,
    })
    expect(bytesPerRank.length).toBe(ranks)
    expect(bytesPerRank.reduce((sum, bytes) => sum + bytes, 0)).toBe(expected.tensor_bytes)
    for (const [rank, files] of Object.entries(expected.ranks_shown)) {
      expect(checkpointFiles(spec, Number(rank), ranks).map(({ key, bytes }) => [key, bytes])).toEqual(files)
      expect(bytesPerRank[Number(rank)]).toBe(files.reduce((sum, [, bytes]) => sum + bytes, 0))
    }
  })
})

describe('what cannot be is E_CONFIG', () => {
  const tiny = specOf(goldenRun('ck_z0'))
  const with_ = (parallelism: Partial<CheckpointSpec['parallelism']>, mode: CheckpointSpec['mode'] = 'default') => ({
    ...tiny,
    mode,
    parallelism: { ...tiny.parallelism, ...parallelism },
  })

  test.each([
    ['more stages than layers', with_({ pipeline: 6 }), 6, ['num_layers', 'at least', '6', 'but got 5']],
    ['ZeRO 3 with stages', with_({ pipeline: 2, zeroStage: 3 }), 2, ['zero_stage 3', 'pipeline 2']],
    ['data without subset', with_({ data: 2 }), 2, ['model.parallelism.data', 'subset', 'but got 2']],
    ['subset without data', with_({}, 'subset'), 1, ['subset', 'model.parallelism.data', '-1']],
    ['more ranks than the whole job', with_({ data: 2, tensor: 2 }, 'subset'), 5, ['5 ranks', "job's 4"]],
    ['ranks that do not divide', with_({ tensor: 2, pipeline: 2 }), 6, ['multiple of 4', 'but got 6']],
  ])('%s', (_name, spec, ranks, words) => {
    expect(() => checkpointFiles(spec, 0, ranks)).toThrow(failing('E_CONFIG', ...words) as Error)
  })

  test('a rank that is not there is E_USAGE', () => {
    expect(() => checkpointFiles(tiny, 2, 2)).toThrow(failing('E_USAGE', 'rank', '0 to 1', '2') as Error)
  })
})

describe('names and shares that the goldens do not show', () => {
  const tiny = specOf(goldenRun('ck_z0'))

  test('a pipeline gives its remainder to the first stages', () => {
    const spec: CheckpointSpec = {
      ...tiny,
      parallelism: { tensor: 1, pipeline: 3, data: -1, zeroStage: 1 },
    }
    const layers = [0, 1, 2].map((rank) =>
      checkpointFiles(spec, rank, 3).flatMap(({ key }) => /layer_(\d+)/.exec(key)?.[1] ?? []),
    )
    expect(layers).toEqual([
      ['0', '1', '2'],
      ['3', '4'],
      ['5', '6', '7'],
    ])
  })

  test('ZeRO 2 on tensor-parallel ranks without a pipeline: one model file for each', () => {
    const spec: CheckpointSpec = { ...tiny, parallelism: { tensor: 2, pipeline: 1, data: -1, zeroStage: 2 } }
    expect(filesOf(spec, 4, { epoch: 3, step: 70 }).map(({ key }) => key)).toEqual([
      'global_epoch3_step70/model_0_model_states.pt',
      'global_epoch3_step70/zero_pp_rank_0_mp_rank_0_optim_states.pt',
      'global_epoch3_step70/model_1_model_states.pt',
      'global_epoch3_step70/zero_pp_rank_0_mp_rank_1_optim_states.pt',
      'global_epoch3_step70/zero_pp_rank_1_mp_rank_0_optim_states.pt',
      'global_epoch3_step70/zero_pp_rank_1_mp_rank_1_optim_states.pt',
    ])
  })

  test('a model of no bytes and no layers saves nothing', () => {
    const spec: CheckpointSpec = {
      ...tiny,
      model: { kind: 'sized', bytes: 0, layers: -1, layerParameters: [16], optimizationGroups: [] },
    }
    expect(checkpointFiles(spec, 0, 1)).toEqual([])
    expect(checkpointSize(spec, 1)).toEqual({
      files: 0,
      tensors: 0,
      bytes: 0,
      bytesPerRank: [0],
      parameters: 0,
      countedByDlio: 0,
    })
  })
})

test('a rank recovers from the files of its place on the next host, on one host from its own', () => {
  expect([0, 1, 2, 3].map((rank) => recoveryRank(rank, 4, 2))).toEqual([2, 3, 0, 1])
  expect([0, 1, 2].map((rank) => recoveryRank(rank, 3, 3))).toEqual([0, 1, 2])
  expect(recoveryRank(7, 8, 1)).toBe(0)
})
