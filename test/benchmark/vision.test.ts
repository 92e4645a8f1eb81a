import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type BenchVisionOptions, benchVision } from '../../src/benchmark/vision/index.ts'
import { buildImageCache, PRESETS } from '../../src/vision/index.ts'
import { built, headrace } from '../cli/built.ts'
import { type PhotoCache, photoCache } from '../loader/photo-cache.ts'
import { awkwardFolder } from '../vision/awkward-set.ts'

let photos: PhotoCache
beforeAll(async () => {
  photos = await photoCache(20, 64)
  await built()
})
afterAll(() => photos.remove())

const bench = ({ pipeline = 'rrc', ...options }: Partial<BenchVisionOptions>) =>
  benchVision(photos.path, {
    pipeline,
    ...(pipeline === 'raw' || pipeline === 'decode' ? {} : { size: 32 }),
    batch: 8,
    ...options,
  })

describe('the report', () => {
  it('has what the issue lists, and its numbers belong together', async () => {
    const report = await bench({ threads: 2, epochs: 4 })
    expect(report).toMatchObject({
      pipeline: 'rrc',
      threads: 2,
      batchShape: [8, 32, 32, 3],
      dtype: 'uint8',
      layout: 'NHWC',
      shuffle: false,
      cache: { encoding: 'jpeg', images: 20, bytes: photos.cache.info.bytes },
      skipped: 0,
      replaced: 0,
    })
    expect(report.epochs.map(({ epoch, images }) => [epoch, images])).toEqual([0, 1, 2, 3].map((epoch) => [epoch, 20]))
    for (const { images, seconds, imagesPerSecond } of report.epochs) expect(imagesPerSecond).toBe(images / seconds)
    const [, a, b, c] = report.epochs.map((epoch) => epoch.imagesPerSecond) as [number, number, number, number]
    expect(report.imagesPerSecond).toBe([a, b, c].sort((x, y) => x - y)[1])
    const cpu = report.epochs.slice(1).reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0)
    expect(report.cpuSecondsPerImage).toBeCloseTo(cpu / 60, 12)
    expect(report.memory.slotBytes).toBe(3 * 2 ** 21) // prefetch + 1
    expect(report.peakRssBytes).toBeGreaterThan(report.memory.slotBytes + report.memory.scratchBytes)
  })

  it.each([
    ['raw', { layout: null }, [8, expect.any(Number)]],
    ['decode', {}, [8]],
    ['center', { layout: 'NCHW', dtype: 'float32' }, [8, 3, 32, 32]],
    ['train', { dtype: 'float16' }, [8, 32, 32, 3]],
    ['crop', {}, [8, 32, 32, 3]],
    ['resize-center', {}, [8, 32, 32, 3]],
  ] as const)('of %s has its shape', async (pipeline, options, batchShape) => {
    const report = await bench({ pipeline, epochs: 1, ...(pipeline === 'raw' ? {} : options) })
    expect(report).toMatchObject({ pipeline, batchShape, dtype: 'uint8', layout: 'NHWC', ...options })
    expect(report.epochs).toMatchObject([{ epoch: 0, images: 20 }])
    expect(report.imagesPerSecond).toBe(report.epochs[0]?.imagesPerSecond)
  })

  it('covers every preset', () =>
    expect([...PRESETS]).toEqual(['raw', 'decode', 'rrc', 'center', 'crop', 'resize-center', 'train']))

  it.runIf(process.platform === 'linux')('of a cold epoch says what was in memory before it', async () => {
    const { cold } = await bench({ cold: true, epochs: 1 })
    expect(cold?.imagesPerSecond).toBeGreaterThan(0)
    expect(cold?.residentShare).toBeGreaterThanOrEqual(0)
    expect(cold?.residentShare).toBeLessThanOrEqual(1)
    expect(await bench({ epochs: 1 })).not.toHaveProperty('cold')
  })

  it('counts images that were skipped', async () => {
    const set = await awkwardFolder()
    await buildImageCache(set.root, set.place('cache'), { onError: 'skip' })
    const options = { pipeline: 'decode', batch: 8, epochs: 2, onError: 'skip' } as const
    expect(await benchVision(set.place('cache'), options)).toMatchObject({
      skipped: 2,
      epochs: [{ images: 37 }, { images: 37 }],
    })
    expect(await benchVision(set.place('cache'), { ...options, onError: 'replace' })).toMatchObject({
      skipped: 0,
      replaced: 2,
      epochs: [{ images: 38 }, { images: 38 }],
    })
    await expect(benchVision(set.place('cache'), { ...options, onError: 'throw' })).rejects.toMatchObject({
      code: 'E_CORRUPT',
    })
    await set.remove()
  })

  it.each<[Partial<BenchVisionOptions>, string]>([
    [{ pipeline: 'rcc' as never }, 'pipeline must be one of "raw", "decode", "rrc"'],
    [{ epochs: 0 }, 'epochs must be a positive integer, but got 0'],
    [{ batch: 1.5 }, 'batch must be a positive integer, but got 1.5'],
    [{ thread: 1 } as never, 'benchVision has no option "thread"'],
    [{ pipeline: 'raw', dtype: 'float32' }, 'the pipeline raw takes no dtype'],
    [{ pipeline: 'raw', layout: 'NCHW' }, 'the pipeline raw takes no layout'],
    [{ pipeline: 'raw', size: 32 }, 'the pipeline raw takes no size'],
    [{ pipeline: 'raw', dct: 'ifast' }, 'the pipeline raw takes no dct'],
    [{ pipeline: 'raw', ratio: 1 }, 'the pipeline raw takes no ratio'],
    [{ pipeline: 'decode', size: 32 }, 'the pipeline decode takes no size'],
    [{ pipeline: 'decode', ratio: 1 }, 'the pipeline decode takes no ratio'],
    [{ pipeline: 'rrc', ratio: 0.5 }, 'the pipeline rrc takes no ratio'],
    [{ pipeline: 'train', ratio: 0.5 }, 'the pipeline train takes no ratio'],
  ])('refuses %j', async (options, message) => {
    await expect(bench(options)).rejects.toThrow(message)
  })
})

