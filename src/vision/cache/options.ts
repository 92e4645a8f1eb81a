import { booleanOption, finiteNumber, knownOptions, oneOf, positiveInteger, progressOption } from '../../checks.ts'
import { availableCores } from '../../cores.ts'
import { type ErrorCode, HeadraceError } from '../../errors.ts'
import { MAX_JPEG_SIDE } from '../../formats/jpeg.ts'
import { DEFAULT_MAX_PIXELS } from '../max-pixels.ts'
import type { ImageEncoding } from './layout.ts'

export interface BuildProgress {
  /** Pictures stored so far, those of an earlier run that is resumed included. */
  readonly images: number
  /** How many there will be at most; absent where the source does not know. */
  readonly total?: number
  /** Bytes stored by this run. */
  readonly bytes: number
  /** Since this run started. */
  readonly seconds: number
}

export interface BuildOptions {
  /**
   * How pictures are stored. 'jpeg' (default): JPEG files as they are, others as JPEG. 'dct': the JPEG's coefficients,
   * packed for fast and exact decoding of crops; about 1.3 times as large. What cannot be packed stays a JPEG. 'yuv420':
   * planes of YUV 4:2:0 in slipstream's layout, sides padded to even ones, the fastest; 1.5 bytes a pixel.
   */
  readonly encoding?: 'jpeg' | 'dct' | 'yuv420'
  /** With 'dct': coefficients entropy-coded on top, about as large as the JPEG and slower to decode. false. */
  readonly compact?: boolean
  /**
   * With 'yuv420': 'slipstream' computes the bytes that slipstream does, truncated at each step. When absent values are
   * rounded, and a JPEG of 4:2:0 gives its own samples.
   */
  readonly compat?: 'slipstream'
  /** Pictures whose longer side has more pixels are scaled down to it. */
  readonly maxSide?: number
  /** Pictures whose shorter side has more pixels are scaled down to it; with maxSide the smaller result counts. */
  readonly shortSide?: number
  /** JPEG quality of what is encoded anew, 1..100. 95. Not with 'yuv420', which encodes no JPEG. */
  readonly quality?: number
  /** Pictures that are decoded or encoded at once; sharp runs at most UV_THREADPOOL_SIZE (4) of them. Available cores. */
  readonly workers?: number
  /** A bad sample ends the build ('throw', default) or is left out and reported ('skip'). */
  readonly onError?: 'throw' | 'skip'
  /** Keep damaged JPEG files that decode in part. false. Not with 'yuv420', whose planes could not tell. */
  readonly tolerant?: boolean
  /** 'structure' (default) walks a JPEG's markers; 'decode' decodes every JPEG in full. */
  readonly validate?: 'structure' | 'decode'
  /** Pictures with more pixels are refused (E_LIMIT). 178,956,970, as Pillow's. */
  readonly maxPixels?: number
  /** Names of a tuple's fields, for a source of tuples. */
  readonly fieldNames?: readonly string[]
  /** Fields to keep; all when absent. */
  readonly fields?: readonly string[]
  /** Replace the cache at the destination once the new one is complete. false. */
  readonly force?: boolean
  /** Bound in bytes of what is read ahead and not yet written, and of pixels being encoded. 256 MiB. */
  readonly windowBytes?: number
  /** Called about ten times a second, and at the end. */
  readonly onProgress?: (progress: BuildProgress) => void
  readonly signal?: AbortSignal
}

/** A sample that is not in the cache, and why. */
export interface Skipped {
  readonly key: string
  readonly code: ErrorCode
  readonly reason: string
}

export interface BuildReport {
  readonly images: number
  /** Of all files of the cache. */
  readonly bytes: number
  /** Of the pictures as the source has them. */
  readonly sourceBytes: number
  /** How many pictures of each type were encoded anew; with 'yuv420', were decoded by sharp: other types, and what was scaled. */
  readonly reencoded: Readonly<Record<string, number>>
  /** With 'dct': how many pictures stayed JPEG, by the reason. */
  readonly unpacked: Readonly<Record<string, number>>
  readonly skipped: readonly Skipped[]
  /** Files of the source that belong to no class. */
  readonly ignored: readonly string[]
  /** Of this run. */
  readonly seconds: number
  /** Samples that an interrupted build had already stored; 0 for a build from the start. */
  readonly resumedAt: number
  /** An interrupted build was there and was dropped: it had other options or another source, or it was damaged. */
  readonly startedOver: boolean
}

