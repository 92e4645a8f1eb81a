import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { LoaderState } from '../../src/loader/index.ts'
import { orderOf } from '../../src/loader/index.ts'
import { built, DIST } from '../cli/built.ts'

const SCRIPT = fileURLToPath(new URL('training-child.mjs', import.meta.url))
const LENGTH = 413
const GLOBAL = 16
const STEPS = Math.ceil(LENGTH / GLOBAL)

let folder: string
const children: ChildProcess[] = []
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'headrace-killed-'))
  await built()
})
afterAll(async () => {
  for (const child of children) child.kill('SIGKILL')
  await rm(folder, { recursive: true, force: true })
})

interface Note {
  readonly step: number
  readonly ids: readonly number[]
  readonly state: LoaderState
}

function notesOf(path: string): Note[] {
  if (!existsSync(path)) return []
  const lines = readFileSync(path, 'utf8').split('\n')
  // What stands behind the last line feed was being written.
  return lines.slice(0, -1).map((line) => JSON.parse(line) as Note)
}

let runs = 0
interface World {
  readonly notes: readonly string[]
  readonly children: readonly ChildProcess[]
}

function start(worldSize: number, more: object): World {
  const run = runs++
  const notes = Array.from({ length: worldSize }, (_, rank) => join(folder, `${run}-${rank}`))
  const started = notes.map((path, rank) => {
    const spec = { length: LENGTH, pause: 5, rank, worldSize, shuffle: true, tail: 'pad', ...more }
    const child = spawn(process.execPath, [SCRIPT, DIST, path, JSON.stringify(spec)], {
      stdio: ['ignore', 'inherit', 'inherit'],
    })
    children.push(child)
    return child
  })
  return { notes, children: started }
}

/** Kills every rank with SIGKILL once rank 0 has noted so many steps. The state that rank 0 noted last, and its step. */
async function killAt(world: World, steps: number): Promise<Note> {
  const [first] = world.notes as [string]
  while (notesOf(first).length < steps) await sleep(1)
  const ended = world.children.map((child) => once(child, 'exit'))
  for (const child of world.children) child.kill('SIGKILL')
  for (const [, signal] of await Promise.all(ended)) expect(signal).toBe('SIGKILL')
  return notesOf(first).at(-1) as Note
}

/** What the ranks saw, step by step, up to a step. */
function seenBy({ notes }: World, before = Number.POSITIVE_INFINITY): number[][] {
  const ranks = notes.map(notesOf)
  const steps = [...new Set(ranks.flatMap((rank) => rank.map(({ step }) => step)))].sort((a, b) => a - b)
  return steps
    .filter((step) => step < before)
    .map((step) => ranks.flatMap((rank) => rank.find((note) => note.step === step)?.ids ?? []))
}

async function ended(world: World): Promise<void> {
  for (const child of world.children) if (child.exitCode === null) await once(child, 'exit')
  expect(world.children.map((child) => child.exitCode)).toEqual(world.children.map(() => 0))
}

describe('training that is killed with SIGKILL', () => {
  it('twice, on 4 and 2 ranks, and goes on alone, has seen the sequence of one that was not', {
    timeout: 120_000,
  }, async () => {
    const order = orderOf(
      { length: LENGTH, schema: {}, fingerprint: 'training' },
      { shuffle: true, seed: 7, tail: 'pad', batchSize: GLOBAL, rank: 0, worldSize: 1 },
    )
    const expected = Array.from({ length: STEPS }, (_, step) => [...order.step(0, step).ids])

    const four = start(4, { seed: 7, batchSize: GLOBAL / 4 })
    const first = await killAt(four, 5)
    const resumeFrom = join(folder, 'state.json')
    await writeFile(resumeFrom, JSON.stringify(first.state))
    expect(first.state).toMatchObject({ epoch: 0, position: (first.step + 1) * GLOBAL, globalBatch: GLOBAL })

    const two = start(2, { resumeFrom })
    const second = await killAt(two, 4)
    await writeFile(resumeFrom, JSON.stringify(second.state))
    expect(second.step).toBeGreaterThan(first.step)

    const one = start(1, { resumeFrom })
    await ended(one)

    // Ranks that were ahead of rank 0 when the end came did steps whose state was never kept: they are done again.
    const seen = [...seenBy(four, first.step + 1), ...seenBy(two, second.step + 1), ...seenBy(one)]
    // A rank that was killed behind rank 0 has no note of the last steps; whatever is noted must be as expected.
    for (const world of [four, two])
      for (const [rank, path] of world.notes.entries())
        for (const { step, ids } of notesOf(path)) {
          const size = GLOBAL / world.notes.length
          expect(ids).toEqual((expected[step] as number[]).slice(rank * size, (rank + 1) * size))
        }
    expect(seen.length).toBe(STEPS)
    expect(seenBy(one)).toEqual(expected.slice(second.step + 1))
  })

  it('while the last step is under way: the epoch ends as it would have', { timeout: 60_000 }, async () => {
    const world = start(1, { seed: 3, batchSize: GLOBAL, pause: 2 })
    const { state, step } = await killAt(world, STEPS - 1)
    const resumeFrom = join(folder, 'last.json')
    await writeFile(resumeFrom, JSON.stringify(state))
    const rest = start(1, { resumeFrom })
    await ended(rest)
    const whole = start(1, { seed: 3, batchSize: GLOBAL, pause: 0, epochs: 2 })
    await ended(whole)
    const [seen, expected] = [notesOf(rest.notes[0] as string), notesOf(whole.notes[0] as string)]
    // Where the last step was noted before the kill, what comes next is the second epoch.
    const from = state.epoch === 0 ? step + 1 : STEPS
    expect(seen.map(({ ids }) => ids)).toEqual(
      expected.slice(from, state.epoch === 0 ? STEPS : 2 * STEPS).map(({ ids }) => ids),
    )
  })
})
