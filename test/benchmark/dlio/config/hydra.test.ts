// biome-ignore-all lint/suspicious/noTemplateCurlyInString: Hydra's interpolations
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { resolveConfig } from '../../../../src/benchmark/dlio/config/resolve.ts'
import { failing } from '../../../storage/conformance.ts'
import { RUNS } from '../goldens.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'headrace-hydra-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** A folder with these files. */
async function laid(files: Readonly<Record<string, string>>): Promise<string> {
  const root = await mkdtemp(join(folder, 'c-'))
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, name)), { recursive: true })
    await writeFile(join(root, name), text)
  }
  return root
}

const NOW = new Date(2026, 10, 26, 4, 5, 6, 789)

describe("Hydra's files are those of the real DLIO", () => {
  const cases = Object.entries(RUNS).filter(([, { hydra }]) => hydra !== undefined)
  test.each(cases)('%s', async (_, { workload, hydra }) => {
    const configDir = await laid({ 'workload/golden.yaml': workload })
    const found = await resolveConfig({ configDir, overrides: ['workload=golden'], env: {} })
    expect(found.hydra.files['config.yaml']).toBe(hydra?.['config.yaml'])
    expect(found.hydra.files['overrides.yaml']).toBe(hydra?.['overrides.yaml'])
    expect(found.hydra.subdir).toBe('.hydra')
  })

  test('output_subdir and run.dir', async () => {
    const found = await resolveConfig({
      workload: 'unet3d_h100',
      overrides: ['++hydra.output_subdir=dlio_config', 'hydra.run.dir=/out/%Y', '++workload.train.epochs=1'],
      env: {},
    })
    expect(found.hydra.subdir).toBe('dlio_config')
    expect(found.outputFolder).toBe('/out/%Y')
    expect(found.hydra.files['overrides.yaml']).toBe('- workload=unet3d_h100\n- ++workload.train.epochs=1\n')
    expect(found.hydra.files['hydra.yaml']).toContain(
      '    - ++hydra.output_subdir=dlio_config\n    - hydra.run.dir=/out/%Y\n    - hydra.mode=RUN\n',
    )
    const none = await resolveConfig({ overrides: ['hydra.output_subdir=null'], env: {} })
    expect(none.hydra.subdir).toBeNull()
  })
})

describe('the folder of a run', () => {
  test("is Hydra's default, in local time", async () => {
    const { outputFolder, workload } = await resolveConfig({ workload: 'bert_v100', env: {}, now: NOW })
    expect(outputFolder).toBe('./hydra_log/bert/2026-11-26-04-05-06')
    expect(workload.output.folder).toBe(outputFolder)
  })

  test('takes patterns of strftime', async () => {
    const overrides = ['hydra.run.dir=./o/${workload.framework}/${now:%y%j_%a_%b_%I%p_%f_%%}']
    const { outputFolder } = await resolveConfig({ workload: 'unet3d_h100', overrides, env: {}, now: NOW })
    expect(outputFolder).toBe('./o/pytorch/26330_Thu_Nov_04AM_789000_%')
  })

  test('output.folder wins', async () => {
    const { outputFolder } = await resolveConfig({
      overrides: ['++workload.output.folder=res', 'hydra.run.dir=x'],
      env: {},
    })
    expect(outputFolder).toBe('res')
  })
})

