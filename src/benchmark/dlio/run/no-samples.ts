import type { DataSet } from '../../../generate/data-set.ts'
import type { Samples } from './samples.ts'
import type { Meter } from './sources.ts'

/** Samples of storage that holds nothing: there is no file to open and nothing to decode, so that all that is left is this tool. */
export class NoSamples implements Samples {
  readonly parallel = false
  readonly #set: DataSet
  readonly #meter: Meter

  constructor(set: DataSet, meter: Meter) {
    this.#set = set
    this.#meter = meter
  }

  /** The memory stays as it is; what would have been read is counted. */
  read(file: number): undefined {
    this.#meter.bytes += this.#set.recordBytes(file)
    return undefined
  }

  async close(): Promise<void> {}
}
