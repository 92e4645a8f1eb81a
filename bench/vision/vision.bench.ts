/**
 * The image loader against FFCV, slipstream and plain memcpy, all pinned to core 0, one thread each, in turn.
 *
 *   make bench                                what is here: the peers' algorithms rebuilt in C++
 *   HEADRACE_PEERS=/opt/peers make bench      the real ones (a folder with venv/ and src/slipstream/)
 *   HEADRACE_BENCH=quick make bench           a few seconds a line, to see that it works
 *
 * Prints a Markdown table and writes it to bench/results/vision.md, with the figures in vision.json.
 */
import { execFileSync } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { BenchVisionReport } from 'headrace'
import { cacheBuild } from './cache-build.ts'
import { type MadeSet, made, ROOT, SETS } from './sets.ts'
import { inTurn, median, type Rates } from './statistics.ts'
import { compileRebuilt, headrace, headraceReport, machine, peer, rebuilt, type Tool } from './tools.ts'

const quick = process.env.HEADRACE_BENCH === 'quick'
const ROUNDS = quick ? 1 : 3
const EPOCHS = quick ? 1 : 4

interface Line {
  readonly what: string
  readonly ours: string
  readonly against: string
  readonly ratio: number
  readonly target: string
  readonly met: boolean
}

const lines: Line[] = []
const figures: Record<string, unknown> = {}
const whole = (n: number): string => Math.round(n).toLocaleString('en-US')
const percent = (share: number): string => `${(100 * share).toFixed(1)} %`

function add(what: string, ours: string, against: string, ratio: number, met: boolean, target: string): void {
  lines.push({ what, ours, against, ratio, target, met })
  process.stderr.write(`${what}: ${ours} against ${against}: ${ratio.toFixed(2)} (${target}) ${met ? 'met' : 'MISSED'}\n`)
}

/** One row: our rate over the best of the peers'. */
function compare(what: string, [ours, ...peers]: readonly Rates[], target: number): void {
  const best = peers.reduce((a, b) => (b.wall > a.wall ? b : a))
  if (ours === undefined) return
  figures[what] = [ours, ...peers]
  const ratio = ours.wall / best.wall
  add(what, `${whole(ours.wall)} images/s`, peers.map((p) => `${p.tool} ${whole(p.wall)}`).join(', '), ratio, ratio >= target, `≥ ${target}x`)
}

async function compareSet(set: MadeSet, program: string | undefined): Promise<void> {
  const ours = headrace(set)
  const ffcv = await peer('ffcv', set, program)
  const slipstream = await peer('slipstream', set, program)
  const present = (...entries: (readonly [Tool | undefined, string])[]) =>
    entries.filter((entry): entry is readonly [Tool, string] => entry[0] !== undefined)
  const rows: readonly [string, readonly (readonly [Tool, string])[], number][] = [
    ['RandomResizedCrop 224', present([ours, 'rrc'], [ffcv, 'rrc'], [slipstream, 'rrc']), 1.4],
    ['centre crop, FFCV’s (ratio 1, resized)', present([ours, 'center'], [ffcv, 'center']), 1.15],
    ['centre crop, slipstream’s (plain)', present([ours, 'crop'], [slipstream, 'crop']), 1.15],
    ['whole decode, ragged', present([ours, 'decode'], [slipstream, 'decode']), 1],
    ['stored bytes, against memcpy', present([ours, 'raw'], [program === undefined ? undefined : rebuilt(program, 'memcpy', set), 'raw']), 0.85],
    ['stored bytes, against FFCV', present([ours, 'raw'], [ffcv?.name.includes('rebuilt') ? undefined : ffcv, 'raw']), 5],
  ]
  for (const [what, entries, target] of rows)
    if (entries.length > 1) compare(`${set.name}: ${what}`, await inTurn(entries, ROUNDS, what.startsWith('stored') ? 10 * EPOCHS : EPOCHS), target)
  await ffcv?.close()
  await slipstream?.close()
}

/** Two threads against two processes of one thread, a core each, at the same time. */
async function scaling(set: MadeSet): Promise<void> {
  const epochs = quick ? 3 : 12
  const rate = (report: BenchVisionReport) => report.imagesPerSecond
  const together: number[] = []
  const threads: number[] = []
  for (let round = 0; round < (quick ? 1 : 5); round++) {
    const both = await Promise.all([0, 1].map((core) => headraceReport(set.cache, 'rrc', epochs, { core })))
    together.push(both.map(rate).reduce((a, b) => a + b))
    threads.push(rate(await headraceReport(set.cache, 'rrc', epochs, { threads: 2 })))
  }
  const ratio = median(threads) / median(together)
  figures.scaling = { together, threads }
  add(`${set.name}: two threads`, `${whole(median(threads))} images/s`, `two processes ${whole(median(together))}`, ratio, ratio >= 0.95, '≥ 0.95x')
}

