import { type ErrorCode, HeadraceError, isHeadraceError, reasonOf } from '../../errors.ts'
import type { JournalRecord } from './journal.ts'
import type { BuildSettings, Skipped } from './options.ts'
import type { PreparedSample } from './prepare.ts'
import type { Recovered } from './recovery.ts'

/** Faults of one sample; all else ends the build. */
const SAMPLE_FAULTS: readonly ErrorCode[] = ['E_CORRUPT', 'E_UNSUPPORTED', 'E_LIMIT', 'E_NOT_FOUND', 'E_ACCESS']

function add(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1)
}

function sorted(counts: ReadonlyMap<string, number>): Record<string, number> {
  return Object.fromEntries([...counts].sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** What a build counts, over all its runs. */
export class BuildTally {
  /** The source's next sample. */
  next: number
  samples: number
  sourceBytes: number
  readonly skipped: Skipped[]
  readonly #reencoded: Map<string, number>
  readonly #unpacked: Map<string, number>
  readonly #largest: Map<string, number>
  /** Of `skipped`, those that the journal has. */
  #recorded: number

  constructor(from: Recovered | undefined) {
    this.next = from?.record.next ?? 0
    this.samples = from?.record.samples ?? 0
    this.sourceBytes = from?.record.sourceBytes ?? 0
    this.skipped = [...(from?.skipped ?? [])]
    this.#recorded = this.skipped.length
    this.#reencoded = new Map(Object.entries(from?.record.reencoded ?? {}))
    this.#unpacked = new Map(Object.entries(from?.record.unpacked ?? {}))
    this.#largest = new Map(Object.entries(from?.record.largest ?? {}))
  }

  /** How many pictures of each type were encoded anew, by name. */
  get reencoded(): Record<string, number> {
    return sorted(this.#reencoded)
  }

  /** How many pictures stayed JPEG although coefficients were to be packed, by the reason. */
  get unpacked(): Record<string, number> {
    return sorted(this.#unpacked)
  }

  /** The largest stored sample of a field, in bytes. */
  largest(field: string): number {
    return this.#largest.get(field) ?? 0
  }

  stored({ id, sourceBytes, reencoded, unpacked, sizes }: PreparedSample & { kind: 'row' }): void {
    this.next = id + 1
    this.samples++
    this.sourceBytes += sourceBytes
    for (const from of reencoded) add(this.#reencoded, from)
    for (const reason of unpacked) add(this.#unpacked, reason)
    for (const [field, bytes] of sizes) this.#largest.set(field, Math.max(bytes, this.largest(field)))
  }

  /** Leaves a bad sample out, or throws what is wrong with it: as the policy says, and if it is the sample's own fault. */
  failed(id: number, key: string, error: unknown, onError: BuildSettings['onError']): void {
    if (!isHeadraceError(error) || !SAMPLE_FAULTS.includes(error.code)) throw error
    if (onError === 'throw') {
      const message = error.message.includes(key) ? error.message : `${key}: ${error.message}`
      const hint = "leave bad samples out with onError: 'skip'"
      throw new HeadraceError(error.code, message, { hint, ...error.details, key, sample: id, cause: error })
    }
    this.skipped.push({ key, code: error.code, reason: reasonOf(error, key) })
    // not before: a build that ends here must meet this sample again when it goes on
    this.next = id + 1
  }

  /** What the journal is told once everything counted so far is on disk. */
  record(): Omit<JournalRecord, 'extents'> {
    const skipped = this.skipped.slice(this.#recorded)
    this.#recorded = this.skipped.length
    return {
      next: this.next,
      samples: this.samples,
      sourceBytes: this.sourceBytes,
      largest: Object.fromEntries(this.#largest),
      reencoded: this.reencoded,
      unpacked: this.unpacked,
      skipped,
    }
  }
}
