import type { Dataset } from '../../datasets/types.ts'
import { HeadraceError } from '../../errors.ts'
import type { RaggedImages } from '../../loader/index.ts'
import { decode, load } from '../../vision/index.ts'
import type { TrialSchema } from './candidates.ts'

/** How near the decoded pictures are to those of the source, over all pixels of all of them. */
export interface EncodingFidelity {
  /** Every picture has the source's size and pixels. */
  readonly exact: boolean
  /** Peak signal-to-noise ratio in dB, of all values together; absent where no value differs. */
  readonly psnr?: number
  /** The largest difference of a value, of 0..255. */
  readonly maxDifference: number
  /** Pictures that became larger; their pixels within the source's size are compared. */
  readonly padded: number
}

/** Of what is compared with itself. */
export const SAME: EncodingFidelity = { exact: true, maxDifference: 0, padded: 0 }

/** One RGB picture within memory that holds more. */
interface Picture {
  readonly data: Uint8Array
  readonly width: number
  readonly height: number
}

class Differences {
  #values = 0
  #squares = 0
  #largest = 0
  #padded = 0

  add(source: Picture, stored: Picture): void {
    this.#values += source.data.length
    if (stored.width !== source.width || stored.height !== source.height) this.#padded++
    else if (Buffer.compare(source.data, stored.data) === 0) return
    const row = 3 * source.width
    for (let y = 0; y < source.height; y++)
      this.#addRow(source.data.subarray(y * row, (y + 1) * row), stored.data.subarray(y * 3 * stored.width))
  }

  #addRow(source: Uint8Array, stored: Uint8Array): void {
    let squares = 0
    let largest = this.#largest
    for (let i = 0; i < source.length; i++) {
      const difference = Math.abs((source[i] as number) - (stored[i] as number))
      squares += difference * difference
      if (difference > largest) largest = difference
    }
    this.#squares += squares
    this.#largest = largest
  }

  result(): EncodingFidelity {
    const found = { maxDifference: this.#largest, padded: this.#padded }
    if (this.#squares === 0) return { exact: this.#padded === 0, ...found }
    return { exact: false, psnr: 10 * Math.log10((255 * 255 * this.#values) / this.#squares), ...found }
  }
}

/** The only one of a batch. */
function pictureOf({ data, offsets, widths, heights }: RaggedImages<'uint8'>): Picture {
  const [start = 0, width = 0, height = 0] = [offsets[0], widths[0], heights[0]]
  return { data: data.subarray(start, start + 3 * width * height), width, height }
}

/** Whole pictures, one a batch: of large ones few are in memory at a time. */
function wholePictures(dataset: Dataset<TrialSchema>, threads: number, signal: AbortSignal | undefined) {
  return load(dataset, {
    fields: ['image'],
    image: [decode()],
    batchSize: 1,
    threads,
    rank: 0,
    worldSize: 1,
    ...(signal ? { signal } : {}),
  })
}

/** Compares every picture of `others`, decoded, with the same one of `source`. */
export async function fidelities(
  source: Dataset<TrialSchema>,
  others: readonly Dataset<TrialSchema>[],
  threads: number,
  signal: AbortSignal | undefined,
  tell: (images: number) => void,
): Promise<readonly EncodingFidelity[]> {
  const loaders = [source, ...others].map((dataset) => wholePictures(dataset, threads, signal))
  const [first, ...rest] = loaders.map((loader) => loader[Symbol.asyncIterator]())
  const differences = others.map(() => new Differences())
  try {
    for (let images = 0; first !== undefined; images++) {
      tell(images)
      const [expected, ...stored] = await Promise.all([first, ...rest].map((iterator) => iterator.next()))
      if (expected === undefined || expected.done === true) break
      const picture = pictureOf(expected.value.image)
      for (const [k, step] of stored.entries()) {
        if (step.done === true) throw new HeadraceError('E_STATE', `a cache has ${images} pictures and another more`)
        differences[k]?.add(picture, pictureOf(step.value.image))
      }
    }
    return differences.map((sum) => sum.result())
  } finally {
    for (const loader of loaders) loader.close()
  }
}
