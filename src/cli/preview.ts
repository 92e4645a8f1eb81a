import { writeFile } from 'node:fs/promises'
import { Command } from 'commander'
import { fromSystemError, HeadraceError } from '../errors.ts'
import {
  type ImageCache,
  type ImageOperation,
  load,
  openImageCache,
  PRESETS,
  type Preset,
  preset,
  previewSheet,
} from '../vision/index.ts'
import { flag } from './flags.ts'
import { pipelineHelp } from './pipelines.ts'
import { interrupted, print, printJson } from './run.ts'
import { count, countFromZero, pngFile } from './values.ts'

interface Flags {
  out: string
  pipeline: Preset
  size: number
  count: number
  seed: number
  epoch: number
  sequential?: boolean
  onError: 'throw' | 'skip' | 'replace'
  json?: boolean
}

/** Pipelines that make pictures of one size. */
const SHOWN = PRESETS.filter((name) => name !== 'raw' && name !== 'decode')

export function previewCommand(): Command {
  return new Command('preview')
    .description('draw what a model sees: the first pictures of an epoch on one sheet')
    .argument('<cache>')
    .addOption(flag('--out <file>', 'PNG file to write', { parse: pngFile, required: true }))
    .addOption(flag('--pipeline <name>', 'what is done to every image', { choices: SHOWN, default: 'rrc' }))
    .addOption(flag('--size <pixels>', 'side of a picture', { parse: count, default: 224 }))
    .addOption(flag('--seed <n>', 'of order and crops', { parse: countFromZero, default: 0 }))
    .addOption(flag('--epoch <n>', 'which epoch', { parse: countFromZero, default: 0 }))
    .addOption(flag('--count <n>', 'pictures on the sheet', { parse: count, default: 32 }))
    .addOption(
      flag('--on-error <policy>', 'what a bad picture does', {
        choices: ['throw', 'skip', 'replace'],
        default: 'throw',
      }),
    )
    .option('--sequential', 'the first pictures of the cache, not of a shuffled epoch')
    .option('--json', 'print one JSON document')
    .addHelpText('after', pipelineHelp(SHOWN))
    .addHelpText('after', '\nExample:\n  headrace preview photos.cache --out sheet.png --seed 7')
    .action(async (path: string, { out, pipeline, size, sequential, json, ...options }: Flags) => {
      const cache = await openImageCache(path)
      try {
        const order = { ...options, shuffle: sequential !== true, signal: interrupted }
        const sheet = { ...order, image: preset(pipeline, { size }) }
        const shown = await picturesOn(cache, sheet)
        const png = await previewSheet(cache, sheet)
        await writeFile(out, png).catch((error: NodeJS.ErrnoException) => {
          if (error.code === 'EISDIR') throw new HeadraceError('E_USAGE', `--out ${out}: that is a folder`)
          throw fromSystemError(error, `writing ${out}`, { path: out })
        })
        if (json === true) printJson({ file: out, images: shown, bytes: png.length })
        else print(`${out}: ${shown} pictures`)
      } finally {
        await cache.close()
      }
    })
}

type Sheet = Pick<Flags, 'count' | 'seed' | 'epoch' | 'onError'> & {
  readonly shuffle: boolean
  readonly signal: AbortSignal
  readonly image: readonly ImageOperation[]
}

/** Pictures that the sheet will have: under `skip` as many as the batch that it is drawn from. */
async function picturesOn(cache: ImageCache, { count: wanted, ...order }: Sheet): Promise<number> {
  const available = Math.min(wanted, cache.length)
  if (order.onError !== 'skip' || available === 0) return available
  const loader = load(cache, { ...order, batchSize: available, rank: 0, worldSize: 1 })
  try {
    for await (const { meta } of loader) if (meta.size > 0) return meta.size
  } finally {
    loader.close()
  }
  throw new HeadraceError('E_CORRUPT', `none of the ${available} pictures can be decoded`)
}