describe('headrace bench vision', () => {
  it('--json prints that report alone, with every option taken', async () => {
    const flags =
      '--pipeline center --size 24 --batch 5 --epochs 2 --threads 1 --shuffle --seed 3 --dtype float32 --layout nchw --ratio 0.875 --dct ifast --json'
    const { code, stdout, stderr } = await headrace('bench', 'vision', photos.path, ...flags.split(' '))
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(JSON.parse(stdout)).toMatchObject({
      pipeline: 'center',
      threads: 1,
      batchShape: [5, 3, 24, 24],
      dtype: 'float32',
      layout: 'NCHW',
      shuffle: true,
      cache: { encoding: 'jpeg', images: 20 },
      epochs: [{ epoch: 0, images: 20 }, { epoch: 1 }],
      imagesPerSecond: expect.any(Number),
      cpuSecondsPerImage: expect.any(Number),
      peakRssBytes: expect.any(Number),
    })
  })

  it('in words says images/s, CPU and memory', async () => {
    const { stdout } = await headrace(
      'bench',
      'vision',
      photos.path,
      '--pipeline',
      'raw',
      '--epochs',
      '2',
      '--threads',
      '1',
    )
    expect(stdout).toMatch(/^epoch 0: 20 images in [\d.]+ s, [\d,]+ images\/s\nepoch 1: 20 images/)
    expect(stdout).toMatch(/\nimages\/s +[\d,]+ \(median of the epochs after the first\)\n/)
    expect(stdout).toMatch(/\npipeline +raw -> \[20, \d+\] uint8, 1 thread, \w+\n/)
    expect(stdout).toMatch(/\npeak memory +[\d.]+ MiB: slots 2 MiB, scratch/)
  })

  it('says that pictures of their own sizes are ragged, and which epoch its number is of', async () => {
    const flags = '--pipeline decode --epochs 1 --threads 2 --layout nchw'
    const { stdout } = await headrace('bench', 'vision', photos.path, ...flags.split(' '))
    expect(stdout).toMatch(/\npipeline +decode -> \[20\] ragged uint8 NCHW, 2 threads, \w+\n/)
    expect(stdout).toMatch(/\nimages\/s +[\d,]+ \(of the only epoch\)\n/)
  })

  it('ends with 2 for an option that the pipeline has no use for', async () => {
    expect(await headrace('bench', 'vision', photos.path, '--pipeline', 'raw', '--dtype', 'float32')).toEqual({
      code: 2,
      stdout: '',
      stderr: 'headrace: the pipeline raw takes no dtype [E_USAGE]\n',
    })
  })
})
