import type { Dataset } from '../../datasets/types.ts'
import type { Loader } from '../../loader/index.ts'
import { type LoadOptions, load, randomResizedCrop } from '../../vision/index.ts'
import { timeEpoch } from './epoch.ts'
import { median } from './statistics.ts'

/** Turns of each cache that are timed: the median of an odd number is one of them. */
const TURNS = 5
/** A turn is at least about this long, in seconds: shorter ones are disturbed by whatever else runs. */
const TURN_SECONDS = 0.1
/** Epochs before that: pages come into memory, V8 compiles. */
const WARM_EPOCHS = 2
/** With a few hundred samples several batches make an epoch, so that making and taking them overlap. */
const BATCH = 64

export interface EncodingRate {
  /** Median of the turns. */
  readonly imagesPerSecond: number
  /** User and system time of all threads, over all turns. */
  readonly cpuSecondsPerImage: number
}

export interface TurnOptions {
  readonly size: number
  readonly threads: number
  readonly signal: AbortSignal | undefined
}

/**
 * Random crops of every cache, in turn: all of them make the same crops of the same samples in the same round, so what
 * else the machine does meets them all.
 */
export async function timeInTurns(
  datasets: readonly Dataset[],
  { size, threads, signal }: TurnOptions,
  tell: (done: number, total: number) => void,
): Promise<readonly EncodingRate[]> {
  const loaders = datasets.map((dataset): Loader => {
    const options: LoadOptions = {
      fields: ['image'],
      image: [randomResizedCrop(size)],
      batchSize: Math.min(BATCH, dataset.length ?? BATCH),
      threads,
      rank: 0,
      worldSize: 1,
      ...(signal ? { signal } : {}),
    }
    return load(dataset, options)
  })
  const rounds = WARM_EPOCHS + TURNS
  const turns: Turn[][] = loaders.map(() => [])
  try {
    let epochs = 1
    for (let round = 0; round < rounds; round++) {
      const times: Turn[] = []
      for (const [k, loader] of loaders.entries()) {
        tell(round * loaders.length + k, rounds * loaders.length)
        times.push(await timeTurn(loader, epochs))
      }
      // as many epochs as the fastest one needs: then all make the same crops
      if (round === WARM_EPOCHS - 1) epochs = Math.ceil(TURN_SECONDS / Math.min(...times.map(({ seconds }) => seconds)))
      if (round >= WARM_EPOCHS) for (const [k, turn] of times.entries()) turns[k]?.push(turn)
    }
    return turns.map(rateOf)
  } finally {
    for (const loader of loaders) loader.close()
  }
}

interface Turn {
  readonly images: number
  readonly seconds: number
  readonly cpuSeconds: number
}

async function timeTurn(loader: Loader, epochs: number): Promise<Turn> {
  let turn: Turn = { images: 0, seconds: 0, cpuSeconds: 0 }
  for (let epoch = 0; epoch < epochs; epoch++) {
    const { images, seconds, cpuSeconds } = await timeEpoch(loader, 'image')
    turn = {
      images: turn.images + images,
      seconds: turn.seconds + seconds,
      cpuSeconds: turn.cpuSeconds + cpuSeconds,
    }
  }
  return turn
}

function rateOf(turns: readonly Turn[]): EncodingRate {
  const sum = (of: (turn: Turn) => number) => turns.reduce((total, turn) => total + of(turn), 0)
  return {
    imagesPerSecond: median(turns.map(({ images, seconds }) => images / seconds)),
    cpuSecondsPerImage: sum(({ cpuSeconds }) => cpuSeconds) / sum(({ images }) => images),
  }
}
