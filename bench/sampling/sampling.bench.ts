import { cpus } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { Sampler } from 'headrace'

/** ns per shuffled position and per random draw, one thread; prints one JSON document. `--quick` for a short run. */

/** Not part of the public surface: taken from the compiled package. */
interface Sampling {
  randomSampler(length: number, seed: number): Sampler
}

interface Random {
  readonly Draws: new (
    seed: number,
    epoch: number,
    view?: number,
  ) => { begin(sample: number): void; at(index: number): number }
}

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..')
const module = async <T>(name: string) => (await import(pathToFileURL(join(root, 'dist', 'sampling', name)).href)) as T

const quick = process.argv.includes('--quick')
const ROUNDS = quick ? 3 : 15
const POSITIONS = quick ? 100_000 : 1_000_000
const DRAWS = quick ? 100_000 : 1_000_000
/** What a loader asks for at once. */
const BATCH = 256

/** The best round: everything that disturbs a loop like these makes it longer. */
function nanosecondsEach(count: number, work: () => void): number {
  let best = Number.POSITIVE_INFINITY
  for (let round = 0; round <= ROUNDS; round++) {
    const start = process.hrtime.bigint()
    work()
    if (round > 0) best = Math.min(best, Number(process.hrtime.bigint() - start))
  }
  return best / count
}

const { randomSampler } = await module<Sampling>('samplers.js')
const { Draws } = await module<Random>('random.js')

/** Kept, so that no loop can be left out. */
let sum = 0

const perShuffledPosition = [1_000, 1_281_167, 100_000_000].map((length) => {
  const sampler = randomSampler(length, 7)
  sampler.prepare(1)
  const out = new Float64Array(Math.min(BATCH, length))
  const fills = Math.ceil(POSITIONS / out.length)
  const last = length - out.length
  const nanoseconds = nanosecondsEach(fills * out.length, () => {
    for (let i = 0; i < fills; i++) {
      sampler.fill(1, (i * out.length) % (last + 1), out)
      sum += out[0] ?? 0
    }
  })
  return { length, nanoseconds }
})

const draws = new Draws(7, 1)
const perDraw = nanosecondsEach(DRAWS, () => {
  for (let i = 0; i < DRAWS; i++) sum += draws.at(i)
})
const perCrop = nanosecondsEach(DRAWS / 10, () => {
  for (let i = 0; i < DRAWS / 10; i++) {
    draws.begin(i)
    for (let k = 0; k < 4; k++) sum += draws.at(k)
  }
})

const machine = { processor: cpus()[0]?.model.trim(), node: process.version, threads: 1 }
const result = { machine, perShuffledPosition, perThreefryDraw: perDraw, perSampleOfFourDraws: perCrop, checksum: sum }
process.stdout.write(`${JSON.stringify(result, undefined, 2)}\n`)
