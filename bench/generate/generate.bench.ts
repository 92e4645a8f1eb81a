import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Figure, record } from '../figures.ts'
import { CASES, type Case, dlioOverrides, headraceFlags, quickly } from './cases.ts'
import { type Watched, watch } from './watched.ts'

/**
 * How fast data sets are generated, without the time that a command takes to start, by format: through the commands as users start them, ours and DLIO's by turns where
 * HEADRACE_PEERS has `dlio-venv` with dlio_benchmark in it, into files below $HEADRACE_SCRATCH or the system's temporary
 * folder; as many zeros by dd, which is what the disk and its page cache take; and to nowhere, which is what making the
 * bytes costs. Prints one JSON document; a whole run writes
 * bench/results/generate.json and the README's table too. `--quick` for a look.
 */

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..')
const COMMAND = join(root, 'dist', 'cli', 'headrace.cjs')
const quick = process.argv.includes('--quick')
const TURNS = quick ? 1 : 2
const MB = 1e6

const peers = process.env.HEADRACE_PEERS
const DLIO = peers === undefined ? undefined : join(peers, 'dlio-venv', 'bin', 'dlio_benchmark')

interface Measured {
  readonly megabytesPerSecond: number
  readonly cpuSecondsPerGB: number
  readonly peakRssMiB: number
}

function bytesBelow(folder: string): number {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true })
  return entries.reduce(
    (sum, entry) => (entry.isFile() ? sum + statSync(join(entry.parentPath, entry.name)).size : sum),
    0,
  )
}

const three = (value: number) => Number(value.toPrecision(3))

/** What a command takes that has next to nothing to do. */
interface Start {
  readonly seconds: number
  readonly cpuSeconds: number
}

const NO_START: Start = { seconds: 0, cpuSeconds: 0 }

function rated({ seconds, cpuSeconds, peakRssBytes }: Watched, bytes: number, start = NO_START): Measured {
  return {
    megabytesPerSecond: three(bytes / MB / Math.max(1e-3, seconds - start.seconds)),
    cpuSecondsPerGB: three((Math.max(0, cpuSeconds - start.cpuSeconds) / bytes) * 1e9),
    peakRssMiB: Math.round(peakRssBytes / 2 ** 20),
  }
}

/** The best turn: everything that disturbs a program makes it slower. */
const best = (turns: readonly Measured[]): Measured | undefined =>
  turns.toSorted((a, b) => b.megabytesPerSecond - a.megabytesPerSecond)[0]

type Run = (folder: string) => Promise<Watched>

async function toFiles(scratch: string, run: Run, start: (watched: Watched) => Start = () => NO_START) {
  const folder = join(scratch, 'set')
  try {
    const watched = await run(folder)
    return rated(watched, bytesBelow(folder), start(watched))
  } finally {
    rmSync(folder, { recursive: true, force: true })
    rmSync(`${folder}.log`, { recursive: true, force: true })
  }
}

/** What the command takes for a set of two files of 1 KB. */
async function startOf(scratch: string, run: Run): Promise<Start> {
  const folder = join(scratch, 'start')
  const turns: Watched[] = []
  for (let turn = 0; turn < 3; turn++) {
    turns.push(await run(folder))
    rmSync(folder, { recursive: true, force: true })
  }
  return turns.toSorted((a, b) => a.seconds - b.seconds)[0] ?? NO_START
}

/** DLIO's start by its own clock: it says when it begins to generate and when it has done so. */
function dlioStart({ seconds, output }: Watched): Start {
  const at = (what: string) => {
    const time = new RegExp(`(\\d{4}-\\d\\d-\\d\\dT[\\d:.]+) ${what}`).exec(output)?.[1]
    if (time === undefined) throw new Error(`DLIO does not say "${what}":\n${output}`)
    return Date.parse(time)
  }
  const generating = (at('Generation done') - at('Starting data generation')) / 1000
  return { seconds: seconds - generating, cpuSeconds: 0 }
}

/** One file, a few MiB at a time, as our own writers do. */
function writeZeros(folder: string, bytes: number): Promise<Watched> {
  mkdirSync(folder, { recursive: true })
  const count = Math.ceil(bytes / 2 ** 21)
  return watch('dd', ['if=/dev/zero', `of=${join(folder, 'zeros')}`, 'bs=2M', `count=${count}`], folder)
}

