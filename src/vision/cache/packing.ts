import { HeadraceError } from '../../errors.ts'
import { native, type Refusal } from '../../native.ts'
import type { StoredImage } from './columns.ts'
import { DECODE_GROUP } from './full-decode.ts'

export interface PackRules {
  readonly tolerant: boolean
  readonly maxPixels: number
  /** Pictures that are packed at the same time, each on one thread. */
  readonly workers: number
}

/** Pictures that one call of the addon packs at most: a call costs nearly as much as packing one. */
const TOGETHER = 32
/** Calls under way at once: while the results of one are taken, the next is at work. */
const CALLS = 2

interface Waiting {
  readonly bytes: Uint8Array
  readonly resolve: (made: Uint8Array | Refusal) => void
  readonly reject: (error: unknown) => void
}

/** Packs the JPEGs of one field, all that come in the same turn of the event loop together. */
export class Packer {
  readonly #frequencies: Uint16Array | undefined
  readonly #rules: PackRules
  readonly #waiting: Waiting[] = []
  #calls = 0
  #scheduled = false

  constructor(frequencies: Uint16Array | undefined, rules: PackRules) {
    this.#frequencies = frequencies
    this.#rules = rules
  }

  /**
   * A JPEG as packed coefficients, in the compact form where there are frequencies; or as it is, with the reason, where
   * it is one that cannot be packed. E_CORRUPT for a damaged one unless `tolerant`, which keeps it as it is.
   */
  async pack<T extends StoredImage>(jpeg: T): Promise<T & { readonly unpacked?: string }> {
    const made = await new Promise<Uint8Array | Refusal>((resolve, reject) => {
      this.#waiting.push({ bytes: jpeg.bytes, resolve, reject })
      this.#schedule()
    })
    if (made instanceof Uint8Array) return { ...jpeg, bytes: made }
    if (made.code === 'E_UNSUPPORTED') return { ...jpeg, unpacked: made.reason }
    if (this.#rules.tolerant && made.code === 'E_CORRUPT') return { ...jpeg, unpacked: 'damaged' }
    throw new HeadraceError(made.code, made.reason)
  }

  #schedule(): void {
    if (this.#scheduled || this.#calls >= CALLS || this.#waiting.length === 0) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      void this.#call(this.#waiting.splice(0, TOGETHER))
      this.#schedule()
    })
  }

  async #call(some: readonly Waiting[]): Promise<void> {
    this.#calls++
    const { maxPixels, workers } = this.#rules
    const job = { table: this.#frequencies, threads: workers, group: DECODE_GROUP, maxPixels }
    try {
      const made = await native.packJpegs({ samples: some.map(({ bytes }) => bytes), ...job })
      some.forEach(({ resolve }, i) => {
        resolve(made[i] as Uint8Array | Refusal)
      })
    } catch (error) {
      for (const { reject } of some) reject(error)
    }
    this.#calls--
    this.#schedule()
  }
}

/** The JPEG of a sample of a `dct` field: the one that was kept, or one with the coefficients that were packed. */
export async function unpacked(
  sample: Uint8Array,
  frequencies: Uint16Array | undefined,
  { maxPixels, workers }: Omit<PackRules, 'tolerant'>,
): Promise<Uint8Array> {
  if (sample[0] === 0xff && sample[1] === 0xd8) return sample
  const job = { samples: [sample], table: frequencies, threads: workers, group: DECODE_GROUP, maxPixels }
  const [made] = await native.unpackJpegs(job)
  if (made instanceof Uint8Array) return made
  const { code, reason } = made as Refusal
  throw new HeadraceError(code, reason)
}
