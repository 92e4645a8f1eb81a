import { formatBytes } from '../../bytes.ts'
import { type EncodingCandidate, nameOf } from './candidates.ts'
import type { EncodingFidelity } from './fidelity.ts'
import type { EncodingRate } from './turns.ts'

/** What was measured of one way to store pictures. */
export interface MeasuredEncoding extends EncodingCandidate, EncodingRate {
  /** Of the pictures alone, without tables and other fields. */
  readonly bytesPerImage: number
  /** Of all pictures of the source. */
  readonly expectedBytes: number
  /** Over those of `jpeg`. */
  readonly relativeBytes: number
  /** Against the decode of the source's JPEG files, and of the JPEG that pictures of other types become. */
  readonly fidelity: EncodingFidelity
  /** With 'dct': how many of the sampled pictures stay JPEG, by the reason. */
  readonly unpacked: Readonly<Record<string, number>>
}

export interface EncodingAdvice extends EncodingCandidate {
  /** Why, with the numbers that decide. */
  readonly reason: string
  /** What would make another choice the better one. */
  readonly unless: readonly string[]
}

/** What the choice depends on. */
export interface Findings {
  /** Of the sample. */
  readonly pictures: number
  /** Bytes that can hold pages of the cache: of the machine, or of the container. */
  readonly memoryBytes: number
  readonly simd: string
  readonly encodings: readonly MeasuredEncoding[]
}

/** Where the choice changes. Judgement, not measurement: each with its reason. */
export const LIMITS = {
  /** Below this share of packed pictures a dct cache is mostly JPEG. */
  packedShare: 0.5,
  /** Times the rate of jpeg, below which another form is not worth a build. Less than this is noise on a busy machine. */
  speedup: 1.1,
  /** Times the rate of dct from which planes are worth several times the bytes. */
  planesSpeedup: 2,
  /** Of the memory, what a cache may take: the rest is the system's and the training's. */
  memoryShare: 0.8,
} as const

/** Instruction sets that look up the tables of the compact form many at a time. */
const GATHERS: readonly string[] = ['avx2', 'avx512']

/** What rules ask, settled once. */
interface Facts extends Findings {
  readonly jpeg: MeasuredEncoding
  readonly dct: MeasuredEncoding
  readonly compact: MeasuredEncoding
  readonly yuv420: MeasuredEncoding | undefined
  /** Of the dct cache. */
  readonly packedShare: number
  fits(of: MeasuredEncoding): boolean
  /** Times the images per second of jpeg. */
  speedup(of: MeasuredEncoding): number
}

interface Rule {
  choose(facts: Facts): MeasuredEncoding | undefined
  holds(facts: Facts, chosen: MeasuredEncoding): boolean
  reason(facts: Facts, chosen: MeasuredEncoding): string
}

/** The first one that holds decides. */
const RULES: readonly Rule[] = [
  {
    choose: ({ jpeg }) => jpeg,
    holds: ({ packedShare }) => packedShare < LIMITS.packedShare,
    reason: ({ packedShare }) =>
      `only ${percent(packedShare)} of the sampled pictures can be packed (wanted: ${percent(LIMITS.packedShare)})`,
  },
  {
    choose: ({ yuv420 }) => yuv420,
    holds: ({ fits, dct }, planes) =>
      planes.fidelity.exact &&
      fits(planes) &&
      planes.imagesPerSecond >= LIMITS.planesSpeedup * Math.max(dct.imagesPerSecond, 1),
    reason: (facts, planes) => `${gain(facts, planes)}, its pixels are exact and ${room(facts, planes)}`,
  },
  {
    choose: ({ dct }) => dct,
    holds: ({ fits, speedup, jpeg, compact }, dct) =>
      speedup(dct) >= LIMITS.speedup && (fits(dct) || !(fits(jpeg) || fits(compact))),
    reason: (facts, dct) => `${gain(facts, dct)}, and ${facts.fits(dct) ? room(facts, dct) : noRoom(facts, dct)}`,
  },
  {
    choose: ({ compact }) => compact,
    holds: ({ fits, speedup }, compact) => fits(compact) && speedup(compact) >= LIMITS.speedup,
    reason: (facts, compact) =>
      `${gain(facts, compact)}, and ${room(facts, compact)}, unlike ${size(facts.dct)} of dct`,
  },
  {
    choose: ({ jpeg }) => jpeg,
    holds: () => true,
    reason: (facts, jpeg) =>
      facts.speedup(facts.dct) < LIMITS.speedup
        ? `dct brings ${times(facts.speedup(facts.dct))} the images/s with ${facts.simd} (wanted: ${times(LIMITS.speedup)})`
        : `${room(facts, jpeg)}, unlike ${size(facts.dct)} of dct, and compact brings ${times(facts.speedup(facts.compact))} the images/s with ${facts.simd}`,
  },
]

