import { readFileSync } from 'node:fs'
import { knownOptions, oneOf, positiveInteger } from '../../checks.ts'
import { availableCores } from '../../cores.ts'
import type { Schema } from '../../datasets/types.ts'
import { HeadraceError } from '../../errors.ts'
import {
  type ImageDType,
  type ImageLayout,
  imageCacheInfo,
  load,
  openImageCache,
  PRESETS,
  type Preset,
  preset,
} from '../../vision/index.ts'

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
  readonly cache: { readonly encoding: string; readonly images: number; readonly bytes: number }
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

/** Bytes that this process made the block devices read (Linux). */
function deviceBytes(): number | undefined {
  try {
    const line = /^read_bytes: (\d+)$/m.exec(readFileSync('/proc/self/io', 'utf8'))
    return line?.[1] === undefined ? undefined : Number(line[1])
  } catch {
    return undefined
  }
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1
    ? (sorted[middle] as number)
    : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2
}

/** Progress is told at most this often. */
const PROGRESS_MS = 100

/** Times epochs over an image cache. Batches are taken and released; nothing else is done with them. */
export async function benchVision(path: string, options: BenchVisionOptions): Promise<BenchVisionReport> {
  knownOptions('benchVision', options, OPTIONS)
  const pipeline = oneOf('pipeline', options.pipeline, PRESETS)
  const batchSize = positiveInteger('batch', options.batch ?? 256)
  const epochs = positiveInteger('epochs', options.epochs ?? 3)
  const size = options.size === undefined ? undefined : positiveInteger('size', options.size, 65_500)
  const threads = positiveInteger('threads', options.threads ?? availableCores(), 1024)
  const { shuffle = false, seed = 0, layout, dtype, signal, cold = false, onProgress } = options
  const operations = preset(pipeline, { size, ratio: options.ratio, dct: options.dct })
  const decoded = operations.length > 0
  for (const name of ['dtype', 'layout'] as const)
    if (!decoded && options[name] !== undefined)
      throw new HeadraceError('E_USAGE', `the pipeline ${pipeline} takes no ${name}`)
  const info = await imageCacheInfo(path)
  const cache = await openImageCache(path)
  // Pictures and numbers: what a training step takes, and what the peers deliver. Strings are left out.
  const fields = Object.keys(cache.schema).filter(
    (name) => (cache.schema as Schema)[name]?.kind !== 'string',
  ) as 'image'[]
  const loader = load(cache, {
    fields,
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
    let residentShare = 1
    if (cold) {
      cache.dropPages()
      residentShare = cache.residentShare()
    }
    const results: EpochResult[] = []
    let batchShape: readonly number[] = []
    let coldBytes: number | undefined
    for (let epoch = 0; epoch < epochs; epoch++) {
      const before = deviceBytes()
      const cpu = process.cpuUsage()
      const start = performance.now()
      let images = 0
      let told = start
      for await (const { image, meta } of loader) {
        images += meta.size
        if (batchShape.length === 0) batchShape = shapeOf(image, meta.size)
        const now = performance.now()
        if (onProgress !== undefined && now - told >= PROGRESS_MS) {
          told = now
          onProgress({ epoch, images, total: cache.length, seconds: (now - start) / 1000 })
        }
      }
      const seconds = (performance.now() - start) / 1000
      const used = process.cpuUsage(cpu)
      const after = deviceBytes()
      if (epoch === 0 && before !== undefined && after !== undefined) coldBytes = after - before
      results.push({
        epoch,
        images,
        seconds,
        imagesPerSecond: images / seconds,
        cpuSeconds: (used.user + used.system) / 1e6,
      })
      onProgress?.({ epoch, images, total: cache.length, seconds })
    }
    const [first] = results
    if (first === undefined) throw new HeadraceError('E_USAGE', 'epochs must be at least 1')
    const warm = results.length > 1 ? results.slice(1) : results
    const { skipped, replaced } = loader.report()
    return {
      pipeline,
      threads,
      batchShape,
      dtype: dtype ?? 'uint8',
      layout: decoded ? (layout ?? 'NHWC') : null,
      shuffle,
      simd: info.simd,
      libjpegTurbo: info.libjpegTurbo,
      cache: { encoding: info.encoding, images: info.images, bytes: info.bytes },
      ...(cold ? { cold: { residentShare, deviceBytes: coldBytes, imagesPerSecond: first.imagesPerSecond } } : {}),
      epochs: results,
      imagesPerSecond: median(warm.map((e) => e.imagesPerSecond)),
      cpuSecondsPerImage: warm.reduce((sum, e) => sum + e.cpuSeconds, 0) / warm.reduce((sum, e) => sum + e.images, 0),
      peakRssBytes: process.resourceUsage().maxRSS * 1024,
      memory: { slotBytes: loader.slotBytes, scratchBytes: loader.scratchBytes },
      skipped,
      replaced,
    }
  } finally {
    loader.close()
    await cache.close()
  }
}

function shapeOf(image: unknown, size: number): readonly number[] {
  return (image as { readonly shape?: readonly number[] }).shape ?? [size]
}
