import { availableParallelism } from 'node:os'
import type { BenchVisionReport } from 'headrace'
import type { Extent } from './extent.ts'
import { benchHeadrace } from './headrace.ts'
import type { ImageSet } from './sets.ts'
import { median } from './statistics.ts'

export interface Scaling {
  readonly set: string
  /** Images/s of one process with two threads, on cores 0 and 1. */
  readonly twoThreads: number
  /** Of two processes with one thread each, at the same time, pinned to cores 0 and 1; their rates added. */
  readonly twoProcesses: number
  readonly oneThread: number
  readonly ratio: number
}

/** Two threads against two processes that know nothing of each other, in turn. Undefined on a machine of one core. */
export async function measureScaling(
  set: ImageSet,
  extent: Extent,
  say: (line: string) => void,
): Promise<Scaling | undefined> {
  if (availableParallelism() < 2) return undefined
  const bench = (threads: number, cores: string, epochs: number) =>
    benchHeadrace({ cache: set.cache, pipeline: 'rrc', batch: extent.batches.at(-1) ?? 256, epochs, threads, cores })
  const epochsFor = ({ imagesPerSecond }: BenchVisionReport) =>
    Math.ceil((extent.scalingSeconds * imagesPerSecond) / set.images)
  const probe = await bench(1, '0', 2)
  const alone: number[] = []
  const pairs: number[] = []
  const threads: number[] = []
  for (let round = 0; round < extent.scalingRounds; round++) {
    alone.push((await bench(1, '0', epochsFor(probe))).imagesPerSecond)
    threads.push((await bench(2, '0,1', 2 * epochsFor(probe))).imagesPerSecond)
    const both = await Promise.all(['0', '1'].map((core) => bench(1, core, epochsFor(probe))))
    pairs.push(both.reduce((sum, { imagesPerSecond }) => sum + imagesPerSecond, 0))
    say(
      `scaling round ${round + 1}: two threads ${threads.at(-1)?.toFixed(0)}/s, two processes ${pairs.at(-1)?.toFixed(0)}/s`,
    )
  }
  const twoThreads = median(threads)
  const twoProcesses = median(pairs)
  return { set: set.name, oneThread: median(alone), twoThreads, twoProcesses, ratio: twoThreads / twoProcesses }
}