function own<T>(program: string, args: readonly string[], flags: readonly string[] = []): T {
  const path = join(ROOT, 'build', 'bench', 'vision', program)
  return JSON.parse(execFileSync(process.execPath, [...flags, path, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })) as T
}

async function housekeeping(set: MadeSet): Promise<void> {
  const overhead = own<{ wall: number; cpu: number }>('loader-overhead.js', [set.name, quick ? '1' : '7'])
  figures.loaderOverhead = overhead
  add(`${set.name}: loader over bare decode`, `${percent(overhead.wall)} of the time`, `CPU time ${percent(overhead.cpu)}`, 1 + overhead.wall, overhead.wall < 0.03, '< 3 %')

  const memory = own<{ heapBytes: number; rssBytes: number; slotBytes: number }>('steady-memory.js', [], ['--expose-gc'])
  figures.steadyMemory = memory
  const flat = memory.heapBytes < 512 * 1024 && memory.rssBytes < 8 * 2 ** 20
  add('memory after 200 more batches', `heap ${whole(memory.heapBytes / 1024)} KiB, RSS ${whole(memory.rssBytes / 1024)} KiB`, `slots of ${whole(memory.slotBytes / 2 ** 20)} MiB`, 1, flat, 'flat')

  const build = await cacheBuild(set, quick ? 1 : 5)
  figures.cacheBuild = build
  const ratio = build.copySeconds / build.buildSeconds
  const mb = (seconds: number) => `${whole(build.bytes / 1e6 / seconds)} MB/s`
  add(`cache build of ${whole(build.files)} files${build.cold ? ', cold' : ', page cache not emptied'}`, mb(build.buildSeconds), `cp -r ${mb(build.copySeconds)}`, ratio, ratio >= 0.8, '≥ 0.8x')

  const report = await headraceReport(set.cache, 'rrc', 4, { extra: ['--cold', '--shuffle'] })
  figures.coldEpoch = report
  const { cold } = report
  if (cold !== undefined)
    add(
      `${set.name}: cold epoch, ${percent(cold.residentShare)} of pages in memory, ${whole((cold.deviceBytes ?? 0) / 1e6)} MB from the device`,
      `${whole(cold.imagesPerSecond)} images/s`,
      `warm ${whole(report.imagesPerSecond)}`,
      cold.imagesPerSecond / report.imagesPerSecond,
      cold.residentShare < 0.05,
      '< 5 % in memory',
    )
}

const program = await compileRebuilt()
const sets: MadeSet[] = []
for (const set of SETS) sets.push(await made(set))
for (const set of quick ? sets.slice(0, 1) : sets) await compareSet(set, program)
const [first] = sets
if (first !== undefined) {
  await scaling(first)
  await housekeeping(first)
}

const peers = process.env.HEADRACE_PEERS === undefined ? 'Peers are their algorithms rebuilt in C++ without loaders around.' : 'FFCV and slipstream are the real programs, batch 256, sequential.'
const { simd = '', libjpegTurbo = '' } = (figures.coldEpoch as BenchVisionReport | undefined) ?? {}
const header = [
  `${machine()}, ${simd}, libjpeg-turbo ${libjpegTurbo}. One thread on one core unless said, warm page cache, uint8 NHWC, medians of ${ROUNDS} interleaved rounds of ${EPOCHS} epochs. ${peers} Sets: ${sets
    .map((set) => `${set.name} (${set.title}, 4:2:0, ${whole(set.images)} images, ${whole(set.meanBytes / 1024)} KiB each)`)
    .join('; ')}, made from the example photographs.`,
  '',
  '| measured | headrace | against | ratio | target |',
  '|---|--:|---|--:|---|',
]
const table = [...header, ...lines.map((l) => `| ${l.what} | ${l.ours} | ${l.against} | ${l.ratio.toFixed(2)} | ${l.target}: ${l.met ? 'met' : '**missed**'} |`), ''].join('\n')
const results = join(ROOT, 'bench', 'results')
await mkdir(results, { recursive: true })
await writeFile(join(results, 'vision.md'), table)
await writeFile(join(results, 'vision.json'), `${JSON.stringify({ machine: machine(), sets: sets.map(({ name, images, meanBytes }) => ({ name, images, meanBytes })), lines, figures }, undefined, 1)}\n`)
process.stdout.write(`\n${table}`)
