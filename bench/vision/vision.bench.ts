import { mkdirSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { measureCacheBuild } from './cache-build.ts'
import { measureCold } from './cold.ts'
import { runJson } from './command.ts'
import { buildForm, measureEncodings, type SetEncodings } from './encodings.ts'
import { type Extent, FULL, QUICK } from './extent.ts'
import { describeMachine } from './machine.ts'
import type { Memory } from './memory.ts'
import type { Overhead } from './overhead.ts'
import { root } from './places.ts'
import { encodingsPlot } from './plot.ts'
import { measureRates, type SetRates } from './rates.ts'
import { Rebuilt } from './rebuilt.ts'
import { markdown } from './report.ts'
import { PARTS, type Part, type Results } from './results.ts'
import { measureScaling, type Scaling } from './scaling.ts'
import { type ImageSet, imageSet } from './sets.ts'
import type { Views } from './views.ts'

/*
 * The image loader against FFCV, slipstream and plain memcpy: docs/benchmarks.md.
 *
 *   make bench ONLY=vision                              the peers' algorithms, rebuilt in C++
 *   HEADRACE_PEERS=/opt/peers make bench ONLY=vision    the peers themselves as well
 *   HEADRACE_BENCH=quick make bench ONLY=vision         under a minute: does it work?
 *   node build/bench/vision/vision.bench.js [--quick] [--only rates,encodings,scaling,overhead,memory,build,cold] [--sets NAMES]
 *
 * A whole run writes bench/results/vision.{md,json}; any other writes build/bench-data/results. `--child` is how the
 * program starts itself for what needs a process of its own.
 */
const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
    sets: { type: 'string' },
    child: { type: 'string' },
    cache: { type: 'string' },
  },
})

const quick = values.quick || process.env.HEADRACE_BENCH === 'quick'
const extent: Extent = quick ? QUICK : FULL
const whole = !quick && values.only === undefined && values.sets === undefined

function say(line: string): void {
  process.stderr.write(`[${new Date().toISOString().slice(11, 19)}] ${line}\n`)
}

function wantedParts(): ReadonlySet<Part> {
  const names = values.only?.split(',') ?? PARTS
  return new Set(
    names.map((name) => {
      const part = PARTS.find((known) => known === name)
      if (part === undefined) throw new Error(`--only knows ${PARTS.join(', ')}, but got ${name}`)
      return part
    }),
  )
}

async function child(name: string, cache: string): Promise<object> {
  if (name === 'overhead')
    return (await import('./overhead.ts')).overhead(cache, extent.batches.at(-1) ?? 256, extent.overheadPairs)
  if (name === 'views') return (await import('./views.ts')).views(cache, extent.batches.at(-1) ?? 256, extent.viewPairs)
  if (name === 'memory') return (await import('./memory.ts')).memory(cache, extent.memoryBatch)
  throw new Error(`there is no child ${name}`)
}

/** This program again, in a process of its own. */
function own<T>(
  part: 'overhead' | 'memory' | 'views',
  cache: string,
  cores: string,
  flags: readonly string[] = [],
): Promise<T> {
  const size = quick ? ['--quick'] : []
  const program = [process.execPath, ...flags, fileURLToPath(import.meta.url)]
  return runJson<T>([...program, '--child', part, '--cache', cache, ...size], { cores })
}

function write(results: Results): string {
  const folder = whole ? join(root, 'bench', 'results') : join(root, 'build', 'bench-data', 'results')
  mkdirSync(folder, { recursive: true })
  if (results.encodings !== undefined) writeFileSync(join(folder, 'encodings.svg'), encodingsPlot(results.encodings))
  // places as they are in any clone
  const json = JSON.stringify(results, undefined, 2).replaceAll(`${root}/`, '')
  writeFileSync(join(folder, 'vision.json'), `${json}\n`)
  const text = markdown(results)
  writeFileSync(join(folder, 'vision.md'), text)
  say(`wrote ${relative(root, folder)}/vision.md and vision.json`)
  return text
}

async function main(): Promise<void> {
  const parts = wantedParts()
  const sets: ImageSet[] = []
  for (const name of values.sets?.split(',') ?? extent.sets) sets.push(await imageSet(name, extent, say))
  const [first] = sets
  const last = sets.at(-1)
  if (first === undefined || last === undefined) throw new Error('--sets names no set')
  const results: Results = { quick, machine: await describeMachine(first.cache) }
  const rebuilt = await Rebuilt.compile()
  if (parts.has('rates')) {
    const rates: SetRates[] = []
    results.rates = rates
    for (const set of sets) rates.push(await measureRates(set, rebuilt, extent, say))
    write(results)
  }
  if (parts.has('encodings')) {
    const encodings: SetEncodings[] = []
    results.encodings = encodings
    const twoViewsOf = (cache: string) => own<Views>('views', cache, '0')
    for (const set of sets) encodings.push(await measureEncodings(set, rebuilt, extent, twoViewsOf, say))
    write(results)
  }
  // The JPEG cache and that of packed coefficients: the loader must hold what it promises at either speed.
  const packed = { ...first, name: `${first.name} dct`, cache: (await buildForm(first, 'dct')).cache }
  if (parts.has('scaling')) {
    const scaling: Scaling[] = []
    for (const set of [first, packed]) {
      const measured = await measureScaling(set, extent, say)
      if (measured === undefined) say('scaling needs two cores: left out')
      else scaling.push(measured)
    }
    results.scaling = scaling
  }
  if (parts.has('overhead')) {
    say('loader against bare decode')
    const overhead: Overhead[] = []
    for (const { cache } of [first, packed]) overhead.push(await own<Overhead>('overhead', cache, '0'))
    results.overhead = overhead
  }
  if (parts.has('memory')) {
    say('memory over 650 batches')
    const memory: Memory[] = []
    for (const { cache } of [first, packed]) memory.push(await own<Memory>('memory', cache, '0,1', ['--expose-gc']))
    results.memory = memory
  }
  if (parts.has('build')) results.build = await measureCacheBuild(last, extent.buildFiles, extent.buildRounds, say)
  if (parts.has('cold')) {
    say('cold epochs')
    results.cold = await measureCold(last, extent.batches.at(-1) ?? 256)
  }
  process.stdout.write(write(results))
}

if (values.child === undefined) await main()
else process.stdout.write(`${JSON.stringify(await child(values.child, values.cache ?? ''))}\n`)
