import { mkdtempSync, rmSync } from 'node:fs'
import { cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Figure, record } from '../figures.ts'
import { DLIO, runWorkload } from './command.ts'
import { type Overrides, type Shape, shapes } from './workloads.ts'

/**
 * The training loop: what the engine itself costs a step (on null storage), how soon the first step comes, what AU this
 * host can show, and samples a second from the page cache, ours and DLIO's by turns where HEADRACE_PEERS has `dlio-venv` (its branch
 * mlperf_storage_v2.0).
 * Data lies below $HEADRACE_SCRATCH or the system's temporary folder. Prints one JSON document; a whole run writes
 * bench/results/dlio.json and the README's table too. `--quick` for a look.
 */

const quick = process.argv.includes('--quick')
const TURNS = quick ? 1 : 3
const GIGABYTES = quick ? 0.3 : 2

const scratch = mkdtempSync(join(process.env.HEADRACE_SCRATCH ?? tmpdir(), 'headrace-bench-dlio-'))
const three = (value: number) => Number(value.toPrecision(3))
const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN

interface Output {
  readonly [epoch: string]: { readonly load: { readonly block1: readonly number[] } }
}

interface Stats {
  readonly [epoch: string]: {
    readonly start: string
    readonly block1: { readonly start: string; readonly duration: string }
  }
}

interface Summary {
  readonly start: string
  readonly metric: {
    readonly train_au_mean_percentage: number
    readonly train_au_percentage: readonly number[]
    readonly train_throughput_samples_per_second: readonly number[]
  }
}

const NULL: Overrides = {
  framework: 'pytorch',
  'reader.data_loader': 'pytorch',
  'dataset.format': 'npz',
  'dataset.data_folder': 'null://nothing',
  'dataset.record_length_bytes': 4096,
  'dataset.num_files_eval': 0,
}

const ours = (overrides: Overrides) => runWorkload('headrace', scratch, overrides, ['--no-calibration'])

/** Microseconds of a step that is not computation, in blocks without any. */
async function engine() {
  const rows = []
  for (const threads of [0, 1, 2])
    for (const batch of [1, 7, 400]) {
      const steps = Math.round((quick ? 4000 : 40_000) / Math.sqrt(batch))
      const each: number[] = []
      for (let turn = 0; turn < TURNS; turn++) {
        const { json } = await ours({
          ...NULL,
          'dataset.num_files_train': steps * batch,
          'reader.batch_size': batch,
          'reader.read_threads': threads,
          'train.computation_time': 0,
        })
        const { duration } = (json<Stats>('0_per_epoch_stats.json')['1'] as Stats[string]).block1
        each.push((Number(duration) / steps) * 1e6)
      }
      // Two digits of a second are known.
      rows.push({ threads, batch, microsecondsPerStep: three(median(each)), target: 50 + 2 * batch })
    }
  return rows
}

/** Seconds from the process's start to the end of its first step. */
async function firstStep() {
  const rows = []
  for (const files of quick ? [100_000] : [100_000, 10_000_000]) {
    const each: number[] = []
    let peak = 0
    for (let turn = 0; turn < TURNS; turn++) {
      const began = Date.now()
      const { json, watched } = await ours({
        ...NULL,
        'dataset.num_files_train': files,
        'reader.file_shuffle': 'seed',
        'reader.read_threads': 2,
        'train.total_training_steps': 10,
      })
      const { block1 } = json<Stats>('0_per_epoch_stats.json')['1'] as Stats[string]
      const [first = 0] = (json<Output>('0_output.json')['1'] as Output[string]).load.block1
      each.push((new Date(block1.start).getTime() - began) / 1000 + first)
      peak = Math.max(peak, watched.peakRssBytes)
    }
    rows.push({
      files,
      seconds: three(median(each)),
      peakRssMiB: Math.round(peak / 2 ** 20),
      target: files > 1e6 ? 5 : 1,
    })
  }
  return rows
}

/** AU with the steps of published workloads, from null storage. */
async function utilization() {
  const rows: { name: string; from: string; au: number; target: number; dlio?: number }[] = []
  for (const [name, batch, seconds, recordBytes] of [
    ['cosmoflow_h100', 1, 0.0035, 2_828_486],
    ['resnet50_h100', 400, 0.224, 114_660],
  ] as const) {
    const steps = Math.round((quick ? 2 : 10) / seconds)
    const each: number[] = []
    for (let turn = 0; turn < TURNS; turn++) {
      const { json } = await ours({
        ...NULL,
        'dataset.num_files_train': steps * batch,
        'dataset.record_length_bytes': recordBytes,
        'reader.batch_size': batch,
        'reader.read_threads': 1,
        'train.computation_time': seconds,
      })
      each.push(json<Summary>('summary.json').metric.train_au_mean_percentage)
    }
    const au = median(each)
    rows.push({ name, from: 'null storage', au: Number(au.toFixed(2)), target: 99 })
  }
  const shape = shapes(GIGABYTES).find(({ name }) => name === 'cosmoflow')
  if (shape !== undefined) rows.push(await cachedUtilization(shape, 0.0035, 4))
  return rows
}

