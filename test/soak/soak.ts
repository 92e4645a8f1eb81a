/**
 * `node --expose-gc soak.js SECONDS`: a mixed load on the S3 client while things go wrong at a low rate, and what the
 * process holds, looked at again and again when nothing is under way. The last line has the figures; where something
 * grows, lines before it say what, and the exit code is 1.
 */
import { strict as assert } from 'node:assert'
import { type Bounds, LEAST_SAMPLES, secondHalf, trend, unevenness } from './flatness.ts'
import { type Footprint, footprint, footprintOf } from './footprint.ts'
import { CONCURRENCY, FAULTS, Load } from './load.ts'
import { startFaultyServer } from './server.ts'

const MiB = 2 ** 20
/** Milliseconds between looks. */
const LEAST_INTERVAL = 500
/** In a long run. */
const LOOKS = 60

/**
 * Of the client. Memory of large buffers goes back to the system when the allocator likes, hence the room for RSS; what
 * is alive is exact but for compiled code.
 */
const BOUNDS: Readonly<Record<keyof Footprint, Bounds>> = {
  rss: { rise: 48 * MiB, ceiling: 320 * MiB },
  heap: { rise: MiB, ceiling: 48 * MiB },
  // A request whose kept connection turns out to be dead gets one of its own, beside those that are idle.
  sockets: { rise: CONCURRENCY / 2, ceiling: CONCURRENCY * 1.5 },
  descriptors: { rise: CONCURRENCY / 2, ceiling: 64 },
}
const SERVER_BOUNDS = {
  rss: { rise: 96 * MiB, ceiling: 384 * MiB },
  descriptors: { rise: CONCURRENCY / 2, ceiling: 80 },
}

function complaints<K extends string>(
  whose: string,
  samples: readonly Readonly<Record<K, number>>[],
  bounds: Readonly<Record<K, Bounds>>,
): readonly string[] {
  return (Object.keys(bounds) as K[]).flatMap((name) => {
    const values = samples.map((sample) => sample[name])
    const wrong = unevenness(values, bounds[name])
    return wrong === undefined ? [] : [`${whose}'s ${name} ${wrong}: ${values.join(' ')}`]
  })
}

function megabytes(values: readonly number[]): string {
  const counted = secondHalf(values)
  const risen = trend(counted) / MiB
  return `${Math.round(Math.max(...counted) / MiB)} MiB (${risen < 0 ? '' : '+'}${risen.toFixed(1)})`
}

const seconds = Number(process.argv[2])
assert(seconds >= 10, 'how many seconds? At least 10')
const interval = Math.max(LEAST_INTERVAL, (seconds * 1000) / LOOKS)
const ours: Footprint[] = []
const theirs: Pick<Footprint, 'rss' | 'descriptors'>[] = []

const server = await startFaultyServer(FAULTS)
try {
  const before = await footprint()
  const load = await Load.open(server.url)
  const end = performance.now() + seconds * 1000
  while (performance.now() < end || ours.length < LEAST_SAMPLES) {
    await load.run(interval)
    ours.push(await footprint())
    const other = footprintOf(server.pid)
    if (other !== undefined) theirs.push(other)
  }
  const { runs, errors, retries } = load.report()
  await load.close()
  const after = await footprint()

  const wrong = [
    ...complaints('the client', ours, BOUNDS),
    ...(theirs.length === 0 ? [] : complaints('the server', theirs, SERVER_BOUNDS)),
    ...(after.sockets > before.sockets ? [`${after.sockets - before.sockets} sockets are open after the end`] : []),
    ...(after.descriptors > before.descriptors
      ? [`${after.descriptors} files are open, ${before.descriptors} before`]
      : []),
    ...(retries === 0 ? ['nothing went wrong: the faults did not come'] : []),
  ]
  for (const line of wrong) console.log(line)
  const rss = megabytes(ours.map((each) => each.rss))
  const heap = megabytes(ours.map((each) => each.heap))
  const sockets = Math.max(...secondHalf(ours.map((each) => each.sockets))) - before.sockets
  const serverRss = theirs.length === 0 ? '' : `, the server's RSS ${megabytes(theirs.map((each) => each.rss))}`
  const outcome = `${runs.toLocaleString('en')} operations, ${retries} retries, ${errors} errors`
  console.log(`${seconds} s: ${outcome}; in the second half RSS ${rss}, heap ${heap}, ${sockets} sockets${serverRss}`)
  process.exitCode = wrong.length > 0 ? 1 : 0
} finally {
  await server.stop()
}
