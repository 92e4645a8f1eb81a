import { setImmediate as turn } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { Dataset } from '../../src/datasets/types.ts'
import type { LoaderState } from '../../src/loader/index.ts'
import type { LoadOptions } from '../../src/vision/index.ts'
import { load } from '../../src/vision/index.ts'
import { own } from './own-dataset.ts'

const FIELD = { x: { kind: 'number', dtype: 'float64' } } as const

/** A dataset whose samples are their ids, squared. */
export function squares(length: number, more: Partial<Dataset<typeof FIELD>> = {}): Dataset<typeof FIELD> {
  return own(FIELD, length, async (id) => ({ x: id * id }), {
    gather(ids, _, out) {
      ids.forEach((id, row) => {
        out[row] = id * id
      })
    },
    ...more,
  })
}

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void
let worlds = 0

export interface Step {
  readonly ids: readonly number[]
  readonly padding: number
  /** Of the loader once the batch was delivered. */
  readonly state: LoaderState
}

/** The steps of one iteration, `most` at most. */
export async function stepsOf(
  dataset: Dataset,
  options: LoadOptions,
  most = Number.POSITIVE_INFINITY,
): Promise<Step[]> {
  const loader = load(dataset, { rank: 0, worldSize: 1, ...options })
  const steps: Step[] = []
  try {
    if (most > 0)
      for await (const { meta } of loader) {
        steps.push({ ids: [...meta.index.data].map(Number), padding: meta.padding, state: loader.state() })
        if (steps.length >= most) break
      }
  } finally {
    loader.close()
  }
  return steps
}

/** What all ranks of a world see, a step at a time in the order of ranks; every rank's state there must be the same one. */
export async function worldSteps(
  dataset: Dataset,
  options: LoadOptions,
  worldSize: number,
  most = Number.POSITIVE_INFINITY,
): Promise<Step[]> {
  const ranks = await Promise.all(
    Array.from({ length: worldSize }, (_, rank) => stepsOf(dataset, { ...options, rank, worldSize }, most)),
  )
  // Memory of slots, a file each, goes once their buffers are collected: thousands of loaders in a second are too many.
  if (++worlds % 50 === 0) {
    collect()
    await turn()
  }
  const count = Math.max(...ranks.map((steps) => steps.length))
  return Array.from({ length: count }, (_, step) => {
    const there = ranks.flatMap((steps) => steps[step] ?? [])
    const [first] = there as [Step]
    for (const { state } of there)
      if (JSON.stringify(state) !== JSON.stringify(first.state)) throw new Error('ranks stand at different states')
    return {
      ids: there.flatMap(({ ids }) => ids),
      padding: there.reduce((sum, { padding }) => sum + padding, 0),
      state: first.state,
    }
  })
}
