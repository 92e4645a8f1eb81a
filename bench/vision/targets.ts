import type { Measured, SetRates, Tool } from './rates.ts'
import type { Results } from './results.ts'

/** One line of the table: what is promised, what was measured. */
export interface Row {
  readonly data: string
  readonly what: string
  readonly target: string
  readonly ours: string
  readonly against: string
  readonly ratio: string
  /** Absent where there is nothing to compare with. */
  readonly met?: boolean
}

const whole = (value: number) => Math.round(value).toLocaleString('en-US')
const ratioText = (ratio: number) => `${ratio < 10 ? ratio.toFixed(2) : ratio.toFixed(0)}x`
const percent = (share: number) => `${(100 * share).toFixed(1)} %`
const mib = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`

/** Growth in 200 batches that counts as none: what V8 moves about by itself (1,200 batches more changed RSS by +-1 MiB). */
const HEAP_NOISE = 256 * 1024
const RSS_NOISE = 2 * 2 ** 20

/** The rates that are promised, each against the better of those that are named. */
const RATES: readonly {
  readonly what: string
  readonly operation: Measured['operation']
  readonly least: number
  readonly against: readonly Tool[]
}[] = [
  { what: 'RandomResizedCrop 224', operation: 'rrc', least: 1.4, against: ['ffcv', 'slipstream'] },
  { what: "centre crop, FFCV's (square to 224)", operation: 'center', least: 1.15, against: ['ffcv'] },
  { what: "centre crop, slipstream's (plain 224)", operation: 'crop', least: 1.15, against: ['slipstream'] },
  { what: 'decode, full size', operation: 'decode', least: 1, against: ['slipstream'] },
  { what: 'stored bytes', operation: 'raw', least: 0.85, against: ['memcpy'] },
  { what: 'stored bytes', operation: 'raw', least: 5, against: ['ffcv'] },
]

const NAMES: Readonly<Record<Tool, string>> = {
  headrace: 'headrace',
  ffcv: 'FFCV',
  slipstream: 'slipstream',
  'ffcv rebuilt': 'FFCV (rebuilt)',
  'slipstream rebuilt': 'slipstream (rebuilt)',
  memcpy: 'memcpy',
}

function rateRows({ set, measured }: SetRates): Row[] {
  return RATES.flatMap(({ what, operation, least, against }): Row[] => {
    const of = (tool: string) => measured.find((one) => one.operation === operation && one.tool === tool)
    const ours = of('headrace')
    // An installed peer, else its algorithm.
    const rivals = against.flatMap((tool) => of(tool) ?? of(`${tool} rebuilt`) ?? [])
    if (ours === undefined) return []
    const target = `>= ${least}x ${against.length > 1 ? 'the better of FFCV and slipstream' : NAMES[against[0] ?? 'memcpy']}`
    const line = { data: set.name, what, target, ours: `${whole(ours.imagesPerSecond)}/s` }
    const [best] = [...rivals].sort((a, b) => b.imagesPerSecond - a.imagesPerSecond)
    if (best === undefined) return [{ ...line, against: 'not installed', ratio: '-' }]
    const ratio = ours.imagesPerSecond / best.imagesPerSecond
    const rival = `${NAMES[best.tool]} ${whole(best.imagesPerSecond)}/s`
    return [{ ...line, against: rival, ratio: ratioText(ratio), met: ratio >= least }]
  })
}

/** Every promise of the image loader, with what this run says about it. */
export function rows({ rates, scaling, overhead, memory, build }: Results): Row[] {
  const table = (rates ?? []).flatMap(rateRows)
  if (scaling !== undefined)
    table.push({
      data: scaling.set,
      what: 'RandomResizedCrop, 2 threads',
      target: '>= 95 % of two processes',
      ours: `${whole(scaling.twoThreads)}/s`,
      against: `two processes ${whole(scaling.twoProcesses)}/s`,
      ratio: percent(scaling.ratio),
      met: scaling.ratio >= 0.95,
    })
  if (overhead !== undefined)
    for (const [what, share] of [['wall time', overhead.wall] as const, ['CPU time', overhead.cpu] as const])
      table.push({
        data: `${whole(overhead.images)} images`,
        what: `loader over bare decode, ${what}`,
        target: '< 3 %',
        ours: `${overhead.loaderSeconds.toFixed(3)} s`,
        against: `bare ${overhead.bareSeconds.toFixed(3)} s`,
        ratio: percent(share),
        met: share < 0.03,
      })
  if (memory !== undefined) {
    const { batches, early, late, peakRss, startRss, slotBytes, scratchBytes, mappedBytes } = memory
    const data = `${batches} batches of ${memory.batch}`
    const growth = { data, target: 'none', ratio: '-' }
    const heap = { ...growth, what: 'heap growth, batch 450 to 650', ours: `${whole(late.heap)} B` }
    const rss = { ...growth, what: 'RSS growth, batch 450 to 650', ours: `${whole(late.rss)} B` }
    table.push({ ...heap, against: `50 to 250: ${whole(early.heap)} B`, met: late.heap < HEAP_NOISE })
    table.push({ ...rss, against: `50 to 250: ${whole(early.rss)} B`, met: late.rss < RSS_NOISE })
    table.push({
      data,
      what: 'peak RSS',
      target: 'slots + scratch (stated)',
      ours: mib(peakRss),
      against: `slots ${mib(slotBytes)} + scratch ${mib(scratchBytes)} + Node.js before ${mib(startRss)} + cache pages ${mib(mappedBytes)}`,
      ratio: ratioText(peakRss / (slotBytes + scratchBytes + startRss + mappedBytes)),
    })
  }
  if (build !== undefined)
    table.push({
      data: `${whole(build.files)} files, ${mib(build.bytes)}`,
      what: 'cache build, cold to disk',
      target: '>= 80 % of cp -r',
      ours: `${mib(build.bytes / build.buildSyncedSeconds)}/s`,
      against: `cp -r ${mib(build.bytes / build.copySyncedSeconds)}/s`,
      ratio: percent(build.ratio),
      met: build.ratio >= 0.8,
    })
  return table
}
