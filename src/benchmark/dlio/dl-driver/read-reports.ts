import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import picomatch from 'picomatch'
import { z } from 'zod'
import { fromSystemError, HeadraceError } from '../../../errors.ts'
import type { RankReport } from './reports.ts'

const number = z.number()

const Report = z.looseObject({
  rank: number.int().min(0),
  timestamp: number,
  start_time: number,
  end_time: number,
  config: z.looseObject({
    data_folder: z.string(),
    batch_size: number,
    epochs: number,
    computation_time: number,
  }),
  metrics: z.looseObject({
    files_processed: number,
    bytes_read: number,
    bytes_written: number,
    batches_processed: number,
    storage_throughput_gib_s: number,
    total_read_time_ms: number,
    total_compute_time_ms: number,
    total_batch_time_ms: number,
    wall_clock_time_ms: number,
    average_batch_time_ms: number,
    au_fraction: number,
    au_percent: number,
    au_pass: z.boolean(),
  }),
})

/** Files that a pattern names, in order; a name without a pattern names itself. */
function filesOf(pattern: string): string[] {
  const { base, isGlob } = picomatch.scan(pattern)
  if (!isGlob) return [pattern]
  const matches = picomatch(pattern)
  try {
    return readdirSync(base === '' ? '.' : base, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .filter((path) => matches(path))
      .sort()
  } catch (error) {
    throw fromSystemError(error, `looking for ${pattern}`, { path: pattern })
  }
}

function readReport(path: string): RankReport {
  let value: unknown
  try {
    value = JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    if (error instanceof SyntaxError)
      throw new HeadraceError('E_CORRUPT', `${path} is no JSON: ${error.message}`, { path, cause: error })
    throw fromSystemError(error, `reading ${path}`, { path })
  }
  const parsed = Report.safeParse(value)
  // Details of the timing are not looked at.
  if (parsed.success) return parsed.data as unknown as RankReport
  const [issue] = parsed.error.issues
  throw new HeadraceError(
    'E_CORRUPT',
    `${path} is no report of a rank: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`,
    { path },
  )
}

/** The reports of ranks that a pattern names. E_NOT_FOUND where it names none; E_CORRUPT for a rank that comes twice. */
export function readReports(pattern: string): readonly RankReport[] {
  const paths = filesOf(pattern)
  if (paths.length === 0) throw new HeadraceError('E_NOT_FOUND', `no file is named by ${pattern}`, { path: pattern })
  const reports = paths.map(readReport)
  const ranks = new Map<number, string>()
  for (const [i, { rank }] of reports.entries()) {
    const path = paths[i] as string
    const other = ranks.get(rank)
    if (other !== undefined)
      throw new HeadraceError('E_CORRUPT', `rank ${rank} comes twice: in ${other} and in ${path}`, { path })
    ranks.set(rank, path)
  }
  return reports
}
