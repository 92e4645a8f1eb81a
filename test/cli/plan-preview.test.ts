import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  buildImageCache,
  centerCrop,
  decode,
  load,
  type RecordedPlan,
  randomHorizontalFlip,
  randomResizedCrop,
} from '../../src/vision/index.ts'
import { type PhotoCache, photoCache } from '../loader/photo-cache.ts'
import { awkwardFolder } from '../vision/awkward-set.ts'
import { built, headrace } from './built.ts'

let photos: PhotoCache
beforeAll(async () => {
  photos = await photoCache(24, 96)
  await built()
})
afterAll(() => photos.remove())

describe('plan', () => {
  const train = [decode(), randomResizedCrop(224), randomHorizontalFlip()] as const

  it('--json is the loader’s plan, and replayed it is the batch of that step', async () => {
    const { code, stdout, stderr } = await headrace(
      'plan',
      photos.path,
      '--batch',
      '4',
      '--seed',
      '7',
      '--epoch',
      '2',
      '--step',
      '3',
      '--json',
    )
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const plan = JSON.parse(stdout) as RecordedPlan
    const options = { image: train, batchSize: 4, shuffle: true, rank: 0, worldSize: 1 } as const
    const loader = load(photos.cache, { ...options, seed: 7 })
    expect(plan).toEqual(await loader.planStep(2, 3))
    using replayed = await load(photos.cache, { ...options, seed: 1 }).replay(plan)
    loader.setEpoch(2)
    for await (const { image, meta } of loader) {
      if (meta.step !== 3) continue
      expect(Buffer.compare(replayed.image.data, image.data)).toBe(0)
      expect([...replayed.meta.index.data]).toEqual([...meta.index.data])
    }
    loader.close()
  })

  it('in words names every sample, its crop and its mirroring', async () => {
    const { stdout } = await headrace('plan', photos.path, '--batch', '4', '--seed', '7')
    const plan = await load(photos.cache, {
      image: train,
      batchSize: 4,
      shuffle: true,
      seed: 7,
      rank: 0,
      worldSize: 1,
    }).planStep(0, 0)
    const { image } = plan.fields.image as {
      readonly image: readonly { box: { x: number; y: number; width: number; height: number }; flip: boolean }[]
    }
    const lines = plan.ids.map((id, row) => {
      const { box, flip } = image[row] as (typeof image)[number]
      return `  ${String(id).padStart(7)}  ${photos.cache.describe(id)}  image x ${box.x} y ${box.y} ${box.width}x${box.height}${flip ? ' mirrored' : ''}`
    })
    expect(stdout).toBe(`epoch 0, step 0: 4 samples\n${lines.join('\n')}\n`)
  })

  it('of the last of several ranks says what is padding', async () => {
    const args = [
      'plan',
      photos.path,
      '--batch',
      '5',
      '--world-size',
      '2',
      '--rank',
      '1',
      '--step',
      '2',
      '--sequential',
      '--pipeline',
      'raw',
    ] as const
    const { stdout } = await headrace(...args)
    const paths = [0, 1, 2, 3, 4].map((n) => [20, 21, 22, 23, 0, 1, 2, 3, 4, 5][n + 5] as number)
    const lines = paths.map((id) => `  ${String(id).padStart(7)}  ${photos.cache.describe(id)}  `)
    expect(stdout).toBe(`epoch 0, step 2: 5 samples, 5 of them padding\n${lines.join('\n')}\n`)
    expect(JSON.parse((await headrace(...args, '--json')).stdout)).toMatchObject({
      ids: [1, 2, 3, 4, 5],
      repeats: [1, 1, 1, 1, 1],
      padding: 5,
    })
  })
})

/** Pixels between pictures of a sheet, and around them. */
const GAP = 4

async function tile(file: string, column: number, row: number, size: number): Promise<Buffer> {
  const left = GAP + column * (size + GAP)
  const top = GAP + row * (size + GAP)
  return sharp(file).extract({ left, top, width: size, height: size }).raw().toBuffer()
}