/** What would speak for a form that was not chosen; undefined where nothing does. */
const UNLESS: readonly ((facts: Facts, chosen: MeasuredEncoding) => string | undefined)[] = [
  ({ compact, speedup, dct }, chosen) =>
    chosen === dct && speedup(compact) >= LIMITS.speedup && compact.expectedBytes < dct.expectedBytes
      ? `bytes matter more than images/s, or memory is wanted for something else: dct (compact) has ${size(compact)}, at ${rate(compact)}`
      : undefined,
  ({ compact, simd, dct }, chosen) =>
    chosen !== compact && compact.imagesPerSecond < dct.imagesPerSecond && !GATHERS.includes(simd)
      ? `other machines load it: with AVX2 or AVX-512 dct (compact) is faster than here with ${simd}`
      : undefined,
  ({ compact, dct, fits, memoryBytes }, chosen) =>
    chosen === compact || (chosen.encoding === 'jpeg' && !fits(dct))
      ? `there is more memory, or storage is fast: dct has ${rate(dct)}, for ${size(dct)} (memory here: ${formatBytes(memoryBytes)})`
      : undefined,
  ({ yuv420, dct, fits }, chosen) =>
    yuv420 !== undefined && chosen !== yuv420 && yuv420.imagesPerSecond > chosen.imagesPerSecond
      ? `images/s are all that counts: yuv420 has ${rate(yuv420)}, ${times(yuv420.imagesPerSecond / dct.imagesPerSecond)} those of dct, for ${size(yuv420)}${fits(yuv420) ? '' : ', which do not fit into memory'}${inexact(yuv420)}`
      : undefined,
  ({ jpeg }, chosen) =>
    chosen !== jpeg
      ? 'the pictures are read only a few times: jpeg needs no packing, and is what other tools read'
      : undefined,
]

/** Chooses by the rules above. */
export function recommend(findings: Findings): EncodingAdvice {
  const facts = factsOf(findings)
  for (const { choose, holds, reason } of RULES) {
    const chosen = choose(facts)
    if (chosen === undefined || !holds(facts, chosen)) continue
    const { encoding, form } = chosen
    return {
      encoding,
      ...(form === undefined ? {} : { form }),
      reason: reason(facts, chosen),
      unless: UNLESS.flatMap((instead) => instead(facts, chosen) ?? []),
    }
  }
  throw new Error('the last rule always holds')
}

function factsOf(findings: Findings): Facts {
  const { encodings, memoryBytes, pictures } = findings
  const of = (name: string) => encodings.find((measured) => nameOf(measured) === name)
  const [jpeg, dct, compact] = [of('jpeg'), of('dct'), of('dct (compact)')]
  if (jpeg === undefined || dct === undefined || compact === undefined)
    throw new Error('jpeg and both forms of dct are always measured')
  const unpacked = Object.values(dct.unpacked).reduce((sum, n) => sum + n, 0)
  return {
    ...findings,
    jpeg,
    dct,
    compact,
    yuv420: of('yuv420'),
    packedShare: 1 - unpacked / pictures,
    fits: ({ expectedBytes }) => expectedBytes <= LIMITS.memoryShare * memoryBytes,
    speedup: ({ imagesPerSecond }) => imagesPerSecond / jpeg.imagesPerSecond,
  }
}

const percent = (share: number) => `${Math.floor(100 * share)} %`
const times = (ratio: number) => `${ratio.toFixed(2)} times`
const rate = ({ imagesPerSecond }: MeasuredEncoding) =>
  `${Math.round(imagesPerSecond).toLocaleString('en-US')} images/s`
const size = ({ expectedBytes }: MeasuredEncoding) => formatBytes(expectedBytes)

/** What keeps planes from being exact. */
function inexact({ fidelity: { psnr, padded } }: MeasuredEncoding): string {
  return [
    ...(psnr === undefined ? [] : [`; its pixels are not exact (${psnr.toFixed(1)} dB)`]),
    ...(padded === 0 ? [] : [`; ${padded.toLocaleString('en-US')} of the sampled pictures get even sides`]),
  ].join('')
}

/** "3.41 times the images/s of jpeg for 1.29 times the bytes" */
function gain({ speedup }: Facts, chosen: MeasuredEncoding): string {
  return `${times(speedup(chosen))} the images/s of jpeg for ${times(chosen.relativeBytes)} the bytes`
}

function room({ memoryBytes }: Facts, chosen: MeasuredEncoding): string {
  return `its ${size(chosen)} fit into memory (${percent(LIMITS.memoryShare)} of ${formatBytes(memoryBytes)})`
}

function noRoom({ memoryBytes, jpeg }: Facts, chosen: MeasuredEncoding): string {
  const needed = formatBytes(chosen.imagesPerSecond * chosen.bytesPerImage)
  return `not even the ${size(jpeg)} of jpeg fit into memory (${percent(LIMITS.memoryShare)} of ${formatBytes(memoryBytes)}): storage has to deliver ${needed}/s for the images/s above`
}