async function measureCase(each: Case, scratch: string) {
  const ours: Measured[] = []
  const zeros: Measured[] = []
  const theirs: Measured[] = []
  const dlio = DLIO !== undefined && existsSync(DLIO) && each.dlio !== undefined ? DLIO : undefined
  const runOurs = (folder: string, set: Case) =>
    watch(process.execPath, [COMMAND, 'generate', folder, ...headraceFlags(set)], scratch)
  const runTheirs = (folder: string, set: Case) => watch(dlio ?? '', dlioOverrides(set, folder), scratch)
  const start = await startOf(scratch, (folder) =>
    runOurs(folder, { ...each, recordBytes: 1024, samples: 1, files: 2 }),
  )
  for (let turn = 0; turn < TURNS; turn++) {
    // Zeros first: memory that the machine has not had in its hands for long is slow, whoever writes to it.
    const bytes = each.recordBytes * each.samples * each.files
    zeros.push(await toFiles(scratch, (folder) => writeZeros(folder, bytes)))
    ours.push(
      await toFiles(
        scratch,
        (folder) => runOurs(folder, each),
        () => start,
      ),
    )
    if (dlio === undefined) continue
    zeros.push(await toFiles(scratch, (folder) => writeZeros(folder, bytes)))
    theirs.push(await toFiles(scratch, (folder) => runTheirs(folder, each), dlioStart))
  }
  const headrace = best(ours)
  const disk = best(zeros)
  const measured = best(theirs)
  const known = measured?.megabytesPerSecond ?? each.dlio
  const ratio = headrace === undefined || known === undefined ? undefined : headrace.megabytesPerSecond / known
  return {
    case: each.name,
    startSeconds: three(start.seconds),
    headrace,
    dd: disk,
    ...(measured === undefined ? { dlioElsewhere: each.dlio } : { dlio: measured }),
    ...(ratio !== undefined && { ratio: Number(ratio.toPrecision(3)) }),
  }
}

/** What one thread makes where nothing is stored: flags of the set, and bytes of it. */
async function toNowhere(name: string, flags: readonly string[], bytes: number, scratch: string) {
  const turns: Measured[] = []
  for (let turn = 0; turn < TURNS; turn++) {
    const args = [COMMAND, 'generate', 'null://x', '--threads', '1', '--overwrite', ...flags]
    turns.push(rated(await watch(process.execPath, args, scratch), bytes))
  }
  return { case: name, headrace: best(turns) }
}

type Rows<F extends (...args: never[]) => Promise<unknown>> = readonly Awaited<ReturnType<F>>[]

function figuresOf(files: Rows<typeof measureCase>, nowhere: Rows<typeof toNowhere>): Figure[] {
  const written = files.map(({ case: name, headrace, dd, ratio, ...rest }): Figure => {
    const { dlio } = rest as { dlio?: Measured }
    const least = name.startsWith('jpeg') ? 3 : 8
    return {
      what: `generate ${name}, into files`,
      target: ratio === undefined ? '-' : `>= ${least}x DLIO`,
      ours: `${headrace?.megabytesPerSecond} MB/s${ratio === undefined ? '' : ` (${ratio}x)`}, ${headrace?.peakRssMiB} MiB`,
      against: `${dlio === undefined ? '' : `DLIO ${dlio.megabytesPerSecond} MB/s, ${dlio.peakRssMiB} MiB; `}dd ${dd?.megabytesPerSecond} MB/s`,
      met: ratio === undefined ? undefined : ratio >= least && (headrace?.peakRssMiB ?? 0) < 300,
    }
  })
  const made = nowhere.map(({ case: name, headrace }): Figure => {
    const rate = (headrace?.megabytesPerSecond ?? 0) / 1000
    return {
      what: `generate to null://, ${name}`,
      target: '>= 4 GB/s a core',
      ours: `${three(rate)} GB/s`,
      against: '-',
      met: rate >= 4,
    }
  })
  return [...written, ...made]
}

const scratch = mkdtempSync(join(process.env.HEADRACE_SCRATCH ?? tmpdir(), 'headrace-bench-generate-'))
try {
  const files = []
  for (const each of CASES) files.push(await measureCase(quick ? quickly(each) : each, scratch))
  const nowhere = []
  const recordBytes = 100_000_000
  const count = quick ? 40 : 400
  for (const format of ['indexed_binary', 'npy', 'npz', 'tfrecord']) {
    const flags = ['--format', format, '--record-bytes', recordBytes, '--files-train', count].map(String)
    nowhere.push(await toNowhere(`${format}, one thread, start included`, flags, recordBytes * count, scratch))
  }
  const results = { processor: cpus()[0]?.model, cores: cpus().length, node: process.version, files, nowhere }
  console.log(JSON.stringify(results, null, 2))
  if (!quick) record('generate', results, figuresOf(files, nowhere))
} finally {
  rmSync(scratch, { recursive: true, force: true })
}