describe('preview', () => {
  it('draws the first pictures of the epoch as the loader gives them', async () => {
    const out = join(photos.folder, 'sheet.png')
    const { code, stdout, stderr } = await headrace(
      'preview',
      photos.path,
      '--out',
      out,
      '--size',
      '48',
      '--count',
      '12',
      '--seed',
      '5',
      '--epoch',
      '1',
    )
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: `${out}: 12 pictures\n`, stderr: '' })
    const { width, height, format, channels } = await sharp(out).metadata()
    expect({ width, height, format, channels }).toEqual({
      width: 4 * 52 + 4,
      height: 3 * 52 + 4,
      format: 'png',
      channels: 3,
    })
    const loader = load(photos.cache, {
      image: [randomResizedCrop(48)],
      batchSize: 12,
      shuffle: true,
      seed: 5,
      epoch: 1,
      rank: 0,
      worldSize: 1,
    })
    for await (const { image } of loader) {
      for (const [n, column, row] of [
        [0, 0, 0],
        [3, 3, 0],
        [10, 2, 2],
      ] as const)
        expect(
          Buffer.compare(await tile(out, column, row, 48), image.data.subarray(n * 48 * 48 * 3, (n + 1) * 48 * 48 * 3)),
          `picture ${n}`,
        ).toBe(0)
      break
    }
  })

  it('--sequential --pipeline center shows the first pictures of the cache', async () => {
    const out = join(photos.folder, 'centre.png')
    const { stdout } = await headrace(
      'preview',
      photos.path,
      '--out',
      out,
      '--size',
      '40',
      '--count',
      '2',
      '--pipeline',
      'center',
      '--sequential',
      '--json',
    )
    expect(JSON.parse(stdout)).toEqual({
      file: out,
      images: 2,
      skipped: 0,
      replaced: 0,
      bytes: (await readFile(out)).length,
    })
    for await (const { image } of load(photos.cache, {
      image: [centerCrop(40, { ratio: 1 })],
      batchSize: 2,
      rank: 0,
      worldSize: 1,
    })) {
      expect(Buffer.compare(await tile(out, 1, 0, 40), image.data.subarray(40 * 40 * 3))).toBe(0)
      break
    }
  })

  it('takes --ratio for center and refuses it elsewhere, as plan does', async () => {
    const out = join(photos.folder, 'ratio.png')
    const preview = ['preview', photos.path, '--out', out, '--size', '16', '--ratio', '0.5']
    expect((await headrace(...preview, '--pipeline', 'center')).code).toBe(0)
    expect((await headrace(...preview)).stderr).toBe('headrace: the pipeline rrc takes no ratio [E_USAGE]\n')
    const { stdout } = await headrace('plan', photos.path, '--pipeline', 'center', '--ratio', '0.5', '--json')
    const { box } = JSON.parse(stdout).fields.image.image[0]
    expect(Math.min(box.width, box.height)).toBeLessThan(64)
  })

  it('shows all there are where more are asked for', async () => {
    const out = join(photos.folder, 'all.png')
    const { stdout } = await headrace('preview', photos.path, '--out', out, '--size', '16', '--count', '100', '--json')
    expect(JSON.parse(stdout)).toMatchObject({ images: 24 })
    expect(await sharp(out).metadata()).toMatchObject({ width: 6 * 20 + 4, height: 4 * 20 + 4 })
  })

  it('into a folder that is not there ends with 1 and one line that names it', async () => {
    const { code, stdout, stderr } = await headrace(
      'preview',
      photos.path,
      '--out',
      join(photos.folder, 'no/where.png'),
    )
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toMatch(/^headrace: .*no\/where\.png.*\n$/)
    expect(stderr).toContain('[E_NOT_FOUND]')
  })

  it('onto a folder is refused by the flag', async () => {
    const out = join(photos.folder, 'folder.png')
    await mkdir(out)
    const { code, stderr } = await headrace('preview', photos.path, '--out', out, '--size', '16')
    expect({ code, stderr }).toEqual({ code: 2, stderr: `headrace: --out ${out}: that is a folder [E_USAGE]\n` })
  })

  it('of a bad picture names --on-error, which skips or replaces it', async () => {
    const set = await awkwardFolder()
    await buildImageCache(set.root, set.place('cache'), { onError: 'skip' })
    const args = ['preview', set.place('cache'), '--out', set.place('sheet.png'), '--size', '16', '--count', '100']
    const preview = (...more: string[]) => headrace(...args, '--pipeline', 'resize-center', ...more)
    const thrown = await preview()
    expect(thrown.code).toBe(1)
    expect(thrown.stderr).toMatch(/\nhint: --on-error skip or --on-error replace goes on without such samples\n$/)
    expect((await preview('--on-error', 'skip')).stdout).toBe(`${set.place('sheet.png')}: 37 pictures, 1 skipped\n`)
    expect((await preview('--on-error', 'replace')).stdout).toBe(`${set.place('sheet.png')}: 38 pictures, 1 replaced\n`)
    expect(JSON.parse((await preview('--on-error', 'skip', '--json')).stdout)).toMatchObject({
      images: 37,
      skipped: 1,
      replaced: 0,
    })
    await set.remove()
  })
})
