import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { built, headrace } from './built.ts'

let folder: string
beforeAll(async () => {
  await built()
  folder = await mkdtemp(join(tmpdir(), 'headrace-dlio-config-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

async function json(...args: string[]): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await headrace(...args)
  expect(stderr).toBe('')
  expect(code).toBe(0)
  return JSON.parse(stdout) as Record<string, unknown>
}

describe('headrace dlio config', () => {
  test('prints what a config comes to', async () => {
    const { workload, plan, warnings } = await json(
      'dlio',
      'config',
      'workload=unet3d_h100',
      '--ranks',
      '2',
      '++workload.train.epochs=3',
      '--json',
    )
    expect(workload).toMatchObject({
      model: { name: 'unet3d', model_size: 499153191 },
      dataset: { num_files_train: 168, file_prefix: 'img' },
      train: { epochs: 3, seed: 123 },
    })
    expect(plan).toEqual({
      trainFiles: 168,
      evalFiles: 0,
      samples: 168,
      evalSamples: 0,
      recordBytes: 12107 ** 2,
      recordShape: [12107, 12107],
      totalBytes: 25_285_981_919,
      evalBytes: 0,
      stepsPerEpoch: 12,
      evalStepsPerEpoch: 0,
      // Without ZeRO the first replica alone is saved.
      checkpoint: { files: 1, totalBytes: 499153191, bytesPerRank: [499153191, 0] },
    })
    expect(warnings).toEqual([
      expect.objectContaining({
        key: 'model.model_size',
        line: 4,
        column: 3,
        file: expect.stringMatching(/unet3d_h100\.yaml$/),
      }),
    ])
  })

  test('finds workloads by the names of their publishers too', async () => {
    const { plan } = await json('dlio', 'config', 'workload=mlperf-v2/resnet50_h100', '--ranks', '8', '--json')
    expect(plan).toMatchObject({ samples: 1_281_024, stepsPerEpoch: 400, checkpoint: null })
  })

  test('a number of ranks that cannot save is told', async () => {
    const { plan, warnings } = await json('dlio', 'config', 'workload=llama_405b', '--json')
    expect((plan as { checkpoint: unknown }).checkpoint).toBeNull()
    expect(JSON.stringify(warnings)).toContain('1 rank is no multiple of')
  })

  test('--cfg job prints YAML', async () => {
    const { code, stdout } = await headrace(...['dlio', 'config', 'workload=bert_v100', '--cfg', 'job'])
    expect(code).toBe(0)
    expect(stdout.split('\n').slice(0, 3)).toEqual(['workload:', '  model:', '    name: bert'])
  })

  test('workflow.query prints one value', async () => {
    const { stdout } = await headrace(
      ...['dlio', 'config', 'workload=bert_v100', '++workload.workflow.query=dataset.num_files_train'],
    )
    expect(stdout).toBe('500\n')
  })

  test.each([
    [['workload=nope'], 1, 'E_NOT_FOUND'],
    [['workload.train.epochs'], 2, 'E_USAGE'],
    [['workload=bert_v100', 'workload.reader.batch_size=x'], 1, 'E_CONFIG'],
    [['-m', 'workload=bert_v100'], 2, 'sweeps are not run'],
  ])('%j fails', async (args, exit, message) => {
    const { code, stderr, stdout } = await headrace(...['dlio', 'config', ...args, '--json'])
    expect([code, stdout]).toEqual([exit, ''])
    expect(stderr).toContain(message)
  })
})

describe('headrace validate', () => {
  const TEXT =
    'model: {name: small}\nframework: pytorch\ndataset: {data_folder: "file:///d", num_files_train: 4}\nreader: {batch_size: 2, prefetch: 8, shuffle: true}\n'

  test('says what is valid, and warns', async () => {
    const file = join(folder, 'a.yaml')
    await writeFile(file, TEXT)
    const { code, stdout, stderr } = await headrace(...['validate', '-c', file])
    expect(code).toBe(0)
    expect(stdout).toContain('valid\n')
    expect(stderr).toContain('warning: reader.data_loader is not given')
  })

  test('--to-json gives the config and the options of the loader, --to-yaml the config again', async () => {
    const yaml = join(folder, 'b.yaml')
    await writeFile(yaml, TEXT)
    const document = await json('validate', '-c', yaml, '--to-json')
    expect(document).toMatchObject({
      model: { name: 'small' },
      reader: { prefetch: 8 },
      loader_options: { batch_size: 2, prefetch: 8, shuffle: true },
    })
    const { model, framework, dataset, reader } = document
    const config = join(folder, 'b.json')
    await writeFile(config, JSON.stringify({ model, framework, dataset, reader }))
    const { stdout } = await headrace(...['validate', '-c', config, '--to-yaml'])
    expect(stdout).toBe(
      'model:\n  name: small\nframework: pytorch\ndataset:\n  data_folder: file:///d\n  num_files_train: 4\nreader:\n  batch_size: 2\n  prefetch: 8\n  shuffle: true\n',
    )
  })

  test('a broken file fails with its place', async () => {
    const file = join(folder, 'c.yaml')
    await writeFile(file, 'model: {name: x\n')
    const { code, stderr } = await headrace(...['validate', '-c', file])
    expect(code).toBe(1)
    expect(stderr).toContain(`${file}:2:1:`)
  })
})
