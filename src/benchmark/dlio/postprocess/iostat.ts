import { HeadraceError } from '../../../errors.ts'
import { type ColumnStatistics, statisticsOf } from './statistics.ts'

/** What `iostat -mdxtcy -o JSON` wrote, second by second. */

/** Columns of a device. */
export const DEVICE_COLUMNS = ['rMB/s', 'wMB/s', 'r/s', 'w/s', 'r_await', 'w_await', 'aqu-sz'] as const
/** Of all processors; `user` with what runs at a lower priority. */
export const CPU_COLUMNS = ['user', 'system', 'iowait', 'steal', 'idle'] as const

type Row<C extends string> = Readonly<Record<C, number>>

export interface IostatSample {
  /** Milliseconds since 1970. */
  readonly time: number
  readonly cpu: Row<(typeof CPU_COLUMNS)[number]>
  readonly devices: ReadonlyMap<string, Row<(typeof DEVICE_COLUMNS)[number]>>
}

/** Statistics of a span of time, by column. */
export interface IostatStatistics {
  readonly cpu: Readonly<Record<'user' | 'system' | 'iowait' | 'steal' | 'idle', ColumnStatistics | undefined>>
  readonly devices: ReadonlyMap<
    string,
    Readonly<Record<'rMB/s' | 'wMB/s' | 'r/s' | 'w/s' | 'r_await' | 'w_await' | 'aqu-sz', ColumnStatistics | undefined>>
  >
}

type Json = Readonly<Record<string, unknown>>

const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null
const numberOf = (value: unknown) => (typeof value === 'number' ? value : Number(value ?? 0) || 0)
const objectsOf = (value: unknown): readonly Json[] => (Array.isArray(value) ? value.filter(isObject) : [])

function rowOf<C extends string>(columns: readonly C[], of: (column: C) => number): Row<C> {
  return Object.fromEntries(columns.map((column) => [column, of(column)])) as Row<C>
}

/** E_CORRUPT for what is none of its documents. */
export function parseIostat(text: string, path: string): readonly IostatSample[] {
  let document: unknown
  try {
    document = JSON.parse(text)
  } catch (cause) {
    throw new HeadraceError('E_CORRUPT', `${path} is not what iostat writes: it is no JSON`, { path, cause })
  }
  const sysstat = isObject(document) && isObject(document.sysstat) ? document.sysstat : {}
  const host = objectsOf(sysstat.hosts)[0]
  if (host === undefined)
    throw new HeadraceError('E_CORRUPT', `${path} is not what iostat writes: it has no sysstat.hosts`, { path })
  return objectsOf(host.statistics).map((sample) => {
    const cpu = isObject(sample['avg-cpu']) ? sample['avg-cpu'] : {}
    return {
      time: new Date(String(sample.timestamp)).getTime(),
      cpu: rowOf(CPU_COLUMNS, (column) => numberOf(cpu[column]) + (column === 'user' ? numberOf(cpu.nice) : 0)),
      devices: new Map(
        objectsOf(sample.disk).map((disk) => [
          String(disk.disk_device),
          rowOf(DEVICE_COLUMNS, (column) => numberOf(disk[column])),
        ]),
      ),
    }
  })
}

/** Of the samples from `start` on and before `end`, milliseconds since 1970. */
export function iostatStatistics(samples: readonly IostatSample[], start: number, end: number): IostatStatistics {
  const within = samples.filter(({ time }) => time >= start && time < end)
  const names = new Set(samples.flatMap(({ devices }) => [...devices.keys()]))
  const of = <C extends string>(columns: readonly C[], rows: readonly Row<C>[]) =>
    Object.fromEntries(columns.map((column) => [column, statisticsOf(rows.map((row) => row[column]))])) as Record<
      C,
      ColumnStatistics | undefined
    >
  return {
    cpu: of(
      CPU_COLUMNS,
      within.map(({ cpu }) => cpu),
    ),
    devices: new Map(
      [...names].map((name) => [
        name,
        of(
          DEVICE_COLUMNS,
          within.flatMap(({ devices }) => devices.get(name) ?? []),
        ),
      ]),
    ),
  }
}
