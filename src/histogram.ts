import { finiteNumber } from './checks.ts'

/**
 * The top bits of a double are its exponent and the beginning of its mantissa: with seven bits of that, a bucket for
 * every 128th of an octave, without a logarithm.
 */
const MANTISSA_BITS = 7
const SHIFT = 20 - MANTISSA_BITS
/** Below 2^-20 all is one bucket (of milliseconds: a nanosecond), from 2^44 on too (five centuries). */
const LOWEST = 2 ** -20
const HIGHEST = 2 ** 44

const double = new Float64Array(1)
/** Of the double: [low, high]; the machines that Node.js runs on are little-endian. */
const words = new Uint32Array(double.buffer)

function topBits(value: number): number {
  double[0] = value
  return (words[1] as number) >>> SHIFT
}

const FIRST = topBits(LOWEST)
const BUCKETS = topBits(HIGHEST) - FIRST + 1

function bucketOf(value: number): number {
  if (value <= LOWEST) return 0
  return value >= HIGHEST ? BUCKETS - 1 : topBits(value) - FIRST
}

/** Where a bucket begins; the next one's beginning is its end. */
function lowerEdge(bucket: number): number {
  words[1] = (bucket + FIRST) << SHIFT
  words[0] = 0
  return double[0] as number
}

/** A histogram as plain data, for another thread. */
export interface HistogramData {
  readonly counts: Float64Array
  /** All the values, while there are few enough to keep; undefined from then on. */
  readonly exact: Float64Array | undefined
  readonly count: number
  readonly sum: number
  readonly min: number
  readonly max: number
}

/**
 * How values of 0 or more are spread, in bounded memory: exact for the first `keep` values, from then on by buckets
 * 1/128 of an octave wide, so that a quantile is within 0.4 % of the value that it stands for.
 */
export class Histogram {
  #counts: Float64Array | undefined
  #exact: Float64Array | undefined
  readonly #keep: number
  #count = 0
  #sum = 0
  #min = Number.POSITIVE_INFINITY
  #max = 0

  constructor(keep = 65_536) {
    this.#keep = keep
  }

  static from(data: HistogramData): Histogram {
    const histogram = new Histogram(data.exact?.length ?? 0)
    histogram.add(data)
    return histogram
  }

  get count(): number {
    return this.#count
  }

  /** 0 where there are none. */
  get max(): number {
    return this.#max
  }

  get mean(): number {
    return this.#count === 0 ? 0 : this.#sum / this.#count
  }

  /** What is below 0 counts as 0: clocks that differ. */
  record(value: number): void {
    const positive = Math.max(value, 0)
    if (this.#counts !== undefined) {
      const bucket = bucketOf(positive)
      this.#counts[bucket] = (this.#counts[bucket] as number) + 1
    } else if (this.#count < this.#keep) {
      this.#exact ??= new Float64Array(Math.min(this.#keep, 256))
      if (this.#count === this.#exact.length) this.#exact = grown(this.#exact, this.#keep)
      this.#exact[this.#count] = positive
    } else {
      this.#spill()
      this.record(value)
      return
    }
    this.#count++
    this.#sum += positive
    if (positive < this.#min) this.#min = positive
    if (positive > this.#max) this.#max = positive
  }

  /** As if every value of the other had been recorded here. */
  add(other: Histogram | HistogramData): void {
    const data = other instanceof Histogram ? other.data() : other
    if (data.exact !== undefined) {
      for (const value of data.exact) this.record(value)
      return
    }
    const counts = this.#counts ?? this.#spill()
    for (let bucket = 0; bucket < BUCKETS; bucket++)
      counts[bucket] = (counts[bucket] as number) + (data.counts[bucket] as number)
    this.#count += data.count
    this.#sum += data.sum
    this.#min = Math.min(this.#min, data.min)
    this.#max = Math.max(this.#max, data.max)
  }

  /**
   * The smallest value that at least `share` of all values are not above (nearest rank); 0 where there are none.
   * E_USAGE unless `share` is from 0 to 1.
   */
  quantile(share: number): number {
    finiteNumber('share', share, 0, 1)
    if (this.#count === 0) return 0
    const rank = Math.max(1, Math.ceil(share * this.#count - 1e-9))
    if (this.#counts === undefined)
      return (this.#exact as Float64Array).subarray(0, this.#count).slice().sort()[rank - 1] as number
    if (rank === this.#count) return this.#max
    let seen = 0
    let bucket = -1
    while (seen < rank) seen += this.#counts[++bucket] as number
    const middle = (lowerEdge(bucket) + lowerEdge(bucket + 1)) / 2
    return Math.min(this.#max, Math.max(this.#min, middle))
  }

  /** How many values fell between each edge and the next; what lies outside the edges counts for the outermost. */
  binned(edges: readonly number[]): number[] {
    const bins = new Array<number>(Math.max(0, edges.length - 1)).fill(0)
    const put = (value: number, count: number) => {
      let bin = 0
      while (bin < bins.length - 1 && value >= (edges[bin + 1] as number)) bin++
      bins[bin] = (bins[bin] as number) + count
    }
    if (bins.length === 0) return bins
    if (this.#counts === undefined) for (const value of this.#values()) put(value, 1)
    else
      for (const [bucket, count] of this.#counts.entries())
        if (count > 0) put((lowerEdge(bucket) + lowerEdge(bucket + 1)) / 2, count)
    return bins
  }

  data(): HistogramData {
    return {
      counts: this.#counts?.slice() ?? new Float64Array(),
      exact: this.#counts === undefined ? this.#values().slice() : undefined,
      count: this.#count,
      sum: this.#sum,
      min: this.#min,
      max: this.#max,
    }
  }

  #values(): Float64Array {
    return this.#exact?.subarray(0, this.#count) ?? new Float64Array()
  }

  #spill(): Float64Array {
    const counts = new Float64Array(BUCKETS)
    for (const value of this.#values()) counts[bucketOf(value)] = (counts[bucketOf(value)] as number) + 1
    this.#exact = undefined
    this.#counts = counts
    return counts
  }
}

function grown(values: Float64Array, most: number): Float64Array {
  const larger = new Float64Array(Math.min(most, values.length * 4))
  larger.set(values)
  return larger
}

export interface Percentiles {
  readonly p50: number
  readonly p90: number
  readonly p99: number
  readonly p999: number
  readonly max: number
}

/** In the unit of the values. Undefined where there are none. */
export function percentilesOf(histogram: Histogram): Percentiles | undefined {
  if (histogram.count === 0) return undefined
  return {
    p50: histogram.quantile(0.5),
    p90: histogram.quantile(0.9),
    p99: histogram.quantile(0.99),
    p999: histogram.quantile(0.999),
    max: histogram.max,
  }
}
