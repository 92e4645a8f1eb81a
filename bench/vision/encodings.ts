import { statSync } from 'node:fs'
import { join } from 'node:path'
import type { BenchVisionReport, BuildReport } from 'headrace'
import { runJson } from './command.ts'
import type { Extent } from './extent.ts'
import { benchHeadrace } from './headrace.ts'
import { Peer, type PeerName, type PeerOperation, peersFolder } from './peers.ts'
import { cli } from './places.ts'
import type { Rebuilt, RebuiltOperation } from './rebuilt.ts'
import type { ImageSet } from './sets.ts'
import { median, medianRate, type Rate, rateOf, type Timed } from './statistics.ts'

/** The forms that a cache can have, with the flags that make it. */
const FORMS = [
  { form: 'jpeg', flags: [] },
  { form: 'dct', flags: ['--encoding', 'dct'] },
  { form: 'dct compact', flags: ['--encoding', 'dct', '--compact'] },
  { form: 'yuv420', flags: ['--encoding', 'yuv420'] },
] as const
export type Form = (typeof FORMS)[number]['form']
type Operation = 'rrc' | 'decode'

/** How headrace is made to use AVX2 only. */
const AVX2 = { HEADRACE_SIMD: 'avx2' }

export interface FormRates {
  readonly form: Form
  /** Of the field's samples. */
  readonly bytes: number
  readonly rrc: Rate
  readonly decode: Rate
  /** Absent for JPEG, which libjpeg decodes. */
  readonly avx2?: { readonly rrc: Rate; readonly decode: Rate }
  /** Pictures a second of one worker on one core. */
  readonly build: number
  /** Time of an epoch with two views of every picture over that with one. */
  readonly twoViews: number
}

export interface RivalRate {
  readonly name: string
  readonly rate: Rate
  /** Of the samples in its own file, where it has one. */
  readonly bytes?: number
}

export interface SetEncodings {
  readonly set: ImageSet
  readonly forms: readonly FormRates[]
  readonly rivals: readonly RivalRate[]
}

/** Rivals that are rebuilt, by the name they have in the report. */
const REBUILT: Readonly<Record<string, RebuiltOperation>> = {
  'FFCV (rebuilt) rrc': 'ffcv-rrc',
  "FFCV's decode with our resize, rrc": 'ffcv-rrc-own-resize',
  'libjpeg-turbo ISLOW, whole pictures': 'islow-decode',
}

const PEERS: readonly (readonly [string, PeerName, PeerOperation])[] = [
  ['FFCV rrc', 'ffcv', 'rrc'],
  ['torch DataLoader rrc', 'torch', 'rrc'],
  ['slipstream rrc', 'slipstream', 'rrc'],
  ['slipstream yuv420 rrc', 'slipstream', 'rrc-yuv'],
]

const placeOf = ({ cache }: ImageSet, form: Form): string =>
  form === 'jpeg' ? cache : `${cache}.${form.replace(' ', '-')}`

/** The set's cache in another form: made anew, timed on one core. */
export async function buildForm(set: ImageSet, form: Form): Promise<{ readonly cache: string; readonly rate: number }> {
  const flags = FORMS.find((known) => known.form === form)?.flags ?? []
  const cache = placeOf(set, form)
  const command = [
    'cache',
    'build',
    set.folder,
    cache,
    ...flags,
    '--workers',
    '1',
    '--force',
    '--on-error',
    'throw',
    '--json',
  ]
  const report = await runJson<BuildReport>([process.execPath, cli, ...command], { cores: '0' })
  return { cache, rate: report.images / report.seconds }
}

interface Turn {
  readonly name: string
  run(): Promise<readonly Timed[]>
}

/** Every form of the cache, and what it has to beat, in turn, all on core 0 with one thread. */
export async function measureEncodings(
  set: ImageSet,
  rebuilt: Rebuilt,
  extent: Extent,
  twoViewsOf: (cache: string) => Promise<{ readonly ratio: number }>,
  say: (line: string) => void,
): Promise<SetEncodings> {
  const batch = extent.batches.at(-1) ?? 256
  const folder = peersFolder()
  const peers: Peer[] = []
  try {
    if (folder !== undefined)
      for (const name of ['ffcv', 'slipstream', 'torch'] as const) peers.push(await Peer.start(name, folder, set))
    const builds = new Map<Form, number[]>(FORMS.map(({ form }) => [form, []]))
    for (let round = 0; round < extent.rounds; round++)
      for (const { form } of FORMS) builds.get(form)?.push((await buildForm(set, form)).rate)

    const own = (form: Form, pipeline: Operation, env?: Readonly<Record<string, string>>): Turn => ({
      name: [form, pipeline, ...(env === undefined ? [] : ['avx2'])].join(' '),
      run: async () => {
        const request = { cache: placeOf(set, form), pipeline, batch, epochs: extent.epochs, threads: 1, cores: '0' }
        const report: BenchVisionReport = await benchHeadrace({ ...request, ...(env === undefined ? {} : { env }) })
        return report.epochs.slice(1)
      },
    })
    const turns: Turn[] = FORMS.flatMap(({ form }) => {
      const both = [own(form, 'rrc'), own(form, 'decode')]
      return form === 'jpeg' ? both : [...both, own(form, 'rrc', AVX2), own(form, 'decode', AVX2)]
    })
    for (const [name, operation] of Object.entries(REBUILT))
      turns.push({ name, run: () => rebuilt.time(operation, set.cache, extent.epochs) })
    for (const [name, tool, operation] of PEERS) {
      const peer = peers.find((one) => one.name === tool)
      if (peer !== undefined)
        turns.push({ name, run: () => peer.time(operation, batch, tool === 'torch' ? 1 : extent.epochs) })
    }

    const rounds = new Map<string, Rate[]>()
    for (let round = 0; round < extent.rounds; round++)
      for (const { name, run } of turns) {
        const rate = rateOf(await run())
        rounds.set(name, [...(rounds.get(name) ?? []), rate])
        say(`${set.name} round ${round + 1}: ${name} ${rate.imagesPerSecond.toFixed(0)}/s`)
      }
    const rateFor = (name: string): Rate => medianRate(rounds.get(name) ?? [])
    const forms: FormRates[] = []
    for (const { form } of FORMS) {
      say(`${set.name}: one view and two of ${form}`)
      forms.push({
        form,
        bytes: statSync(join(placeOf(set, form), 'image.bin')).size,
        rrc: rateFor(`${form} rrc`),
        decode: rateFor(`${form} decode`),
        ...(form === 'jpeg'
          ? {}
          : { avx2: { rrc: rateFor(`${form} rrc avx2`), decode: rateFor(`${form} decode avx2`) } }),
        build: median(builds.get(form) ?? []),
        twoViews: (await twoViewsOf(placeOf(set, form))).ratio,
      })
    }
    const names = [...Object.keys(REBUILT), ...PEERS.map(([name]) => name)].filter((name) => rounds.has(name))
    const stored = (name: string) =>
      peers.find((peer) => name.toLowerCase().startsWith(peer.name) && !name.includes('yuv'))
    const rivals = names.map((name): RivalRate => {
      const peer = REBUILT[name] === undefined ? stored(name) : undefined
      return { name, rate: rateFor(name), ...(peer === undefined ? {} : { bytes: peer.storedBytes }) }
    })
    return { set, forms, rivals }
  } finally {
    for (const peer of peers) await peer.end()
  }
}
