import type { ErrorCode } from '../errors.ts'
import { Draws, viewKey } from '../sampling/random.ts'
import type { StepPlan } from './plan.ts'

/** A sample that could not be delivered, and what became of its place. */
export interface FaultRecord {
  readonly sample: number
  /** The sample's path or key. */
  readonly key: string
  readonly field: string
  readonly code: ErrorCode
  readonly reason: string
  readonly replacedBy?: number
}

export interface LoaderReport {
  readonly skipped: number
  readonly replaced: number
  /** The first 1,000; the counts go on. */
  readonly faults: readonly FaultRecord[]
}

export const MAX_FAULT_RECORDS = 1000
/** Other samples tried for one place before giving up. */
export const MAX_REPLACEMENTS = 16
/** Repeats of replacements are counted from here, so that a replacement is not the twin of its sample's own turn. */
const REPLACEMENT_REPEAT = 2 ** 31

/**
 * Turns bad samples into other ones. The stand-in of a sample is a pure function of (seed, epoch, sample id), tried in a
 * fixed order, so a run that meets a bad sample for the first time and one that knows it deliver the same batch.
 */
export class Substitution {
  readonly #bad = new Set<number>()
  readonly #seed: number
  readonly #length: number

  constructor(seed: number, length: number) {
    this.#seed = seed
    this.#length = length
  }

  get known(): ReadonlySet<number> {
    return this.#bad
  }

  mark(sample: number): void {
    this.#bad.add(sample)
  }

  /** The plan without the samples that are known to be bad. */
  skip(plan: StepPlan): StepPlan {
    if (this.#bad.size === 0 || !plan.ids.some((id) => this.#bad.has(id))) return plan
    const keep = [...plan.ids.keys()].filter((row) => !this.#bad.has(plan.ids[row] as number))
    const firstPadding = plan.ids.length - plan.padding
    return {
      ...plan,
      ids: Float64Array.from(keep, (row) => plan.ids[row] as number),
      repeats: Uint32Array.from(keep, (row) => plan.repeats[row] as number),
      padding: keep.filter((row) => row >= firstPadding).length,
    }
  }

  /** The plan with another sample in the place of each that is known to be bad; undefined where none can be found. */
  replace(plan: StepPlan): StepPlan | undefined {
    if (this.#bad.size === 0 || !plan.ids.some((id) => this.#bad.has(id))) return plan
    const ids = plan.ids.slice()
    const repeats = plan.repeats.slice()
    const draws = new Draws(this.#seed, plan.epoch, viewKey('replacement'))
    for (const [row, id] of plan.ids.entries()) {
      if (!this.#bad.has(id)) continue
      draws.begin(id, 0)
      let attempt = 0
      let candidate = id
      while (this.#bad.has(candidate)) {
        if (attempt === MAX_REPLACEMENTS) return undefined
        candidate = Math.floor(draws.at(attempt++) * this.#length)
      }
      ids[row] = candidate
      repeats[row] = REPLACEMENT_REPEAT + attempt
    }
    return { ...plan, ids, repeats }
  }
}
