import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { tableEntries, tableOf } from '../../src/checkpoint/bundle/table.ts'
import { type CheckpointFile, checkpointFiles, loadCheckpoint, saveCheckpoint } from '../../src/checkpoint/index.ts'
import { FileStore } from '../../src/storage/file/file.ts'
import { failing } from '../storage/conformance.ts'
import { withFaults } from '../storage/wrappers/faults.ts'
import { goldenRun, specOf } from './golden.ts'

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'headrace-bundle-test-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

const filesOf = (name: string, moment?: { epoch: number; step: number }) => {
  const run = goldenRun(name)
  return checkpointFiles(specOf(run), 0, run.ranks, moment)
}
const FOLDER = 'global_epoch1_step1'

describe("TensorFlow's checkpoints", () => {
  test.each([
    ['ck_tf', { epoch: 1, step: 1 }],
    ['tf_tfr_eval_ckpt', { epoch: 1, step: 33 }],
  ] as const)('%s: the files that DLIO leaves', async (name, moment) => {
    const { files, fileBytes } = goldenRun(name)
    const folder = `global_epoch${moment.epoch}_step${moment.step}`
    const saved = filesOf(name, moment)
    const report = await saveCheckpoint({ url: dir, files: saved })
    const wanted = files.filter((path) => path.startsWith(`${folder}/`))
    expect((await readdir(join(dir, folder))).map((each) => `${folder}/${each}`).sort()).toEqual(wanted.toSorted())
    const sizes = await Promise.all(wanted.map(async (path) => (await stat(join(dir, path))).size))
    // Of the last file that was saved.
    const state = files.indexOf(`${folder}/checkpoint`)
    expect(sizes[wanted.indexOf(`${folder}/checkpoint`)]).toBe(fileBytes[state])
    for (const { key, bytes } of saved) expect(sizes[wanted.indexOf(key)]).toBe(bytes)
    expect(await loadCheckpoint({ url: dir, files: saved, verify: 'noise' })).toMatchObject({
      files: saved.length,
      bytes: report.bytes,
    })
  })

  test('name what was saved last', async () => {
    await saveCheckpoint({ url: dir, files: filesOf('ck_tf') })
    expect(await readFile(join(dir, FOLDER, 'checkpoint'), 'utf8')).toBe(
      'model_checkpoint_path: "zero_pp_rank_0_mp_rank_0_optim_states.pb-1"\n' +
        'all_model_checkpoint_paths: "zero_pp_rank_0_mp_rank_0_optim_states.pb-1"\n',
    )
  })

  test('are refused where their index is not there, damaged, or of other tensors', async () => {
    const [model, optimizer] = filesOf('ck_tf') as [CheckpointFile, CheckpointFile]
    await saveCheckpoint({ url: dir, files: [model, optimizer] })
    const path = join(dir, FOLDER, 'zero_pp_rank_0_mp_rank_0_model_states.pb-1.index')
    const load = () => loadCheckpoint({ url: dir, files: [model, optimizer] })
    const index = await readFile(path)
    const damaged = Buffer.from(index)
    damaged[20] = (damaged[20] ?? 0) ^ 1
    await writeFile(path, damaged)
    await expect(load()).rejects.toEqual(
      failing('E_CORRUPT', 'model_states.pb-1.index', 'checksum of the block at byte 0'),
    )
    await writeFile(path, index.subarray(0, 40))
    await expect(load()).rejects.toEqual(failing('E_CORRUPT', 'it is no table'))
    await writeFile(path, await readFile(path.replace('model', 'optim')))
    await expect(load()).rejects.toEqual(failing('E_CORRUPT', 'it names other tensors'))
    await rm(path)
    await expect(load()).rejects.toEqual(failing('E_NOT_FOUND', 'there is no index'))
  })

  test('leave no tensors without their index', async () => {
    const store = withFaults(new FileStore(dir), [{ op: 'put', times: 1, code: 'E_NO_SPACE' }])
    await expect(saveCheckpoint({ store, files: filesOf('ck_tf') })).rejects.toEqual(failing('E_NO_SPACE'))
    expect(await readdir(join(dir, FOLDER)).catch(() => [])).toEqual([])
    await store.close()
  })

  test('have tensors of no bytes, and of one', async () => {
    const tensors = [0, 1, 0, 3, 0].map((length, i) => ({ name: `t${4 - i}`, shape: [length], dtype: 'int8' as const }))
    const file: CheckpointFile = { key: 'x.pb-1.data-00000-of-00001', tensors, bytes: 4, layout: 'bundle' }
    await saveCheckpoint({ url: dir, files: [file] })
    expect((await readdir(dir)).sort()).toEqual(['checkpoint', 'x.pb-1.data-00000-of-00001', 'x.pb-1.index'])
    const keys = [...tableEntries(await readFile(join(dir, 'x.pb-1.index')))].map(([key]) =>
      Buffer.from(key).toString(),
    )
    expect(keys).toEqual(['', ...[0, 1, 2, 3, 4].map((i) => `t${i}/.ATTRIBUTES/VARIABLE_VALUE`)])
    await loadCheckpoint({ url: dir, files: [file], verify: 'noise' })
  })
})

test('a table of several blocks gives back its entries', () => {
  const entries = Array.from(
    { length: 500 },
    (_, i) => [Buffer.from(`key/${String(i).padStart(5, '0')}`), Buffer.alloc(1500, i)] as const,
  )
  const table = tableOf(entries)
  expect(table.length).toBeGreaterThan(500 * 1500)
  const found = [...tableEntries(table)]
  expect(found.length).toBe(500)
  for (const [i, [key, value]] of entries.entries()) {
    expect(Buffer.compare(found[i]?.[0] ?? key.subarray(1), key)).toBe(0)
    expect(Buffer.compare(found[i]?.[1] ?? value.subarray(1), value)).toBe(0)
  }
  expect([...tableEntries(tableOf([]))]).toEqual([])
})
