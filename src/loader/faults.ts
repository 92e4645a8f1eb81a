import { type ErrorCode, type ErrorDetails, fromSystemError, HeadraceError, isHeadraceError } from '../errors.ts'
import { Draws, viewKey } from '../sampling/random.ts'
import { highWord } from '../words.ts'
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

/** A row of a step that failed. */
export interface RowFault {
  readonly row: number
  readonly record: FaultRecord
  readonly repeat: number
  /** Bad whatever is made of it; otherwise another crop may miss the damage. */
  readonly lasting: boolean
}

export interface FaultReport {
  /** Places left out, and places given to another sample, over all batches made. */
  readonly skipped: number
  readonly replaced: number
  /** Each bad sample once, by id; the first 1,000 that were met. */
  readonly faults: readonly FaultRecord[]
}

/** What is wrong with a sample itself. Anything else (a network, a server, a time-out) says nothing about it and is thrown. */
const LASTING: readonly ErrorCode[] = ['E_CORRUPT', 'E_UNSUPPORTED', 'E_NOT_FOUND', 'E_ACCESS', 'E_LIMIT', 'E_CHECKSUM']

/** As `fromSystemError`, which throws what a callback of the user's threw. */
export function namedError(cause: unknown, doing: string, details: ErrorDetails): unknown {
  try {
    return fromSystemError(cause, doing, details)
  } catch (error) {
    return error
  }
}

/** Whether what reading threw is about the sample: also one that is another now than the dataset knows. */
export function isLasting(cause: unknown): boolean {
  const error = namedError(cause, '', {})
  if (!isHeadraceError(error)) return false
  return LASTING.includes(error.code) || (error.code === 'E_STATE' && error.details.key !== undefined)
}

const MAX_FAULT_RECORDS = 1000
/** Other samples tried for one place before giving up. */
const MAX_REPLACEMENTS = 16
/** Repeats of replacements lie from here on, so that a replacement is not the twin of its sample's own turn. */
const REPLACEMENT_REPEAT = 2 ** 31

/** Two places that get the same stand-in differ in this, so that they do not show the same crop. */
function replacementRepeat(id: number, repeat: number, attempt: number): number {
  const mixed = Math.imul(id ^ highWord(id), 0x9e3779b1) ^ Math.imul(repeat + 1, 0x85ebca6b) ^ attempt
  return REPLACEMENT_REPEAT + (mixed >>> 1)
}

/**
 * Turns bad samples into other ones. The stand-in of a sample is a pure function of (seed, epoch, sample id, repeat), tried in a
 * fixed order, so a run that meets a bad sample for the first time and one that knows it deliver the same batch. Damage
 * that one crop met counts for that draw alone: a run that resumes behind it must deliver the same as one that saw it.
 */
class Substitution {
  /** Samples that are bad whatever is made of them. */
  readonly #bad = new Set<number>()
  /** Draws of one epoch that met damage. */
  readonly #draws = new Set<string>()
  #epoch = 0
  readonly #seed: number
  readonly #length: number

  constructor(seed: number, length: number) {
    this.#seed = seed
    this.#length = length
  }

  mark(epoch: number, { record: { sample }, repeat, lasting }: RowFault): void {
    if (lasting) {
      this.#bad.add(sample)
      return
    }
    if (epoch !== this.#epoch) this.#draws.clear()
    this.#epoch = epoch
    this.#draws.add(drawKey(epoch, sample, repeat))
  }

  #isBad(epoch: number, id: number, repeat: number): boolean {
    return this.#bad.has(id) || (this.#draws.size > 0 && this.#draws.has(drawKey(epoch, id, repeat)))
  }

  #isSound({ epoch, ids, repeats }: StepPlan): boolean {
    if (this.#bad.size + this.#draws.size === 0) return true
    return !ids.some((id, row) => this.#isBad(epoch, id, repeats[row] as number))
  }

  /** The plan without the samples that are known to be bad. */
  skip(plan: StepPlan): StepPlan {
    if (this.#isSound(plan)) return plan
    const keep = [...plan.ids.keys()].filter(
      (row) => !this.#isBad(plan.epoch, plan.ids[row] as number, plan.repeats[row] as number),
    )
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
    if (this.#isSound(plan)) return plan
    const ids = plan.ids.slice()
    const repeats = plan.repeats.slice()
    const draws = new Draws(this.#seed, plan.epoch, viewKey('replacement'))
    for (const [row, id] of plan.ids.entries()) {
      const original = repeats[row] as number
      if (!this.#isBad(plan.epoch, id, original)) continue
      draws.begin(id, original)
      let repeat = original
      let attempt = 0
      let candidate = id
      do {
        if (attempt === MAX_REPLACEMENTS)
          throw new HeadraceError('E_CORRUPT', `no sample to replace ${id} with: ${attempt} others are bad too`, {
            sample: id,
          })
        candidate = Math.floor(draws.at(attempt++) * this.#length)
        repeat = replacementRepeat(id, original, attempt)
      } while (candidate === id || this.#isBad(plan.epoch, candidate, repeat))
      ids[row] = candidate
      repeats[row] = repeat
    }
    return { ...plan, ids, repeats }
  }
}

function drawKey(epoch: number, id: number, repeat: number): string {
  return `${epoch}/${id}/${repeat}`
}

/** What a loader does about bad samples, and what it has done. */
export class FaultPolicy {
  readonly #onError: OnError
  readonly #substitution: Substitution
  readonly #faults = new Map<number, FaultRecord>()
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

  /** Learns of the rows of a step that failed; under `throw` the first of them is thrown. */
  failed(epoch: number, faults: readonly RowFault[]): void {
    const [first] = faults
    if (this.#onError === 'throw' && first !== undefined) throw faultError(first.record)
    for (const fault of faults) {
      const { record } = fault
      this.#substitution.mark(epoch, fault)
      if (!this.#faults.has(record.sample) && this.#faults.size < MAX_FAULT_RECORDS)
        this.#faults.set(record.sample, record)
    }
  }

  /** Counts the places of a batch that are not what its first plan said. */
  delivered(original: StepPlan, plan: StepPlan): void {
    if (plan === original) return
    if (this.#onError === 'skip') this.#skipped += original.ids.length - plan.ids.length
    else this.#replaced += plan.ids.filter((id, row) => id !== original.ids[row]).length
  }

  report(): FaultReport {
    return {
      skipped: this.#skipped,
      replaced: this.#replaced,
      faults: [...this.#faults.values()].sort((a, b) => a.sample - b.sample),
    }
  }
}

/** The error that names a bad sample. */
export function faultError({ sample, key, field, code, reason }: FaultRecord): HeadraceError {
  return new HeadraceError(code, `sample ${sample} (${key}), field ${field}: ${reason}`, {
    sample,
    key,
    field,
    hint: "onError: 'skip' or 'replace' goes on without such samples",
  })
}