describe('overrides', () => {
  async function tree(...overrides: string[]): Promise<Record<string, unknown>> {
    return (await resolveConfig({ workload: 'unet3d_h100', overrides, env: {} })).tree as Record<string, unknown>
  }

  test('set what is there', async () => {
    expect(await tree('workload.train.epochs=2')).toMatchObject({ train: { epochs: 2, computation_time: 0.323 } })
  })

  test('add and force what is not', async () => {
    expect(await tree('+workload.reader.prefetch_size=4', '++workload.evaluation.eval_time=0.5')).toMatchObject({
      reader: { prefetch_size: 4, batch_size: 7 },
      evaluation: { eval_time: 0.5 },
    })
  })

  test('maps are merged, lists replaced', async () => {
    expect(
      await tree(
        '++workload.train={epochs: 1, seed: 5}',
        '++workload.profiling.iostat_devices=[a,b]',
        'workload.profiling.iostat_devices=[c]',
      ),
    ).toMatchObject({
      train: { epochs: 1, seed: 5, computation_time: 0.323 },
      profiling: { iostat_devices: ['c'] },
    })
  })

  test('delete', async () => {
    expect(await tree('~workload.checkpoint', '~workload.train.epochs=5')).toEqual({
      ...(await tree()),
      train: { computation_time: 0.323 },
      checkpoint: undefined,
    })
  })

  test.each([
    [
      'workload.train.epoch=2',
      'workload.train.epoch is not in the config',
      'did you mean workload.train.epochs? to add it, write ++workload.train.epoch=2',
    ],
    [
      'workload.evaluation.eval_time=1',
      'workload.evaluation.eval_time is not in the config',
      'to add it, write ++workload.evaluation.eval_time=1',
    ],
    ['+workload.train.epochs=2', 'workload.train.epochs is there already', '++workload.train.epochs=… replaces it'],
    ['~workload.train.x', 'workload.train.x is not in the config', undefined],
    ['~workload.train.epochs=3', 'workload.train.epochs is 5', undefined],
    [
      'train.epochs=2',
      'train.epochs is not in the config',
      'did you mean workload.train.epochs? to add it, write ++train.epochs=2',
    ],
  ])('%s is refused', async (override, message, hint) => {
    const error = (await tree(override).catch((reason: unknown) => reason)) as {
      code: string
      message: string
      details: { hint?: string }
    }
    expect([error.code, error.message]).toEqual(['E_CONFIG', `override "${override}": ${message}`])
    expect(error.details.hint).toBe(hint)
  })

  test.each([
    [['++workload=x'], 'a group takes workload=NAME, without +'],
    [['workload=null'], 'workload takes the name of a config'],
    [['workload=[a,1]'], 'workload takes the name of a config'],
    [['hydra.mode=MULTIRUN'], 'sweeps are not run'],
    [['workload=unet3d_h100,bert_v100'], 'names several values'],
  ])('%j is refused', async (overrides, message) => {
    await expect(resolveConfig({ overrides, env: {} })).rejects.toThrow(message)
  })

  test("Hydra's other keys are told to have no effect", async () => {
    const { warnings } = await resolveConfig({
      overrides: ['hydra.callbacks=x', 'hydra/job_logging=disabled', 'hydra.verbose=true'],
      env: {},
    })
    expect(warnings.map(({ key }) => key)).toEqual(['hydra.callbacks'])
  })
})

