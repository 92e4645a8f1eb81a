import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { fromSystemError, HeadraceError, isHeadraceError } from '../../../errors.ts'
import { type IostatSample, parseIostat } from './iostat.ts'

/** The output folder of a run, of DLIO's or of ours. */

const Times = z.record(z.string(), z.array(z.number()))

const Epoch = z.looseObject({ load: Times, proc: Times })

const Span = z.looseObject({
  start: z.string(),
  end: z.string().optional(),
  duration: z.union([z.string(), z.number()]).optional(),
})

const EpochStats = z.record(z.string(), z.union([z.string(), Span]))

const Summary = z.looseObject({
  start: z.string(),
  metric: z.looseObject({
    train_throughput_samples_per_second: z.array(z.number()).optional(),
    train_au_percentage: z.array(z.number()).optional(),
  }),
})

export type RankTimes = ReadonlyMap<number, { readonly load: Times; readonly proc: Times }>
type Times = Readonly<Record<string, readonly number[]>>

export interface RunFolder {
  readonly path: string
  /** One a rank. */
  readonly ranks: readonly RankTimes[]
  /** Of rank 0. */
  readonly epochs: ReadonlyMap<number, Readonly<Record<string, string | z.infer<typeof Span>>>>
  readonly summary: z.infer<typeof Summary>
  readonly iostat: readonly IostatSample[] | undefined
  /** The config that it was run with, and what was written over it. */
  readonly config: string | undefined
}

function read<T>(path: string, schema: z.ZodType<T>): T {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    throw fromSystemError(error, `reading ${path}`, { path })
  }
  let value: unknown
  try {
    // Python writes NaN where there is no number.
    value = JSON.parse(text.replaceAll(/: NaN(?=[,\n])/g, ': 0'))
  } catch (cause) {
    throw new HeadraceError('E_CORRUPT', `${path} is no JSON: was the run interrupted?`, { path, cause })
  }
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  const place = issue?.path.join('.') ?? ''
  throw new HeadraceError('E_CORRUPT', `${path}: ${place}: ${issue?.message ?? 'is not what DLIO writes'}`, { path })
}

const numbered = (value: Readonly<Record<string, unknown>>) => Object.keys(value).filter((key) => /^\d+$/.test(key))

function rankTimes(path: string): RankTimes {
  const output = read(path, z.record(z.string(), z.unknown()))
  return new Map(
    numbered(output).map((epoch) => {
      const parsed = Epoch.safeParse(output[epoch])
      if (!parsed.success) throw new HeadraceError('E_CORRUPT', `${path}: epoch ${epoch} has no times`, { path })
      return [Number(epoch), parsed.data]
    }),
  )
}

/** Hydra's files lie in a folder of any name. */
function configOf(folder: string, names: readonly string[]): string | undefined {
  for (const name of names) {
    const path = join(folder, name, 'config.yaml')
    try {
      readFileSync(path)
      return path
    } catch {
      // Not this one.
    }
  }
  return undefined
}

function iostatOf(folder: string): readonly IostatSample[] | undefined {
  const path = join(folder, 'iostat.json')
  try {
    return parseIostat(readFileSync(path, 'utf8'), path)
  } catch (error) {
    if (isHeadraceError(error)) throw error
    return undefined
  }
}

/** E_NOT_FOUND where it holds no run; E_CORRUPT names what is not as it must be. */
export function readRunFolder(path: string): RunFolder {
  let names: string[]
  try {
    names = readdirSync(path)
  } catch (error) {
    throw fromSystemError(error, `reading ${path}`, { path })
  }
  const outputs = names
    .filter((name) => /^\d+_output\.json$/.test(name))
    .sort((a, b) => parseInt(a, 10) - parseInt(b, 10))
  if (outputs.length === 0 || !names.includes('summary.json'))
    throw new HeadraceError('E_NOT_FOUND', `${path} holds no run: there is no summary.json with 0_output.json`, {
      path,
    })
  // Before version 2 there was one for all ranks.
  const stats = ['0_per_epoch_stats.json', 'per_epoch_stats.json'].find((name) => names.includes(name))
  if (stats === undefined) throw new HeadraceError('E_NOT_FOUND', `${path} has no 0_per_epoch_stats.json`, { path })
  const epochs = read(join(path, stats), z.record(z.string(), EpochStats))
  return {
    path,
    ranks: outputs.map((name) => rankTimes(join(path, name))),
    epochs: new Map(numbered(epochs).map((epoch) => [Number(epoch), epochs[epoch] ?? {}])),
    summary: read(join(path, 'summary.json'), Summary),
    iostat: iostatOf(path),
    config: configOf(path, ['.hydra', 'dlio_config', ...names]),
  }
}
