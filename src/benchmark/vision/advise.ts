import { totalmem } from 'node:os'
import { join } from 'node:path'
import { knownOptions, positiveInteger, show } from '../../checks.ts'
import { availableCores } from '../../cores.ts'
import { HeadraceError, throwIfAborted } from '../../errors.ts'
import { withScratch } from '../../scratch.ts'
import { type SampledPictures, samplePictures } from '../../vision/cache/sampled-pictures.ts'
import { type BuildReport, buildImageCache, type ImageCache, openImageCache, type Skipped } from '../../vision/index.ts'
import { type BuildCandidate, buildOptionsOf, CANDIDATES, nameOf, type TrialSchema } from './candidates.ts'
import { fidelities, SAME } from './fidelity.ts'
import { type EncodingAdvice, type MeasuredEncoding, recommend } from './recommend.ts'
import { timeInTurns } from './turns.ts'

export interface AdviseProgress {
  readonly doing: 'building' | 'comparing' | 'timing'
  /** Of `total`: pictures, or turns. */
  readonly done: number
  readonly total: number
}

export interface AdviseOptions {
  /** Pictures that are tried, spread evenly over the source; all where it has no more. 256. */
  readonly samples?: number
  /** Side of the random crops that are timed, in pixels. 224. */
  readonly size?: number
  /** Decode threads of the timed loaders. 1. */
  readonly threads?: number
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: AdviseProgress) => void
}

const OPTIONS: readonly (keyof AdviseOptions)[] = ['samples', 'size', 'threads', 'signal', 'onProgress']

export interface AdviseReport {
  readonly source: string
  /** Samples of the source. */
  readonly images: number
  /** Pictures that were tried: bad ones are not among them. */
  readonly sampled: number
  /** Bad pictures of the sample. */
  readonly skipped: readonly Skipped[]
  /** How many of the sampled pictures are not JPEG and become it, by type. */
  readonly reencoded: Readonly<Record<string, number>>
  readonly size: number
  readonly threads: number
  readonly simd: string
  /** What can hold pages of a cache: the machine's memory, or less where a container has less. */
  readonly memoryBytes: number
  readonly encodings: readonly MeasuredEncoding[]
  readonly recommendation: EncodingAdvice
}

/** A small cache of one candidate. */
interface Trial {
  readonly candidate: BuildCandidate
  readonly report: BuildReport
  readonly cache: ImageCache<TrialSchema>
}

/**
 * Tries every encoding on samples of `source`, a folder of pictures or a cache of JPEG or packed coefficients: bytes,
 * images per second of random crops on this machine, and pixels against those of the source. Small caches are built in
 * a folder of their own in $HEADRACE_SCRATCH, or where the system has temporary files, and removed in the end.
 *
 * Bad pictures are left out and reported. E_USAGE for options that do not fit, E_UNSUPPORTED for a cache of which no
 * picture files can be made, E_CANCELLED; E_NOT_FOUND and others as `buildImageCache`.
 */
export async function adviseEncoding(source: string, options: AdviseOptions = {}): Promise<AdviseReport> {
  if (typeof source !== 'string' || source === '')
    throw new HeadraceError('E_USAGE', `source must be the path of a folder or a cache, but got ${show(source)}`)
  knownOptions('adviseEncoding', options, OPTIONS)
  const samples = positiveInteger('samples', options.samples ?? 256)
  const size = positiveInteger('size', options.size ?? 224, 65_500)
  const threads = positiveInteger('threads', options.threads ?? 1, 1024)
  const { signal, onProgress = () => {} } = options
  throwIfAborted(signal, 'the advice')
  const pictures = await samplePictures(source, samples, signal)
  try {
    return await withScratch('advise', async (folder) => {
      const trials: Trial[] = []
      try {
        await buildTrials(pictures, folder, trials, options)
        const caches = trials.map(({ cache }) => cache)
        const [first, ...others] = caches
        if (first === undefined) throw new Error('there is always a first candidate')
        const sampled = first.length
        const comparisons = await fidelities(first, others, availableCores(), signal, (done) =>
          onProgress({ doing: 'comparing', done, total: sampled }),
        )
        const rates = await timeInTurns(caches, { size, threads, signal }, (done, total) =>
          onProgress({ doing: 'timing', done, total }),
        )
        const jpegBytes = picturesOf(first)
        const encodings = trials.map(({ candidate, cache, report }, k): MeasuredEncoding => {
          const bytes = picturesOf(cache)
          const rate = rates[k] ?? { imagesPerSecond: 0, cpuSecondsPerImage: 0 }
          return {
            ...candidate,
            bytesPerImage: bytes / sampled,
            expectedBytes: Math.round((bytes / pictures.length) * pictures.total),
            relativeBytes: bytes / jpegBytes,
            ...rate,
            fidelity: comparisons[k - 1] ?? SAME,
            unpacked: report.unpacked,
          }
        })
        const { simd } = first.info
        const memoryBytes = availableMemory()
        return {
          source,
          images: pictures.total,
          sampled,
          skipped: trials[0]?.report.skipped ?? [],
          reencoded: trials[0]?.report.reencoded ?? {},
          size,
          threads,
          simd,
          memoryBytes,
          encodings,
          recommendation: recommend({ pictures: sampled, memoryBytes, simd, encodings }),
        }
      } finally {
        for (const { cache } of trials) await cache.close()
      }
    })
  } finally {
    await pictures.close()
  }
}

/** The first candidate from the pictures, every pixel of which is decoded once; the others from that cache. */
async function buildTrials(
  pictures: SampledPictures,
  folder: string,
  trials: Trial[],
  { signal, onProgress = () => {} }: AdviseOptions,
): Promise<void> {
  const total = CANDIDATES.length * pictures.length
  for (const [k, candidate] of CANDIDATES.entries()) {
    const path = join(folder, nameOf(candidate))
    const [first] = trials
    const report = await buildImageCache(first === undefined ? pictures : first.cache, path, {
      ...buildOptionsOf(candidate),
      ...(first === undefined ? { onError: 'skip', validate: 'decode' } : {}),
      ...(signal ? { signal } : {}),
      onProgress: ({ images }) => onProgress({ doing: 'building', done: k * pictures.length + images, total }),
    })
    trials.push({ candidate, report, cache: await openImageCache<TrialSchema>(path) })
  }
}

/** Bytes of the pictures of a cache. */
function picturesOf(cache: ImageCache<TrialSchema>): number {
  return cache.info.fields.image?.bytes ?? 0
}

/** A container's limit counts its pages, too. */
function availableMemory(): number {
  const limit = process.constrainedMemory()
  return limit > 0 ? Math.min(totalmem(), limit) : totalmem()
}
