import { oneOf, positiveInteger } from '../../checks.ts'
import { availableCores } from '../../cores.ts'
import { HeadraceError, isHeadraceError } from '../../errors.ts'
import { MAX_JPEG_SIDE } from '../../formats/jpeg.ts'
import type { Loader } from '../../loader/index.ts'
import {
  centerCrop,
  decode,
  type ImageDType,
  type ImageLayout,
  type LoadOptions,
  load,
  randomResizedCrop,
} from '../../vision/index.ts'
import { timeEpoch } from './epoch.ts'
import { type MeasuredCache, openMeasured } from './measured-cache.ts'

/**
 * A fixed set of measurements, so that two machines or two tools are compared over the same ones. `slipstream` is that
 * of slipstream 0.4's benchmarks (benchmark_loader.py, and decoding alone from benchmark_decode.py), with a cold epoch
 * in place of its warm-up and every operation in shuffled order, too. docs/benchmarks.md says where the two differ.
 */
export const PROTOCOLS = ['slipstream'] as const
export type Protocol = (typeof PROTOCOLS)[number]

const OPERATIONS = ['raw', 'decode', 'center', 'rrc', 'multi-crop'] as const
export type ProtocolOperation = (typeof OPERATIONS)[number]

const ORDERS = ['sequential', 'shuffled'] as const
export type ProtocolOrder = (typeof ORDERS)[number]

/** The first is cold, the others are warm. */
const EPOCHS = 3

/** --target-size and --batch-size of slipstream's benchmarks. */
const DEFAULT_SIZE = 224
const DEFAULT_BATCH = 256

/** slipstream's names of its two crops. */
const VIEWS = ['view_0', 'view_1'] as const

export interface BenchProtocolOptions {
  readonly protocol: Protocol
  /** Output pixels, the side of a square. 224. */
  readonly size?: number
  /** Images a batch. 256. */
  readonly batch?: number
  readonly threads?: number
  /** Of all operations but raw: uint8. */
  readonly dtype?: ImageDType
  /** Of all operations but raw: NHWC. */
  readonly layout?: ImageLayout
  readonly signal?: AbortSignal
  readonly onProgress?: (done: ProtocolProgress) => void
}

export interface ProtocolProgress {
  /** Counts from 0, of `runs`. */
  readonly run: number
  readonly runs: number
  readonly operation: ProtocolOperation
  readonly order: ProtocolOrder
  readonly epoch: number
  /** Of this epoch. */
  readonly images: number
  readonly total: number
  readonly seconds: number
}

/** What a caller may choose, of which messages tell. */
const CHOICES = ['size', 'batch', 'threads', 'dtype', 'layout'] as const satisfies (keyof BenchProtocolOptions)[]
const OPTIONS: readonly string[] = ['protocol', ...CHOICES, 'signal', 'onProgress']

export interface ProtocolEpoch {
  readonly epoch: number
  /** Whether the cache's pages were dropped before it. */
  readonly cold: boolean
  /** Pictures, however many views each of them has. */
  readonly images: number
  readonly seconds: number
  readonly imagesPerSecond: number
  /** Share of the cache that was in memory before it, 0..1. */
  readonly residentBefore: number
  /** Read from the device during it; undefined where the system does not tell. */
  readonly deviceBytes: number | undefined
}

export interface ProtocolRun {
  readonly operation: ProtocolOperation
  readonly order: ProtocolOrder
  /** Of the first batch; of multi-crop, of each view. raw: stored bytes. decode: [images], each of its own size. */
  readonly batchShape: readonly number[]
  /** Of multi-crop: their names. */
  readonly views?: readonly string[]
  readonly epochs: readonly ProtocolEpoch[]
}

export interface BenchProtocolReport {
  readonly protocol: Protocol
  readonly cache: MeasuredCache['facts']
  readonly threads: number
  /** dtype and layout are of all operations but raw. */
  readonly dtype: ImageDType
  readonly layout: ImageLayout
  readonly runs: readonly ProtocolRun[]
  readonly peakRssBytes: number
}

/**
 * Carries a protocol out over an image cache: every operation in every order, three epochs each, the first of them
 * after the cache's pages were dropped. E_USAGE for options that a protocol does not leave open.
 */
