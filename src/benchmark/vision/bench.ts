import { knownOptions, oneOf, positiveInteger, progressOption } from '../../checks.ts'
import { availableCores } from '../../cores.ts'
import { HeadraceError } from '../../errors.ts'
import { MAX_JPEG_SIDE } from '../../formats/jpeg.ts'
import type { Loader } from '../../loader/index.ts'
import {
  type ImageCacheInfo,
  type ImageDType,
  type ImageLayout,
  load,
  PRESETS,
  type Preset,
  preset,
} from '../../vision/index.ts'
import { type TimedEpoch, timeEpoch } from './epoch.ts'
import { openMeasured } from './measured-cache.ts'
import { median } from './statistics.ts'

export interface BenchVisionOptions {
  readonly pipeline: Preset
  /** Output pixels, the side of a square. 224. Not of raw and decode. */
  readonly size?: number
  readonly batch?: number
  readonly epochs?: number
  readonly threads?: number
  readonly prefetch?: number
  readonly shuffle?: boolean
  readonly seed?: number
  /** Of all but raw: uint8. */
  readonly dtype?: ImageDType
  /** Of all but raw: NHWC. */
  readonly layout?: ImageLayout
  /** Share of the shorter side that `center` takes. 1. */
  readonly ratio?: number
  readonly dct?: 'islow' | 'ifast'
  /** Drop the cache's pages before the first epoch. false. */
  readonly cold?: boolean
  readonly onError?: 'throw' | 'skip' | 'replace'
  readonly signal?: AbortSignal
  readonly onProgress?: (done: {
    readonly epoch: number
    readonly images: number
    readonly total: number
    readonly seconds: number
  }) => void
}

const OPTIONS: readonly (keyof BenchVisionOptions)[] = [
  'pipeline',
  'size',
  'batch',
  'epochs',
  'threads',
  'prefetch',
  'shuffle',
  'seed',
  'dtype',
  'layout',
  'ratio',
  'dct',
  'cold',
  'onError',
  'signal',
  'onProgress',
]

export interface EpochResult {
  readonly epoch: number
  readonly images: number
  readonly seconds: number
  readonly imagesPerSecond: number
  /** User and system time of all threads. */
  readonly cpuSeconds: number
}

export interface BenchVisionReport {
  readonly pipeline: Preset
  readonly threads: number
  /** Of the first batch; raw and decode deliver one row or picture a sample, of its own size. */
  readonly batchShape: readonly number[]
  readonly dtype: string
  /** null: stored bytes have none. */
  readonly layout: ImageLayout | null
  readonly shuffle: boolean
  readonly simd: string
  readonly libjpegTurbo: string
  readonly cache: Pick<ImageCacheInfo, 'encoding' | 'images' | 'bytes'>
  /** With `cold`: what was in memory before the first epoch, and what that epoch read from the device. */
  readonly cold?: {
    readonly residentShare: number
    readonly deviceBytes: number | undefined
    readonly imagesPerSecond: number
  }
  readonly epochs: readonly EpochResult[]
  /** Median of the epochs after the first; of the only one where there is one. */
  readonly imagesPerSecond: number
  /** User and system time of all threads over the same epochs. */
  readonly cpuSecondsPerImage: number
  readonly peakRssBytes: number
  /** What the peak is made of, besides Node.js and the mapped cache. */
  readonly memory: { readonly slotBytes: number; readonly scratchBytes: number }
  /** Images left out, and images that others stood in for, over all epochs. */
  readonly skipped: number
  readonly replaced: number
}

/** Times epochs over an image cache. */
export async function benchVision(path: string, options: BenchVisionOptions): Promise<BenchVisionReport> {
  knownOptions('benchVision', options, OPTIONS)
  const pipeline = oneOf('pipeline', options.pipeline, PRESETS)
  const batchSize = positiveInteger('batch', options.batch ?? 256)
  const epochs = positiveInteger('epochs', options.epochs ?? 3)
  const size = options.size === undefined ? undefined : positiveInteger('size', options.size, MAX_JPEG_SIDE)
  const threads = positiveInteger('threads', options.threads ?? availableCores(), 1024)
  const { shuffle = false, seed = 0, layout, dtype, signal, cold = false } = options
  const onProgress = progressOption(options.onProgress)
  const operations = preset(pipeline, { size, ratio: options.ratio, dct: options.dct })
  const decoded = operations.length > 0
  for (const name of ['dtype', 'layout'] as const)
    if (!decoded && options[name] !== undefined)
      throw new HeadraceError('E_USAGE', `the pipeline ${pipeline} takes no ${name}`)
  const measured = await openMeasured(path)
  const loader: Loader = load(measured.dataset, {
    fields: measured.fields,
    batchSize,
    shuffle,
    seed,
    threads,
    epochs: 1,
    rank: 0,
    worldSize: 1,
    onError: options.onError ?? 'throw',
    ...(options.prefetch === undefined ? {} : { prefetch: options.prefetch }),
    ...(signal === undefined ? {} : { signal }),
    ...(decoded ? { image: operations } : {}),
    ...(layout === undefined ? {} : { layout }),
    ...(dtype === undefined ? {} : { dtype }),
  })
  try {
    if (cold) measured.dropPages()
    const residentShare = cold ? measured.residentShare() : 1
    const results: TimedEpoch[] = []
    const total = measured.facts.images
    for (let epoch = 0; epoch < epochs; epoch++) {
      const tell = (images: number, seconds: number) => onProgress?.({ epoch, images, total, seconds })
      results.push(await timeEpoch(loader, measured.image, tell))
    }
    const [first] = results
    if (first === undefined) throw new HeadraceError('E_USAGE', 'epochs must be at least 1')
    const warm = results.length > 1 ? results.slice(1) : results
    const { skipped, replaced } = loader.report()
    return {
      pipeline,
      threads,
      batchShape: first.batchShape,
      dtype: dtype ?? 'uint8',
      layout: decoded ? (layout ?? 'NHWC') : null,
      shuffle,
      simd: measured.info.simd,
      libjpegTurbo: measured.info.libjpegTurbo,
      cache: measured.facts,
      ...(cold
        ? { cold: { residentShare, deviceBytes: first.deviceBytes, imagesPerSecond: first.imagesPerSecond } }
        : {}),
      epochs: results.map(({ images, seconds, imagesPerSecond, cpuSeconds }, epoch) => ({
        epoch,
        images,
        seconds,
        imagesPerSecond,
        cpuSeconds,
      })),
      imagesPerSecond: median(warm.map((e) => e.imagesPerSecond)),
      cpuSecondsPerImage: warm.reduce((sum, e) => sum + e.cpuSeconds, 0) / warm.reduce((sum, e) => sum + e.images, 0),
      peakRssBytes: process.resourceUsage().maxRSS * 1024,
      memory: { slotBytes: loader.slotBytes, scratchBytes: loader.scratchBytes },
      skipped,
      replaced,
    }
  } finally {
    loader.close()
    await measured.close()
  }
}