/** Options checked and with their defaults. */
export interface BuildSettings {
  readonly encoding: ImageEncoding
  readonly compact: boolean
  readonly compat: 'slipstream' | undefined
  readonly maxSide: number | undefined
  readonly shortSide: number | undefined
  readonly quality: number
  readonly workers: number
  readonly onError: 'throw' | 'skip'
  readonly tolerant: boolean
  readonly validate: 'structure' | 'decode'
  readonly maxPixels: number
  readonly fieldNames: readonly string[] | undefined
  readonly fields: readonly string[] | undefined
  readonly force: boolean
  readonly windowBytes: number
  readonly onProgress: ((progress: BuildProgress) => void) | undefined
  readonly signal: AbortSignal | undefined
}

const OPTIONS: readonly (keyof BuildSettings)[] = [
  'encoding',
  'compact',
  'compat',
  'maxSide',
  'shortSide',
  'quality',
  'workers',
  'onError',
  'tolerant',
  'validate',
  'maxPixels',
  'fieldNames',
  'fields',
  'force',
  'windowBytes',
  'onProgress',
  'signal',
]

const DEFAULT_WINDOW_BYTES = 256 * 1024 * 1024

function names(option: string, value: readonly string[] | undefined): readonly string[] | undefined {
  if (value === undefined) return undefined
  if (!Array.isArray(value) || value.length === 0 || value.some((name) => typeof name !== 'string'))
    throw new HeadraceError('E_USAGE', `${option} must be a list of field names, but got ${JSON.stringify(value)}`)
  return value
}

export function buildSettings(options: BuildOptions): BuildSettings {
  knownOptions('buildImageCache', options, OPTIONS)
  const { maxSide, shortSide } = options
  const encoding = oneOf('encoding', options.encoding ?? 'jpeg', ['jpeg', 'dct', 'yuv420'])
  const compact = booleanOption('compact', options.compact ?? false)
  if (compact && encoding !== 'dct')
    throw new HeadraceError('E_USAGE', `compact needs the encoding 'dct', but got '${encoding}'`)
  const compat = options.compat === undefined ? undefined : oneOf('compat', options.compat, ['slipstream'])
  if (compat !== undefined && encoding !== 'yuv420')
    throw new HeadraceError('E_USAGE', `compat needs the encoding 'yuv420', but got '${encoding}'`)
  if (options.quality !== undefined && encoding === 'yuv420')
    throw new HeadraceError('E_USAGE', "quality is that of JPEG, of which the encoding 'yuv420' makes none")
  if (options.tolerant === true && encoding === 'yuv420')
    throw new HeadraceError('E_USAGE', "tolerant keeps damaged JPEG files, of which the encoding 'yuv420' keeps none")
  return {
    encoding,
    compact,
    compat,
    maxSide: maxSide === undefined ? undefined : positiveInteger('maxSide', maxSide, MAX_JPEG_SIDE),
    shortSide: shortSide === undefined ? undefined : positiveInteger('shortSide', shortSide, MAX_JPEG_SIDE),
    quality: positiveInteger('quality', options.quality ?? 95, 100),
    workers: positiveInteger('workers', options.workers ?? availableCores(), 1024),
    onError: oneOf('onError', options.onError ?? 'throw', ['throw', 'skip']),
    tolerant: booleanOption('tolerant', options.tolerant ?? false),
    validate: oneOf('validate', options.validate ?? 'structure', ['structure', 'decode']),
    maxPixels: finiteNumber('maxPixels', options.maxPixels ?? DEFAULT_MAX_PIXELS, 1, Number.MAX_SAFE_INTEGER),
    fieldNames: names('fieldNames', options.fieldNames),
    fields: names('fields', options.fields),
    force: booleanOption('force', options.force ?? false),
    windowBytes: positiveInteger('windowBytes', options.windowBytes ?? DEFAULT_WINDOW_BYTES),
    onProgress: progressOption(options.onProgress),
    signal: options.signal,
  }
}

/** The options that the bytes of a cache depend on; only a build with the same ones can be resumed. */
export function contentOptions(settings: BuildSettings): Readonly<Record<string, string | number | boolean>> {
  const { encoding, compact, compat, maxSide, shortSide, quality, tolerant, validate, maxPixels } = settings
  return {
    encoding,
    ...(compact ? { compact } : {}),
    ...(compat === undefined ? {} : { compat }),
    ...(maxSide === undefined ? {} : { maxSide }),
    ...(shortSide === undefined ? {} : { shortSide }),
    ...(encoding === 'yuv420' ? {} : { quality }),
    tolerant,
    validate,
    maxPixels,
  }
}
