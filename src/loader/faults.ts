import { type ErrorCode, HeadraceError } from '../errors.ts'
import { Draws, viewKey } from '../sampling/random.ts'
import type { OnError } from './options.ts'
import type { StepPlan } from './plan.ts'

/** A sample that could not be delivered. */
export interface FaultRecord {
  readonly sample: number
  /** The sample's path or key. */
  readonly key: string
  readonly field: string
  readonly code: ErrorCode
  readonly reason: string
}

export interface LoaderReport {
  /** Places left out, and places given to another sample, over all batches made. */
  readonly skipped: number
  readonly replaced: number
  /** Each bad sample once, the first 1,000. */
  readonly faults: readonly FaultRecord[]
}

const MAX_FAULT_RECORDS = 1000
/** Other samples tried for one place before giving up. */
const MAX_REPLACEMENTS = 16
/** Repeats of replacements are counted from here, so that a replacement is not the twin of its sample's own turn. */
const REPLACEMENT_REPEAT = 2 ** 31

/**
 * Turns bad samples into other ones. The stand-in of a sample is a pure function of (seed, epoch, sample id), tried in a
 * fixed order, so a run that meets a bad sample for the first time and one that knows it deliver the same batch.
 */
class Substitution {
  readonly #bad = new Set<number>()
  readonly #seed: number
  readonly #length: number

  constructor(seed: number, length: number) {
    this.#seed = seed
    this.#length = length
  }

  /** False where the sample was known already. */
  mark(sample: number): boolean {
    if (this.#bad.has(sample)) return false
    this.#bad.add(sample)
    return true
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

  /** The plan with another sample in the place of each that is known to be bad. E_CORRUPT where none can be found. */
  replace(plan: StepPlan): StepPlan {
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
        if (attempt === MAX_REPLACEMENTS)
          throw new HeadraceError('E_CORRUPT', `no sample to replace ${id} with: ${attempt} others are bad too, ${this.#bad.size} in all`, { sample: id })
        candidate = Math.floor(draws.at(attempt++) * this.#length)
      }
      ids[row] = candidate
      repeats[row] = REPLACEMENT_REPEAT + attempt
    }
    return { ...plan, ids, repeats }
  }
}

/** What a loader does about bad samples, and what it has done. */
export class FaultPolicy {
  readonly #onError: OnError
  readonly #substitution: Substitution
  readonly #faults: FaultRecord[] = []
  #skipped = 0
  #replaced = 0

  constructor(onError: OnError, seed: number, length: number) {
    this.#onError = onError
    this.#substitution = new Substitution(seed, length)
  }

  /** The plan as it can be carried out, for all that is known. */
  admit(plan: StepPlan): StepPlan {
    if (this.#onError === 'skip') return this.#substitution.skip(plan)
    return this.#onError === 'replace' ? this.#substitution.replace(plan) : plan
  }

  /** Learns of bad samples; under `throw` the first of them is thrown. */
  failed(faults: readonly FaultRecord[]): void {
    const [first] = faults
    if (this.#onError === 'throw' && first !== undefined) throw errorOf(first)
    for (const fault of faults)
      if (this.#substitution.mark(fault.sample) && this.#faults.length < MAX_FAULT_RECORDS) this.#faults.push(fault)
  }

  /** Counts the places of a batch that are not what its first plan said. */
  delivered(original: StepPlan, plan: StepPlan): void {
    if (plan === original) return
    if (this.#onError === 'skip') this.#skipped += original.ids.length - plan.ids.length
    else this.#replaced += plan.ids.filter((id, row) => id !== original.ids[row]).length
  }

  report(): LoaderReport {
    return { skipped: this.#skipped, replaced: this.#replaced, faults: [...this.#faults] }
  }
}

function errorOf({ sample, key, field, code, reason }: FaultRecord): HeadraceError {
  return new HeadraceError(code, `sample ${sample} (${key}), field ${field}: ${reason}`, {
    sample,
    key,
    field,
    hint: "onError: 'skip' or 'replace' goes on without such samples",
  })
}
