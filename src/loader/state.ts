import { createHash } from 'node:crypto'
import { show } from '../checks.ts'
import { HeadraceError } from '../errors.ts'
import { MAX_WORD } from '../sampling/random.ts'
import type { Tail } from '../sampling/shards.ts'

/** Where a loader stands: JSON, a few integers. Everything else follows from them. */
export interface LoaderState {
  readonly version: 1
  /** Of the dataset and its order; a loader over anything else refuses the state. */
  readonly fingerprint: string
  readonly seed: number
  readonly epoch: number
  /** Positions of the epoch's global sequence that are behind us. */
  readonly position: number
  readonly tail: Tail
  /** batchSize x worldSize. Another world size resumes if this can be divided by it. */
  readonly globalBatch: number
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
  if ((s.epoch as number) > MAX_WORD) return refuse(`epoch must be at most ${MAX_WORD}, but got ${show(s.epoch)}`)
  if (typeof s.fingerprint !== 'string') return refuse(`fingerprint must be a string, but got ${show(s.fingerprint)}`)
  if (s.tail !== 'short' && s.tail !== 'pad' && s.tail !== 'drop')
    return refuse(`tail must be short, pad or drop, but got ${show(s.tail)}`)
  return state as LoaderState
}