describe('groups', () => {
  test('the default workload is default', async () => {
    expect((await resolveConfig({ env: {} })).workload.model.name).toBe('default')
  })

  test('a name that is not there is answered with the nearest', async () => {
    const error = (await resolveConfig({ workload: 'unet3d_h10', env: {} }).catch((reason: unknown) => reason)) as {
      message: string
      details: { hint: string }
    }
    expect(error).toEqual(failing('E_NOT_FOUND', 'there is no workload "unet3d_h10"'))
    expect(error.details.hint).toBe('did you mean unet3d_h100?')
  })

  test.each(['../secret', '/etc/passwd', 'a/../../b', '.hidden'])('%s is no name', async (workload) => {
    await expect(resolveConfig({ workload, env: {} })).rejects.toThrow(failing('E_CONFIG', 'is no name of a workload'))
  })

  test("the user's own wins over a published one, which is told", async () => {
    const configDir = await laid({ 'workload/unet3d_h100.yaml': 'model: {name: mine}\n' })
    const mine = await resolveConfig({ workload: 'unet3d_h100', configDir, env: {} })
    expect(mine.workload.model.name).toBe('mine')
    expect(mine.warnings[0]?.message).toContain('there is another workload of this name')
    const theirs = await resolveConfig({ workload: 'unet3d_h100', configDir, profile: 'dlio', env: {} })
    expect(theirs.workload.model.name).toBe('unet3d')
  })

  test('a primary config with a defaults list', async () => {
    const configDir = await laid({
      'main.yaml':
        'defaults:\n  - _self_\n  - workload: small\n  - optional extra: none\n  - override hydra/job_logging: disabled\nhydra:\n  run:\n    dir: out/x\nworkload:\n  train: {seed: 7, epochs: 9}\n',
      'workload/small.yaml': 'defaults:\n  - base\n  - _self_\nmodel: {name: small}\ntrain: {epochs: 2}\n',
      'workload/base.yaml':
        'model: {name: base, type: cnn}\nframework: pytorch\nreader: {data_loader: pytorch}\ndataset: {format: npz}\n',
      'workload/other.yaml': 'model: {name: other}\n',
    })
    const found = await resolveConfig({ configDir, configName: 'main', env: {} })
    expect(found.tree).toEqual({
      train: { seed: 7, epochs: 2 },
      model: { name: 'small', type: 'cnn' },
      framework: 'pytorch',
      reader: { data_loader: 'pytorch' },
      dataset: { format: 'npz' },
    })
    expect(found.outputFolder).toBe('out/x')
    const chosen = await resolveConfig({
      configDir,
      configName: 'main',
      overrides: ['workload=other', 'hydra.run.dir=y'],
      env: {},
    })
    expect(chosen.tree).toEqual({ train: { seed: 7, epochs: 9 }, model: { name: 'other' } })
    expect(chosen.outputFolder).toBe('y')
  })

  test('configs in a circle are refused', async () => {
    const configDir = await laid({ 'workload/a.yaml': 'defaults: [b]\n', 'workload/b.yaml': 'defaults: [a]\n' })
    await expect(resolveConfig({ workload: 'a', configDir, env: {} })).rejects.toThrow(
      failing('E_CONFIG', 'in a circle'),
    )
  })

  test('hydra.searchpath adds folders', async () => {
    const configDir = await laid({ 'workload/far.yaml': 'model: {name: far}\n' })
    const found = await resolveConfig({
      overrides: ['workload=far', `hydra.searchpath=[file://${configDir}]`],
      env: {},
    })
    expect(found.workload.model.name).toBe('far')
  })

  test('a config that Hydra wrote can be run again', async () => {
    const first = await resolveConfig({ workload: 'unet3d_h100', overrides: ['workload.train.epochs=2'], env: {} })
    const configDir = await laid({ 'config.yaml': first.hydra.files['config.yaml'] ?? '' })
    const second = await resolveConfig({ file: join(configDir, 'config.yaml'), env: {} })
    expect(second.tree).toEqual(first.tree)
    expect({ ...second.workload, output: undefined }).toEqual({ ...first.workload, output: undefined })
  })
})

describe('interpolations', () => {
  async function resolvedTree(text: string, env: Record<string, string> = {}): Promise<unknown> {
    const configDir = await laid({ 'workload/w.yaml': text })
    return (await resolveConfig({ workload: 'w', configDir, env, now: NOW })).resolved
  }

  test('take values of the config with their types, the environment and the time', async () => {
    const text = [
      'model: {name: m, model_size_bytes: "${workload.train.seed}"}',
      'train: {seed: 5, epochs: "${.seed}", computation_time: "${oc.env:STEP,0.5}"}'.replace(
        '"${oc.env:STEP,0.5}"',
        '"${oc.decode:${oc.env:STEP,0.5}}"',
      ),
      'dataset: {data_folder: "/d/${oc.env:WHO}/${now:%Y}/${workload.model.name}", file_prefix: "\\\\${x}"}',
      'reader: {batch_size: "${workload.n.${workload.k}}"}',
      'k: a',
      'n: {a: 3}',
    ].join('\n')
    expect(await resolvedTree(text, { WHO: 'me' })).toMatchObject({
      model: { model_size_bytes: 5 },
      train: { epochs: 5, computation_time: 0.5 },
      dataset: { data_folder: '/d/me/2026/m', file_prefix: '${x}' },
      reader: { batch_size: 3 },
    })
  })

  test.each([
    ['model: {name: "${workload.none}"}', 'there is no workload.none in the config'],
    ['model: {name: "${oc.env:NONE}"}', 'the environment has no NONE'],
    ['model: {name: "${oc.create:x}"}', 'there is no resolver "oc.create"'],
    ['model: {name: "${workload.model.name}"}', 'is an interpolation of itself'],
    ['model: {name: "${x"}', 'an interpolation does not end'],
    ['model: {name: "x${workload.train}"}\ntrain: {seed: 1}', 'a list or map cannot stand within a text'],
  ])('%s is refused with its place', async (text, message) => {
    await expect(resolvedTree(text)).rejects.toThrow(failing('E_CONFIG', 'w.yaml:1:15', message))
  })
})
