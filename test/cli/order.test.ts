import { createHash } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { orderOf } from '../../src/loader/index.ts'
import { load } from '../../src/vision/index.ts'
import { type PhotoCache, photoCache } from '../loader/photo-cache.ts'
import { built, headrace } from './built.ts'

let photos: PhotoCache
let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'headrace-order-'))
  photos = await photoCache(24, 32)
  await built()
})
afterAll(async () => {
  await photos.remove()
  await rm(folder, { recursive: true, force: true })
})

const plain = (length: number) => ({ length, schema: {}, fingerprint: '' })
const order = async (...args: string[]) => {
  const { code, stdout, stderr } = await headrace('order', ...args)
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return stdout
}

describe('order', () => {
  it('shows the samples of a rank with their names, as the loader delivers them', async () => {
    const args = ['--batch', '4', '--seed', '7', '--epoch', '2', '--rank', '1', '--world-size', '2', '--count', '6']
    const lines = (await order(photos.path, ...args)).trimEnd().split('\n')
    const options = { batchSize: 4, seed: 7, shuffle: true, rank: 1, worldSize: 2, epoch: 2 } as const
    const seen: number[] = []
    for await (const { meta } of load(photos.cache, { ...options, fields: ['label'] }))
      seen.push(...[...meta.index.data].map(Number))
    expect(lines[0]).toMatch(/^step {2}position {2}sample {2}name$/)
    const cells = lines.slice(1).map((line) => line.trim().split(/ {2,}/))
    expect(cells).toEqual(
      seen
        .slice(0, 6)
        .map((id, i) => [String(i < 4 ? 0 : 1), String(i < 4 ? 4 + i : 8 + i), String(id), photos.cache.describe(id)]),
    )
  })

  it('--json of a billion samples is what orderOf says', async () => {
    const document = JSON.parse(
      await order(
        '--length',
        '1000000000',
        '--seed',
        '7',
        '--epoch',
        '3',
        '--rank',
        '5',
        '--world-size',
        '8',
        '--count',
        '5',
        '--json',
      ),
    )
    const made = orderOf(plain(1e9), { sampler: 'random', seed: 7, rank: 5, worldSize: 8 })
    expect(document).toEqual({
      fingerprint: made.fingerprint,
      length: 1e9,
      seed: 7,
      rank: 5,
      worldSize: 8,
      globalBatch: 256,
      steps: made.steps,
      epoch: 3,
      step: 0,
      ids: [...made.step(3, 0).ids.subarray(0, 5)],
      positions: [160, 161, 162, 163, 164],
    })
  })

  it('marks padding', async () => {
    const lines = (await order('--length', '5', '--batch', '4', '--tail', 'pad', '--sampler', 'sequential')).split('\n')
    expect(lines.slice(5, 9).map((line) => line.trim().split(/ {2,}/))).toEqual([
      ['1', '4', '4'],
      ['1', '5', '0 (padding)'],
      ['1', '6', '1 (padding)'],
      ['1', '7', '2 (padding)'],
    ])
  })

  it('--hash is the SHA-256 of the whole epoch', async () => {
    const ids = orderOf(plain(5000), { sampler: 'random', seed: 3, batchSize: 5000, rank: 0, worldSize: 1 }).step(
      4,
      0,
    ).ids
    const expected = createHash('sha256').update(new Uint8Array(ids.buffer)).digest('hex')
    expect(await order('--length', '5000', '--seed', '3', '--epoch', '4', '--hash')).toBe(
      `${expected}  5000 samples of epoch 4, rank 0 of 1\n`,
    )
  })

  it('--state goes on where the loader stood, on another world size', async () => {
    const loader = load(photos.cache, {
      batchSize: 8,
      seed: 9,
      shuffle: true,
      fields: ['label'],
      rank: 0,
      worldSize: 1,
    })
    const whole: number[] = []
    let state = loader.state()
    for await (const { meta } of loader) {
      whole.push(...[...meta.index.data].map(Number))
      if (meta.step === 1) state = loader.state()
    }
    const path = join(folder, 'state.json')
    await writeFile(path, JSON.stringify(state))
    const ranks = await Promise.all(
      ['0', '1'].map(async (rank) =>
        JSON.parse(await order(photos.path, '--state', path, '--rank', rank, '--world-size', '2', '--json')),
      ),
    )
    expect(ranks.map(({ epoch, step }) => ({ epoch, step }))).toEqual([
      { epoch: 0, step: 2 },
      { epoch: 0, step: 2 },
    ])
    expect(ranks.flatMap(({ ids }) => ids)).toEqual(whole.slice(16))
  })

  it('draws by the weights of a file', async () => {
    const path = join(folder, 'weights.txt')
    await writeFile(path, '0 1,2\n[3.5]\n')
    const { ids } = JSON.parse(
      await order(
        '--length',
        '4',
        '--sampler',
        'weighted',
        '--weights',
        path,
        '--samples',
        '50',
        '--count',
        '50',
        '--json',
      ),
    )
    const made = orderOf(plain(4), {
      sampler: 'weighted',
      weights: [0, 1, 2, 3.5],
      samples: 50,
      batchSize: 50,
      rank: 0,
      worldSize: 1,
    })
    expect(ids).toEqual([...made.step(0, 0).ids])
    const none = await order('--length', '4', '--sampler', 'weighted', '--weights', path, '--no-replacement', '--json')
    expect(JSON.parse(none).ids.sort()).toEqual([1, 2, 3])
  })

  it.each<[string[], number, string]>([
    [[], 2, 'order needs either an image cache or --length'],
    [['x.cache', '--length', '5'], 2, 'order needs either an image cache or --length'],
    [['--length', '5', '--step', '9'], 2, '--step 9: the epoch has 1 steps on this rank'],
    [['--length', '5', '--rank', '2', '--world-size', '2'], 2, 'rank must be less than worldSize (2), but got 2'],
    [['--length', '5', '--sampler', 'weighted'], 2, "sampler 'weighted' needs weights, one a sample"],
    [['--length', '5', '--sampler', 'weighted', '--weights', '/nowhere/w'], 1, 'reading /nowhere/w: ENOENT'],
    [['--length', '5', '--state', 'package.json'], 1, 'resume: version must be 1, but got "'],
  ])('%j is refused', async (args, exit, message) => {
    const { code, stderr } = await headrace('order', ...args)
    expect(code).toBe(exit)
    expect(stderr).toContain(message)
  })
})
