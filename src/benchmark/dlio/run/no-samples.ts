import type { Samples } from './samples.ts'
import type { Meter } from './sources.ts'

/** Samples of storage that holds nothing: there is no file to open and nothing to decode, so that all that is left is this tool. */
export class NoSamples implements Samples {
  readonly parallel = false
  readonly #bytes: number
  readonly #meter: Meter

  /** `bytes`: of a record; where records vary, of a mean one, since what each has would cost more than all else. */
  constructor(bytes: number, meter: Meter) {
    this.#bytes = bytes
    this.#meter = meter
  }

  /** The memory stays as it is; what would have been read is counted. */
  read(): undefined {
    this.#meter.bytes += this.#bytes
    return undefined
  }

  async close(): Promise<void> {}
}
