import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type BenchProtocolOptions, benchProtocol, benchVision, PROTOCOLS } from '../../src/benchmark/vision/index.ts'
import { npyHeader } from '../../src/formats/npy.ts'
import { buildImageCache } from '../../src/vision/index.ts'
import { built, headrace } from '../cli/built.ts'
import { type PhotoCache, photoCache } from '../loader/photo-cache.ts'
import { awkwardFolder } from '../vision/awkward-set.ts'

let photos: PhotoCache
beforeAll(async () => {
  photos = await photoCache(10, 64)
  await built()
})
afterAll(() => photos.remove())

const protocol = (options: Partial<BenchProtocolOptions> = {}) =>
  benchProtocol(photos.path, { protocol: 'slipstream', size: 32, batch: 4, threads: 2, ...options })

/** Operation, batch shape and views of the ten runs, in their order. */
const runsOf = (raw: readonly unknown[], decoded: readonly number[], cropped: readonly number[]) =>
  (
    [
      ['raw', raw],
      ['decode', decoded],
      ['center', cropped],
      ['rrc', cropped],
      ['multi-crop', cropped, { views: ['view_0', 'view_1'] }],
    ] as const
  ).flatMap(([operation, batchShape, views = {}]) =>
    ['sequential', 'shuffled'].map((order) => ({
      operation,
      order,
      batchShape,
      ...views,
      epochs: [0, 1, 2].map((epoch) => ({
        epoch,
        cold: epoch === 0,
        images: 10,
        seconds: expect.any(Number),
        imagesPerSecond: expect.any(Number),
        residentBefore: expect.any(Number),
        deviceBytes: process.platform === 'linux' ? expect.any(Number) : undefined,
      })),
    })),
  )

