import type { Form, SetEncodings } from './encodings.ts'
import type { Memory } from './memory.ts'
import type { Measured, SetRates, Tool } from './rates.ts'
import type { Results } from './results.ts'
import type { Rate } from './statistics.ts'

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
  torch: 'torch DataLoader',
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

/** What the caches of scaling, overhead and memory hold. */
const CACHES = ['jpeg', 'dct']

function memoryRows(measured: Memory, cache: string): Row[] {
  const { batches, early, late, peakRss, startRss, slotBytes, scratchBytes, mappedBytes } = measured
  const data = `${batches} batches of ${measured.batch}, ${cache}`
  const growth = { data, target: 'none', ratio: '-' }
  const heap = { ...growth, what: 'heap growth, batch 450 to 650', ours: `${whole(late.heap)} B` }
  const rss = { ...growth, what: 'RSS growth, batch 450 to 650', ours: `${whole(late.rss)} B` }
  return [
    { ...heap, against: `50 to 250: ${whole(early.heap)} B`, met: late.heap < HEAP_NOISE },
    { ...rss, against: `50 to 250: ${whole(early.rss)} B`, met: late.rss < RSS_NOISE },
    {
      data,
      what: 'peak RSS',
      target: 'slots + scratch (stated)',
      ours: mib(peakRss),
      against: `slots ${mib(slotBytes)} + scratch ${mib(scratchBytes)} + Node.js before ${mib(startRss)} + cache pages ${mib(mappedBytes)}`,
      ratio: ratioText(peakRss / (slotBytes + scratchBytes + startRss + mappedBytes)),
    },
  ]
}

/** What packed coefficients promise, in the plain and the compact form. */
const PACKED: readonly {
  readonly form: Form
  readonly ffcv: number
  readonly rebuilt: number
  readonly bytes: number
  readonly decode: number
  readonly build: number
}[] = [
  { form: 'dct', ffcv: 5, rebuilt: 4.5, bytes: 1.35, decode: 4, build: 0.8 },
  { form: 'dct compact', ffcv: 3.5, rebuilt: 3, bytes: 1.05, decode: 2.5, build: 0.5 },
]
const AVX2_SHARE = 0.8
const YUV_OVER_SLIPSTREAM = 4
/** Two views over one, at most. */
const TWO_VIEWS: Partial<Record<Form, number>> = { jpeg: 1.6, dct: 2, 'dct compact': 2 }

function encodingRows({ set, forms, rivals }: SetEncodings): Row[] {
  const data = set.name
  const formOf = (form: Form) => forms.find((one) => one.form === form)
  const rival = (name: string) => rivals.find((one) => one.name === name)
  const rows: Row[] = []
  const atLeast = (what: string, least: number, ours: Rate | undefined, name: string): void => {
    const other = rival(name)
    if (ours === undefined) return
    const line = { data, what, target: `>= ${least.toFixed(2)}x`, ours: `${whole(ours.imagesPerSecond)}/s` }
    if (other === undefined) {
      rows.push({ ...line, against: `${name}: not installed`, ratio: '-' })
      return
    }
    const ratio = ours.imagesPerSecond / other.rate.imagesPerSecond
    rows.push({
      ...line,
      against: `${name} ${whole(other.rate.imagesPerSecond)}/s`,
      ratio: ratioText(ratio),
      met: ratio >= least,
    })
  }
  const jpegBytes = formOf('jpeg')?.bytes ?? 0
  for (const { form, ffcv, rebuilt, bytes, decode, build } of PACKED) {
    const own = formOf(form)
    if (own === undefined) continue
    for (const [suffix, rates, share] of [['', own, 1] as const, [', AVX2 only', own.avx2, AVX2_SHARE] as const]) {
      atLeast(`${form} rrc${suffix}`, share * ffcv, rates?.rrc, 'FFCV rrc')
      atLeast(`${form} rrc${suffix}`, share * rebuilt, rates?.rrc, "FFCV's decode with our resize, rrc")
      atLeast(`${form} decode${suffix}`, share * decode, rates?.decode, 'libjpeg-turbo ISLOW, whole pictures')
    }
    const ratio = own.bytes / jpegBytes
    rows.push({
      data,
      what: `${form} bytes`,
      target: `<= ${bytes}x the JPEG`,
      ours: mib(own.bytes),
      against: `JPEG ${mib(jpegBytes)}`,
      ratio: `${ratio.toFixed(3)}x`,
      met: ratio <= bytes,
    })
    const built: Rate = { imagesPerSecond: own.build, imagesPerCpuSecond: own.build }
    atLeast(`${form} built by one worker`, build, built, 'libjpeg-turbo ISLOW, whole pictures')
  }
  atLeast('yuv420 rrc', YUV_OVER_SLIPSTREAM, formOf('yuv420')?.rrc, 'slipstream yuv420 rrc')
  for (const { form, twoViews } of forms) {
    const most = TWO_VIEWS[form]
    if (most === undefined) continue
    const line = { data, what: `${form}, two views of a picture`, target: `<= ${most}x one view` }
    rows.push({ ...line, ours: '', against: '', ratio: ratioText(twoViews), met: twoViews <= most })
  }
  return rows
}

/** Every promise of the image loader, with what this run says about it. */
export function rows({ rates, encodings, scaling, overhead, memory, build }: Results): Row[] {
  const table = [...(rates ?? []).flatMap(rateRows), ...(encodings ?? []).flatMap(encodingRows)]
  for (const one of scaling ?? [])
    table.push({
      data: one.set,
      what: 'RandomResizedCrop, 2 threads',
      target: '>= 95 % of two processes',
      ours: `${whole(one.twoThreads)}/s`,
      against: `two processes ${whole(one.twoProcesses)}/s`,
      ratio: percent(one.ratio),
      met: one.ratio >= 0.95,
    })
  for (const [i, one] of (overhead ?? []).entries())
    for (const [what, share] of [['wall time', one.wall] as const, ['CPU time', one.cpu] as const])
      table.push({
        data: `${whole(one.images)} images, ${CACHES[i]}`,
        what: `loader over bare decode, ${what}`,
        target: '< 3 %',
        ours: `${one.loaderSeconds.toFixed(3)} s`,
        against: `bare ${one.bareSeconds.toFixed(3)} s`,
        ratio: percent(share),
        met: share < 0.03,
      })
  for (const [i, one] of (memory ?? []).entries()) table.push(...memoryRows(one, CACHES[i] ?? ''))
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
