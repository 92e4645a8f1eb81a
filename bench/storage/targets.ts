import type { Compared, Local } from './local.ts'
import type { Measured, Requests } from './requests.ts'
import type { Rate, Results } from './results.ts'
import { formatSize } from './sizes.ts'
import type { Streamed } from './streams.ts'

/** One line of the table: what is promised, what was measured. */
export interface Row {
  readonly what: string
  readonly target: string
  readonly ours: string
  readonly against: string
  /** Ours over the other's. */
  readonly ratio: string
  /** Absent where there is nothing to compare with. */
  readonly met?: boolean
}

const KIB = 1024
const MIB = 1024 * KIB

const whole = (value: number) => Math.round(value).toLocaleString('en-US')
const microseconds = (value: number) => `${value < 20 ? value.toFixed(1) : whole(value)} us`
const times = (ratio: number) => `${ratio.toFixed(2)}x`

/** CPU of the client at most, as a share of the best peer's. */
const SHARES: readonly {
  readonly operation: Measured['operation']
  readonly upTo: number
  readonly share: number
  readonly target: string
  /** Whom it is measured against, if not the best of all. */
  readonly peer?: Measured['client']
}[] = [
  { operation: 'get', upTo: 128 * KIB, share: 1 / 3, target: '<= 1/3 of the best peer' },
  { operation: 'get', upTo: 8 * MIB, share: 1 / 2, target: '<= 1/2 of the best peer' },
  { operation: 'get', upTo: 64 * MIB, share: 1, target: '<= s5cmd', peer: 's5cmd' },
  { operation: 'put', upTo: MIB, share: 1 / 2, target: '<= 1/2 of the best peer' },
  { operation: 'put', upTo: 16 * MIB, share: 1, target: '<= the best peer' },
  { operation: 'multipart', upTo: 256 * MIB, share: 1, target: '<= the best peer' },
]

/** Microseconds of CPU for a key, at most. */
const KEYS = { list: 5, delete: 4 }
const NAMES = { get: 'GET', put: 'PUT', multipart: 'PUT in parts', list: 'LIST, a key', delete: 'DELETE, a key' }

const RATE = 25_000
const STREAM_RSS = 400 * MIB
/** Of fio's throughput at least, of its CPU at most. */
const DIRECT = { throughput: 0.9, cpu: 1.5 }
const WARM_OBJECT = 45
const WARM_READS = 300_000

function requestRows({ measured }: Requests): Row[] {
  return measured
    .filter(({ client }) => client === 'headrace')
    .map((ours): Row => {
      const { operation, size, cpu } = ours
      const peers = measured.filter(
        (one) => one.operation === operation && one.size === size && !one.client.startsWith('headrace'),
      )
      const about = operation === 'list' || operation === 'delete'
      const what = about ? NAMES[operation] : `${NAMES[operation]} ${formatSize(size)}`
      const share = SHARES.find((one) => one.operation === operation && size <= one.upTo)
      const rivals = share?.peer === undefined ? peers : peers.filter(({ client }) => client === share.peer)
      const [best] = [...rivals].sort((a, b) => a.cpu - b.cpu)
      const ratio = best === undefined ? undefined : cpu / best.cpu
      const limit = about ? KEYS[operation] : undefined
      const met = limit !== undefined ? cpu <= limit : ratio && share ? ratio <= share.share : undefined
      return {
        what: `${what}, CPU`,
        target: limit !== undefined ? `<= ${limit} us` : (share?.target ?? ''),
        ours: microseconds(cpu),
        against: best === undefined ? 'not installed' : `${best.client} ${microseconds(best.cpu)}`,
        ratio: ratio === undefined ? '-' : times(ratio),
        ...(met !== undefined && { met }),
      }
    })
}

function rateRow({ size, perCpuSecond, user, system }: Rate): Row {
  return {
    what: `GET ${formatSize(size)} a second and core, checksums off`,
    target: `>= ${whole(RATE)}`,
    ours: whole(perCpuSecond),
    against: `a server in C; ${microseconds(user)} user, ${microseconds(system)} system`,
    ratio: times(perCpuSecond / RATE),
    met: perCpuSecond >= RATE,
  }
}

function streamRow({ direction, bytes, peakRss, seconds }: Streamed): Row {
  return {
    what: `peak RSS of ${direction === 'upload' ? 'an upload' : 'a download'} of ${formatSize(bytes)}, as a stream`,
    target: `< ${formatSize(STREAM_RSS)}`,
    ours: `${whole(peakRss / MIB)} MiB`,
    against: `${whole(bytes / seconds / 1e6)} MB/s`,
    ratio: '-',
    met: peakRss < STREAM_RSS,
  }
}

/** All block sizes and jobs of one way together: the worst counts. */
function directRows(compared: readonly Compared[]): Row[] {
  const ways = new Map<string, Compared[]>()
  for (const one of compared) {
    const way = `direct:// ${one.op}, ${one.engine}`
    ways.set(way, [...(ways.get(way) ?? []), one])
  }
  const span = (values: readonly number[]) => `${times(Math.min(...values))} to ${times(Math.max(...values))}`
  return [...ways].flatMap(([way, all]): Row[] => {
    const throughput = all.map((one) => one.throughput)
    const cpu = all.map((one) => one.cpu)
    const sizes = [...new Set(all.map(({ blockSize }) => formatSize(blockSize)))].join(', ')
    return [
      {
        what: `${way}, throughput`,
        target: `>= ${times(DIRECT.throughput)} fio`,
        ours: `${(Math.max(...all.map((one) => one.bytesPerSecond)) / 1e9).toFixed(2)} GB/s`,
        against: `fio, blocks of ${sizes}`,
        ratio: span(throughput),
        met: Math.min(...throughput) >= DIRECT.throughput,
      },
      {
        what: `${way}, CPU`,
        target: `<= ${times(DIRECT.cpu)} fio`,
        ours: `${microseconds(Math.min(...all.map((one) => one.cpuMicrosecondsPerBlock)))} a block`,
        against: `fio, blocks of ${sizes}`,
        ratio: span(cpu),
        met: Math.max(...cpu) <= DIRECT.cpu,
      },
    ]
  })
}

function localRows({ compared, warm }: Local): Row[] {
  const [object] = warm.filter(({ size }) => size === 128 * KIB)
  const reads = warm.find(({ size, threads }) => size === 4 * KIB && threads === 2)
  return [
    ...directRows(compared),
    ...(object === undefined
      ? []
      : [
          {
            what: `${object.what}, CPU`,
            target: `<= ${WARM_OBJECT} us`,
            ours: microseconds(object.cpuMicrosecondsEach),
            against: `${whole(object.readsPerSecond)} a second`,
            ratio: '-',
            met: object.cpuMicrosecondsEach <= WARM_OBJECT,
          },
        ]),
    ...(reads === undefined
      ? []
      : [
          {
            what: `${reads.what}, a second`,
            target: `>= ${whole(WARM_READS)}`,
            ours: whole(reads.readsPerSecond),
            against: `${microseconds(reads.cpuMicrosecondsEach)} CPU each`,
            ratio: '-',
            met: reads.readsPerSecond >= WARM_READS,
          },
        ]),
  ]
}

export function rows({ requests, rate, streams = [], local }: Results): Row[] {
  return [
    ...(requests === undefined || typeof requests === 'string' ? [] : requestRows(requests)),
    ...(rate === undefined ? [] : [rateRow(rate)]),
    ...streams.map(streamRow),
    ...(local === undefined ? [] : localRows(local)),
  ]
}
