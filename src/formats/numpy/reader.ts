import { type DType, itemSize } from '../../dtype.ts'
import { checkSample, ofSample, recordBytes, recordElements, roomOf } from '../layout.ts'
import type { RecordReader } from '../types.ts'
import type { RecordArray } from './array.ts'
import { type ArrayBytes, SampleLastArray } from './sample-last.ts'

/** Records of an array that lies in `bytes` behind its header. */
export class ArrayReader implements RecordReader {
  readonly samples: number
  readonly shape: readonly number[]
  readonly dtype: DType
  readonly #file: string
  readonly #recordBytes: number
  readonly #array: SampleLastArray
  readonly #close: () => void
  readonly labels?: () => Promise<BigInt64Array | undefined>

  constructor(
    file: string,
    array: RecordArray,
    bytes: ArrayBytes,
    close: () => void,
    labels?: () => Promise<BigInt64Array | undefined>,
  ) {
    if (labels !== undefined) this.labels = labels
    const { samples, shape, dtype, header } = array
    this.samples = samples
    this.shape = shape
    this.dtype = dtype
    this.#file = file
    this.#recordBytes = recordBytes(array)
    const data: ArrayBytes = { read: (offset, target) => bytes.read(header.length + offset, target) }
    this.#array = new SampleLastArray(data, samples, recordElements(array), itemSize(dtype))
    this.#close = close
  }

  async read(sample: number, into: Uint8Array): Promise<number> {
    checkSample(sample, this.samples, this.#file)
    const target = roomOf(into, this.#recordBytes, this.#file, sample)
    await ofSample(sample, this.#file, () => this.#array.read(sample, target))
    return this.#recordBytes
  }

  async close(): Promise<void> {
    this.#array.close()
    this.#close()
  }
}
