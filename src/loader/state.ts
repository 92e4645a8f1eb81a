import { createHash } from 'node:crypto'
import { show } from '../checks.ts'
import { HeadraceError } from '../errors.ts'
import { MAX_WORD } from '../sampling/random.ts'
import type { Tail } from '../sampling/shards.ts'
import { type PositionRange, rangesFault } from './delivery.ts'

/** Where a loader stands: JSON, a few integers. Everything else follows from them. */
export interface LoaderState {
  readonly version: 1
  /** Of the dataset and its order; a loader over anything else refuses the state. */
  readonly fingerprint: string
  readonly seed: number
  /** Where it is another than `seed`. */
  readonly generatorSeed?: number
  readonly epoch: number
  /** Positions of the epoch's global sequence that are behind us. */
  readonly position: number
  readonly tail: Tail
  /** batchSize x worldSize. Another world size resumes if this can be divided by it. */
  readonly globalBatch: number
  /** With mode 'as-completed': what was delivered behind `position`, as ranges of positions of whole global batches. */
  readonly delivered?: readonly PositionRange[]
  /** Whose `delivered` it is, where there are several ranks: only the same rank of as many can go on with it. */
  readonly deliveredBy?: { readonly rank: number; readonly worldSize: number }
}

/** What two loaders must share for a state of one to mean something to the other. */
export function fingerprintOf(dataset: { readonly fingerprint: string }, order: string, length: number): string {
  return createHash('sha256').update(`${dataset.fingerprint}\n${order}\n${length}`).digest('hex').slice(0, 32)
}

/** Checks a document that came from outside. E_STATE with what is wrong. */
export function checkState(state: unknown): LoaderState {
  const refuse = (reason: string): never => {
    throw new HeadraceError('E_STATE', `resume: ${reason}`)
  }
  if (typeof state !== 'object' || state === null)
    return refuse(`a loader state must be an object, but got ${show(state)}`)
  const s = state as Record<string, unknown>
  if (s.version !== 1) return refuse(`version must be 1, but got ${show(s.version)}`)
  for (const name of ['seed', 'epoch', 'position', 'globalBatch']) {
    if (!Number.isSafeInteger(s[name]) || (s[name] as number) < (name === 'globalBatch' ? 1 : 0))
      return refuse(`${name} must be an integer of ${name === 'globalBatch' ? 1 : 0} or more, but got ${show(s[name])}`)
  }
  if (s.generatorSeed !== undefined && !(Number.isSafeInteger(s.generatorSeed) && (s.generatorSeed as number) >= 0))
    return refuse(`generatorSeed must be an integer of 0 or more, but got ${show(s.generatorSeed)}`)
  if ((s.epoch as number) > MAX_WORD) return refuse(`epoch must be at most ${MAX_WORD}, but got ${show(s.epoch)}`)
  if (typeof s.fingerprint !== 'string') return refuse(`fingerprint must be a string, but got ${show(s.fingerprint)}`)
  if (s.tail !== 'short' && s.tail !== 'pad' && s.tail !== 'drop')
    return refuse(`tail must be short, pad or drop, but got ${show(s.tail)}`)
  const fault = rangesFault(s.delivered, s.position as number)
  if (fault !== undefined) return refuse(fault)
  const by = s.deliveredBy as Record<string, unknown> | null | undefined
  if (by !== undefined && !(Number.isSafeInteger(by?.rank) && Number.isSafeInteger(by?.worldSize)))
    return refuse(`deliveredBy must be a rank and a worldSize, but got ${show(by)}`)
  return state as LoaderState
}
