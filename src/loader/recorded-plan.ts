import { show } from '../checks.ts'
import { HeadraceError } from '../errors.ts'
import { MAX_WORD } from '../sampling/random.ts'
import type { RecordedFields } from './batch-maker.ts'
import type { StepPlan } from './plan.ts'

/** A step's plan with what each field decides, as JSON: print it, keep it, replay it. */
export interface RecordedPlan {
  readonly version: 1
  readonly fingerprint: string
  /** What the loader that made it draws from; a replay draws nothing. */
  readonly seed: number
  readonly epoch: number
  readonly step: number
  readonly padding: number
  readonly ids: readonly number[]
  readonly repeats: readonly number[]
  readonly fields: RecordedFields
}

/** Checks a document that came from outside, over a dataset of `length` samples. E_STATE with what is wrong. */
export function checkRecordedPlan(
  document: unknown,
  fingerprint: string,
  length: number,
): { plan: StepPlan; fields: RecordedFields } {
  const refuse = (reason: string, hint?: string): never => {
    throw new HeadraceError('E_STATE', `replay: ${reason}`, hint === undefined ? {} : { hint })
  }
  if (typeof document !== 'object' || document === null)
    return refuse(`a plan must be an object, but got ${show(document)}`)
  const d = document as Record<string, unknown>
  if (d.version !== 1) return refuse(`version must be 1, but got ${show(d.version)}`)
  if (d.fingerprint !== fingerprint)
    return refuse(
      'the plan was made over another dataset or order',
      'pass the dataset and the shuffle or sampler option that the plan was made with',
    )
  const integer = (name: string, value: unknown, max: number): number =>
    Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= max
      ? (value as number)
      : refuse(`${name} must be an integer from 0 to ${max}, but got ${show(value)}`)
  const list = (name: string, max: number): number[] =>
    Array.isArray(d[name])
      ? d[name].map((value, i) => integer(`${name}[${i}]`, value, max))
      : refuse(`${name} must be an array, but got ${show(d[name])}`)
  integer('seed', d.seed, Number.MAX_SAFE_INTEGER)
  const ids = list('ids', length - 1)
  const repeats = list('repeats', MAX_WORD)
  if (repeats.length !== ids.length)
    return refuse(`repeats must be as many as ids (${ids.length}), but are ${repeats.length}`)
  if (typeof d.fields !== 'object' || d.fields === null)
    return refuse(`fields must be an object, but got ${show(d.fields)}`)
  const plan: StepPlan = {
    epoch: integer('epoch', d.epoch, MAX_WORD),
    step: integer('step', d.step, Number.MAX_SAFE_INTEGER),
    padding: integer('padding', d.padding, ids.length),
    ids: Float64Array.from(ids),
    repeats: Uint32Array.from(repeats),
  }
  return { plan, fields: d.fields as RecordedFields }
}