describe("slipstream's protocol", () => {
  it('is ten runs of three epochs, the first of them cold', async () => {
    expect(await protocol()).toEqual({
      protocol: 'slipstream',
      cache: { encoding: 'jpeg', images: 10, bytes: photos.cache.info.bytes },
      threads: 2,
      dtype: 'uint8',
      layout: 'NHWC',
      runs: runsOf([4, expect.any(Number)], [4], [4, 32, 32, 3]),
      peakRssBytes: expect.any(Number),
    })
  })

  it('has size, batch, dtype and layout of its own to choose', async () => {
    const { runs, ...report } = await protocol({ size: 24, batch: 10, threads: 1, dtype: 'float16', layout: 'NCHW' })
    expect(report).toMatchObject({ threads: 1, dtype: 'float16', layout: 'NCHW' })
    expect(runs).toEqual(runsOf([10, expect.any(Number)], [10], [10, 3, 24, 24]))
  })

  it("has slipstream's batch of 256 and size of 224 where nothing is chosen", async () => {
    const { runs } = await benchProtocol(photos.path, { protocol: 'slipstream' })
    expect(runs).toEqual(runsOf([10, expect.any(Number)], [10], [10, 224, 224, 3]))
  })

  it('is the same over packed coefficients', async () => {
    const path = join(photos.folder, 'dct.cache')
    await buildImageCache(photos.path, path, { encoding: 'dct' })
    const { cache, runs } = await benchProtocol(path, { protocol: 'slipstream', size: 32, batch: 4 })
    expect(cache).toMatchObject({ encoding: 'dct', images: 10 })
    expect(runs).toEqual(runsOf([4, expect.any(Number)], [4], [4, 32, 32, 3]))
  })

  it('counts a picture once, however many views it has, and its numbers belong together', async () => {
    for (const { epochs } of (await protocol()).runs)
      for (const { images, seconds, imagesPerSecond, residentBefore } of epochs) {
        expect(imagesPerSecond).toBe(images / seconds)
        expect(residentBefore).toBeGreaterThanOrEqual(0)
        expect(residentBefore).toBeLessThanOrEqual(1)
      }
  })

  it.runIf(process.platform === 'linux')('finds more of the cache in memory before warm epochs', async () => {
    for (const { epochs } of (await protocol()).runs) {
      const [cold = 1, ...warm] = epochs.map(({ residentBefore }) => residentBefore)
      for (const share of warm) expect(share).toBeGreaterThanOrEqual(cold)
    }
  })

  it('tells how far it is, every epoch of every run to its end', async () => {
    const ends: string[] = []
    await protocol({
      onProgress: ({ run, runs, operation, order, epoch, images, total }) => {
        if (images === total) ends.push(`${run}/${runs} ${operation} ${order} ${epoch}`)
      },
    })
    expect(ends).toHaveLength(30)
    expect([ends[0], ends[10], ends[29]]).toEqual([
      '0/10 raw sequential 0',
      '3/10 decode shuffled 1',
      '9/10 multi-crop shuffled 2',
    ])
  })

  it('ends at a bad picture, and says how to make a cache without it', async () => {
    const set = await awkwardFolder()
    await buildImageCache(set.root, set.place('cache'), { onError: 'skip' })
    await expect(benchProtocol(set.place('cache'), { protocol: 'slipstream', batch: 8 })).rejects.toMatchObject({
      code: 'E_CORRUPT',
      details: { hint: 'headrace cache build --validate decode makes a cache without such samples' },
    })
    await set.remove()
  })

  it('ends where its signal fires', async () => {
    const stop = new AbortController()
    const onProgress = () => stop.abort()
    await expect(protocol({ signal: stop.signal, onProgress })).rejects.toMatchObject({ code: 'E_CANCELLED' })
  })

  it.each<[object, string]>([
    [{ protocol: 'ffcv' }, 'protocol must be one of "slipstream", but got "ffcv"'],
    [{ pipeline: 'rrc' }, 'the protocol slipstream takes no pipeline; it takes size, batch, threads, dtype, layout'],
    [{ epochs: 5 }, 'the protocol slipstream takes no epochs; it takes'],
    [{ shuffle: true }, 'the protocol slipstream takes no shuffle; it takes'],
    [{ cold: true }, 'the protocol slipstream takes no cold; it takes'],
    [{ bacth: 3 }, 'the protocol slipstream takes no bacth; it takes'],
    [{ size: 0 }, 'size must be an integer from 1 to 65500, but got 0'],
    [{ batch: 1.5 }, 'batch must be a positive integer, but got 1.5'],
    [{ threads: -1 }, 'threads must be an integer from 1 to 1024, but got -1'],
    [{ dtype: 'int8' }, 'dtype must be one of'],
    [{ layout: 'CHW' }, 'layout must be one of'],
  ])('refuses %j', async (options, message) => {
    await expect(protocol(options)).rejects.toMatchObject({
      code: 'E_USAGE',
      message: expect.stringContaining(message),
    })
  })

  it('is the only one', () => expect([...PROTOCOLS]).toEqual(['slipstream']))
})

describe('the image field', () => {
  it('may have any name, for protocols and for pipelines', async () => {
    const jpeg = await readFile(join(photos.folder, 'photos', photos.cache.describe(0)))
    const path = join(photos.folder, 'named.cache')
    await buildImageCache([{ label: 1, photo: jpeg }], path)
    const { runs } = await benchProtocol(path, { protocol: 'slipstream', size: 16 })
    expect(runs.map(({ batchShape }) => batchShape.length)).toEqual([2, 2, 1, 1, 4, 4, 4, 4, 4, 4])
    expect(await benchVision(path, { pipeline: 'rrc', size: 16, epochs: 1 })).toMatchObject({
      batchShape: [1, 16, 16, 3],
    })
  })

  it('is refused where there is none', async () => {
    const path = join(photos.folder, 'labels.cache') // as slipstream may write one
    await mkdir(path)
    await writeFile(join(path, 'label.npy'), Buffer.concat([npyHeader('<i8', [1]), Buffer.alloc(8)]))
    const fields = { label: { type: 'int', num_samples: 1 } }
    await writeFile(join(path, 'manifest.json'), JSON.stringify({ version: 1, num_samples: 1, fields }))
    const refusal = { code: 'E_USAGE', message: `${path} has no image field: its fields are label` }
    await expect(benchProtocol(path, { protocol: 'slipstream' })).rejects.toMatchObject(refusal)
    await expect(benchVision(path, { pipeline: 'raw' })).rejects.toMatchObject(refusal)
  })
})

