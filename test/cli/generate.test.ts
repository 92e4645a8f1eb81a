import { once } from 'node:events'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { golden } from '../generate/golden.ts'
import { built, headrace, shell, spawnHeadrace } from './built.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'headrace-generate-'))
  await built()
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const files = (name: string) =>
  readdirSync(join(folder, name), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => entry.name)

describe('headrace generate', () => {
  it('tells what it would make, makes it, and keeps it', async () => {
    const set = join(folder, 'a')
    const flags = ['--format', 'npz', '--files-train', '11', '--files-eval', '2', '--record-bytes', '4096']
    const dry = await headrace('generate', set, ...flags, '--dry-run')
    expect(dry).toMatchObject({ code: 0, stderr: '' })
    expect(dry.stdout).toContain('13 npz: 11 to train, 2 to evaluate')
    expect(dry.stdout).toContain(`${(13 * 4594).toLocaleString('en-US')} (58.3 KiB)`)
    expect(dry.stdout).toContain('train/img_00_of_11.npz')
    expect(existsSync(set)).toBe(false)
    const made = await headrace('generate', set, ...flags, '--json')
    expect(JSON.parse(made.stdout)).toMatchObject({ written: 13, kept: 0, bytes: 13 * 4594, dryRun: false })
    expect(files('a').length).toBe(13)
    const again = await headrace('generate', set, ...flags)
    expect(again.stdout).toContain('kept     13 files that were there')
  })

  it('makes the share of the rank that a launcher says', async () => {
    const set = join(folder, 'b')
    const line = `OMPI_COMM_WORLD_RANK=1 OMPI_COMM_WORLD_SIZE=3 HEADRACE generate ${set} --format npy --files-train 8 --json`
    const { stdout } = await shell(line)
    expect(JSON.parse(stdout)).toMatchObject({ rank: 1, size: 3, files: 3, written: 3 })
    expect(files('b').sort()).toEqual(['img_1_of_8.npy', 'img_4_of_8.npy', 'img_7_of_8.npy'])
  })

  it("makes the set of a DLIO config, and of dl-driver's", async () => {
    const config = join(folder, 'unet3d.yaml')
    await writeFile(
      config,
      'dataset:\n  data_folder: data\n  format: npz\n  num_files_train: 12\n  num_files_eval: 4\n' +
        '  record_length_bytes: 16384\n  record_length_bytes_stdev: 8192\nstorage:\n  storage_root: ' +
        `${folder}\nreader:\n  data_loader: pytorch\nframework: pytorch\n`,
    )
    const { code, stdout, stderr } = await headrace('generate', '-c', config, '--json')
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(JSON.parse(stdout)).toMatchObject({ written: 16, format: 'npz' })
    const set = golden.sets.npz_stdev?.files ?? []
    for (const [path, size] of set) expect(statSync(join(folder, 'data', path)).size, path).toBe(size)
    const less = await headrace(
      'generate',
      '-c',
      config,
      '++workload.dataset.num_files_train=3',
      '--naming',
      'dl-driver',
    )
    expect(less.stdout).toContain('7 files')
    expect(files('data')).toContain('train_file_000002.npz')
  })

  it('draws progress where it is asked to', async () => {
    const { stderr } = await headrace('generate', 'null://x', '--format', 'npy', '--progress', '--record-bytes', '30MB')
    expect(stderr).toContain('8 of 8 files')
  })

  it.each([
    [['generate'], 'a set needs a URL to lie at, or a config (-c)'],
    [['generate', 'x'], 'a set needs a format (--format), or a config (-c)'],
    [['generate', 'x', 'y=1', '--format', 'npz'], 'only a config (-c) has overrides, but got "y=1"'],
    [['generate', '-c', 'x.yaml', '--samples', '2'], '--samples cannot stand beside a config (-c)'],
    [
      ['generate', 'x', '--format', 'npz', '--overwrite', '--skip-existing'],
      "cannot be used with option '--overwrite'",
    ],
    [['generate', 'x', '--format', 'zarr'], 'Allowed choices are npz'],
    [['generate', 'x', '--format', 'npz', '--dedup', '0.5'], 'It must be a number of 1 or more.'],
    [['generate', 'x', '--format', 'npz', '--record-dims', '3,x'], 'It must be a positive integer.'],
    [['generate', 'x', '--format', 'npz', '--rank', '3', '--ranks', '2'], 'rank must be below size (2), but got 3'],
  ])('%j ends with 2', async (args, words) => {
    const { code, stderr, stdout } = await headrace(...args)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain(words)
  })

  it('says that a set does not fit, and what that is about', async () => {
    const args = ['--format', 'npy', '--files-train', '1000000', '--record-bytes', '100GB']
    const { code, stderr } = await headrace('generate', join(folder, 'c'), ...args)
    expect(code).toBe(1)
    expect(stderr).toMatch(/do not fit in .*are free there \[E_NO_SPACE\]\nhint: /)
  })

  it('stops at Ctrl-C without a part of a file, and says that it goes on from there', async () => {
    const set = join(folder, 'd')
    const args = [
      'generate',
      set,
      '--format',
      'npz',
      '--files-train',
      '2000',
      '--record-bytes',
      '1MB',
      '--threads',
      '2',
    ]
    const child = spawnHeadrace(...args)
    let stderr = ''
    child.stderr.on('data', (text) => {
      stderr += text
    })
    while (!existsSync(join(set, 'train')) || files('d').length < 20) await sleep(5)
    child.kill('SIGINT')
    const [code] = await once(child, 'exit')
    expect(code).toBe(130)
    expect(stderr).toContain('headrace: interrupted')
    expect(stderr).toMatch(/hint: \d+ of 2000 files are there and whole/)
    expect(files('d').filter((name) => !name.endsWith('.npz'))).toEqual([])
  })
})