export async function benchProtocol(path: string, options: BenchProtocolOptions): Promise<BenchProtocolReport> {
  const protocol = oneOf('protocol', options.protocol, PROTOCOLS)
  refuseFixed(protocol, options)
  const { dtype = 'uint8', layout = 'NHWC', signal, onProgress } = options
  const size = positiveInteger('size', options.size ?? DEFAULT_SIZE, MAX_JPEG_SIDE)
  const general = {
    batchSize: positiveInteger('batch', options.batch ?? DEFAULT_BATCH),
    threads: positiveInteger('threads', options.threads ?? availableCores(), 1024),
    rank: 0,
    worldSize: 1,
    ...(signal === undefined ? {} : { signal }),
  }
  const measured = await openMeasured(path)
  try {
    // Loaders take memory at their first step only; made here, an option that one of them refuses ends the protocol
    // before its first epoch.
    const plans = OPERATIONS.flatMap((operation) =>
      ORDERS.map((order) => {
        const loader: Loader = load(measured.dataset, {
          ...general,
          ...imageOptions(operation, size),
          ...(operation === 'raw' ? {} : { dtype, layout }),
          fields: measured.fields,
          shuffle: order === 'shuffled',
        })
        return { operation, order, loader }
      }),
    )
    const runs: ProtocolRun[] = []
    for (const { operation, order, loader } of plans) {
      const where = { run: runs.length, runs: plans.length, operation, order, total: measured.facts.images }
      const { batchShape, epochs } = await measure(measured, loader, (now) => onProgress?.({ ...where, ...now }))
      runs.push({ operation, order, batchShape, ...(operation === 'multi-crop' ? { views: VIEWS } : {}), epochs })
    }
    const { threads } = general
    const peakRssBytes = process.resourceUsage().maxRSS * 1024
    return { protocol, cache: measured.facts, threads, dtype, layout, runs, peakRssBytes }
  } finally {
    await measured.close()
  }
}

function refuseFixed(protocol: Protocol, options: object): void {
  for (const name of Object.keys(options))
    if (!OPTIONS.includes(name))
      throw new HeadraceError('E_USAGE', `the protocol ${protocol} takes no ${name}; it takes ${CHOICES.join(', ')}`)
}

/** slipstream's operations. Its center takes the central pixels as they are, its crops lie around a target point. */
function imageOptions(operation: ProtocolOperation, size: number): Pick<LoadOptions, 'image' | 'views'> {
  const crop = randomResizedCrop(size, { law: 'slipstream' })
  switch (operation) {
    case 'raw':
      return {}
    case 'decode':
      return { image: [decode()] }
    case 'center':
      return { image: [centerCrop(size)] }
    case 'rrc':
      return { image: [crop] }
    case 'multi-crop':
      return { views: Object.fromEntries(VIEWS.map((name) => [name, [crop]])) }
  }
}

type Tell = (now: Pick<ProtocolProgress, 'epoch' | 'images' | 'seconds'>) => void

/** The epochs of one run. Closes the loader. */
async function measure(
  measured: MeasuredCache,
  loader: Loader,
  tell: Tell,
): Promise<Pick<ProtocolRun, 'batchShape' | 'epochs'>> {
  const epochs: ProtocolEpoch[] = []
  let batchShape: readonly number[] = []
  try {
    for (let epoch = 0; epoch < EPOCHS; epoch++) {
      const cold = epoch === 0
      if (cold) measured.dropPages()
      const residentBefore = measured.residentShare()
      const timed = await timeEpoch(loader, measured.image, (images, seconds) => tell({ epoch, images, seconds }))
      const { images, seconds, imagesPerSecond, deviceBytes } = timed
      epochs.push({ epoch, cold, images, seconds, imagesPerSecond, residentBefore, deviceBytes })
      if (cold) batchShape = timed.batchShape
    }
  } catch (error) {
    throw withoutPolicy(error)
  } finally {
    loader.close()
  }
  return { batchShape, epochs }
}

/** A protocol is over every picture, so the loader's advice to skip the bad ones helps nobody here. */
function withoutPolicy(error: unknown): unknown {
  if (!isHeadraceError(error) || error.details.sample === undefined) return error
  const hint = 'headrace cache build --validate decode makes a cache without such samples'
  return new HeadraceError(error.code, error.message, { ...error.details, hint, cause: error })
}