describe('headrace bench vision --protocol slipstream', () => {
  const command = (...flags: readonly string[]) =>
    headrace('bench', 'vision', photos.path, '--protocol', 'slipstream', ...flags)

  it('--json prints that report alone', async () => {
    const flags = '--size 24 --batch 5 --threads 1 --dtype float32 --layout nchw --json'
    const { code, stdout, stderr } = await command(...flags.split(' '))
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(JSON.parse(stdout)).toEqual({
      protocol: 'slipstream',
      cache: { encoding: 'jpeg', images: 10, bytes: photos.cache.info.bytes },
      threads: 1,
      dtype: 'float32',
      layout: 'NCHW',
      runs: runsOf([5, expect.any(Number)], [5], [5, 3, 24, 24]),
      peakRssBytes: expect.any(Number),
    })
  })

  it('in words is a table, a row per operation and order', async () => {
    const { code, stdout, stderr } = await command('--size', '24', '--batch', '5', '--threads', '1')
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const [caption, heads, ...lines] = stdout.split('\n')
    expect(caption).toBe('images/s of three epochs; before the first, the cache is dropped from memory')
    expect(heads?.split(/ {2,}/)).toEqual([
      'operation',
      'order',
      'cold',
      'warm',
      'warm',
      'batch shape',
      'resident before',
      'MiB from device',
    ])
    const rates = '( +[\\d,]+){3}'
    const cold = '[\\d.]+ % +([\\d.]+|unknown)'
    const shapes = [
      '\\[5, \\d+\\]',
      '\\[5\\] ragged',
      '\\[5, 24, 24, 3\\]',
      '\\[5, 24, 24, 3\\]',
      '2 x \\[5, 24, 24, 3\\]',
    ]
    for (const [i, operation] of ['raw', 'decode', 'center', 'rrc', 'multi-crop'].entries())
      for (const [j, order] of ['sequential', 'shuffled'].entries())
        expect(lines[2 * i + j]).toMatch(new RegExp(`^${operation} +${order}${rates}  ${shapes[i]} +${cold}$`))
    expect(lines.slice(10).join('\n')).toMatch(
      /^\nprotocol +slipstream: uint8 NHWC \(raw: the stored bytes\), 1 thread\ncache +10 images, [\d.]+ KiB, jpeg\npeak memory +[\d.]+ MiB, with pages of the cache\n$/,
    )
    expect(new Set(lines.slice(0, 10).map((line) => line.length))).toEqual(new Set([heads?.length]))
  })

  it('draws a bar for every epoch with --progress', async () => {
    const { code, stderr } = await command('--size', '24', '--progress')
    expect(code).toBe(0)
    expect(stderr).toMatch(/10\/10 multi-crop shuffled epoch 2 █+ 100% [\d,]+ images\/s/)
  })

  it.each([
    [['--pipeline', 'rrc'], 'pipeline'],
    [['--epochs', '3'], 'epochs'],
    [['--shuffle'], 'shuffle'],
    [['--cold'], 'cold'],
    [['--seed', '1'], 'seed'],
    [['--prefetch', '1'], 'prefetch'],
    [['--ratio', '0.5'], 'ratio'],
    [['--dct', 'ifast'], 'dct'],
    [['--on-error', 'skip'], 'onError'],
  ] as const)('ends with 2 for %j', async (flags, name) => {
    expect(await command(...flags)).toEqual({
      code: 2,
      stdout: '',
      stderr: `headrace: the protocol slipstream takes no ${name}; it takes size, batch, threads, dtype, layout [E_USAGE]\n`,
    })
  })
})