/** AU of the second epoch, which comes from the page cache. */
async function cachedUtilization({ name, overrides }: Shape, seconds: number, threads: number) {
  await ours({ ...overrides, 'workflow.generate_data': true, 'workflow.train': false })
  const run = { ...overrides, 'train.epochs': 2, 'train.computation_time': seconds, 'reader.read_threads': threads }
  const au = { headrace: [] as number[], dlio: [] as number[] }
  for (let turn = 0; turn < TURNS; turn++)
    for (const by of DLIO === undefined ? (['headrace'] as const) : (['headrace', 'dlio'] as const)) {
      const { json } = await runWorkload(by, scratch, run, by === 'headrace' ? ['--no-calibration'] : [])
      au[by].push(json<Summary>('summary.json').metric.train_au_percentage.at(-1) ?? Number.NaN)
    }
  rmSync(join(scratch, 'data'), { recursive: true, force: true })
  return {
    name: `${name}_h100`,
    from: 'the page cache',
    au: Number(median(au.headrace).toFixed(2)),
    target: 95,
    ...(au.dlio.length > 0 && { dlio: Number(median(au.dlio).toFixed(2)) }),
  }
}

/** Samples a second in the last epoch, which comes from the page cache. */
async function loop(shape: Shape) {
  const rates = { headrace: [] as number[], dlio: [] as number[] }
  const cpu = { headrace: 0, dlio: 0 }
  let peak = 0
  await ours({ ...shape.overrides, 'workflow.generate_data': true, 'workflow.train': false })
  for (const threads of [1, 2])
    for (let turn = 0; turn < Math.min(2, TURNS); turn++)
      for (const by of DLIO === undefined ? (['headrace'] as const) : (['headrace', 'dlio'] as const)) {
        const flags = by === 'headrace' ? ['--no-calibration'] : []
        const { json, watched } = await runWorkload(
          by,
          scratch,
          { ...shape.overrides, 'reader.read_threads': threads },
          flags,
        )
        const all = json<Summary>('summary.json').metric.train_throughput_samples_per_second
        rates[by].push(all.at(-1) ?? Number.NaN)
        cpu[by] = watched.cpuSeconds / (all.length * shape.samples)
        if (by === 'headrace') peak = Math.max(peak, watched.peakRssBytes)
      }
  rmSync(join(scratch, 'data'), { recursive: true, force: true })
  const of = (values: readonly number[]) => ({
    samplesPerSecond: three(Math.max(...values)),
    gigabytesPerSecond: three((Math.max(...values) * shape.recordBytes) / 1e9),
  })
  return {
    shape: shape.name,
    headrace: {
      ...of(rates.headrace),
      cpuMicrosecondsPerSample: three(cpu.headrace * 1e6),
      peakRssMiB: Math.round(peak / 2 ** 20),
    },
    ...(rates.dlio.length > 0 && {
      dlio: of(rates.dlio),
      ratio: three(Math.max(...rates.headrace) / Math.max(...rates.dlio)),
    }),
  }
}

interface Results {
  readonly engine: Awaited<ReturnType<typeof engine>>
  readonly firstStep: Awaited<ReturnType<typeof firstStep>>
  readonly utilization: Awaited<ReturnType<typeof utilization>>
  readonly loops: readonly Awaited<ReturnType<typeof loop>>[]
}

function figuresOf({ engine, firstStep, utilization, loops }: Results): Figure[] {
  const steps = engine
    .filter(({ threads }) => threads === 1)
    .map(({ batch, microsecondsPerStep }) => {
      const most = batch === 1 ? 30 : 50 + 2 * batch
      return {
        what: `a step of ${batch} from null storage, one reader thread`,
        target: `<= ${most} us`,
        ours: `${microsecondsPerStep} us`,
        against: '-',
        met: microsecondsPerStep <= most,
      }
    })
  const starts = firstStep.map(({ files, seconds, peakRssMiB, target }) => ({
    what: `process start to first step, ${files.toLocaleString('en')} files`,
    target: `< ${target} s, < 300 MiB`,
    ours: `${seconds} s, ${peakRssMiB} MiB`,
    against: 'DLIO 17 s (PyTorch), 23 s (TensorFlow)',
    met: seconds < target && peakRssMiB < 300,
  }))
  const used = utilization.map(({ name, au, target, from, dlio }) => ({
    what: `AU of ${name} from ${from}`,
    target: `>= ${target} %`,
    ours: `${au} %`,
    against: dlio === undefined ? '-' : `DLIO ${dlio} %`,
    met: au >= target,
  }))
  const rates = loops.map(({ shape, headrace, dlio, ratio }) => ({
    what: `${shape}, no computation, page cache, samples/s`,
    target: '>= 3x DLIO',
    ours: `${headrace.samplesPerSecond} (${ratio ?? '-'}x), ${headrace.gigabytesPerSecond} GB/s`,
    against: dlio === undefined ? '-' : `DLIO ${dlio.samplesPerSecond}`,
    met: ratio === undefined ? undefined : ratio >= 3,
  }))
  return [...steps, ...starts, ...used, ...rates]
}

try {
  const loops = []
  for (const shape of shapes(GIGABYTES)) loops.push(await loop(shape))
  const results = {
    quick,
    machine: { processor: cpus()[0]?.model, cores: cpus().length, loadBefore: three(loadavg()[0] ?? 0) },
    engine: await engine(),
    firstStep: await firstStep(),
    utilization: await utilization(),
    loops,
  }
  process.stdout.write(`${JSON.stringify(results, undefined, 2)}\n`)
  if (!quick) record('dlio', results, figuresOf(results))
} finally {
  rmSync(scratch, { recursive: true, force: true })
}
