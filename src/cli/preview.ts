import { writeFile } from 'node:fs/promises'
import { Command } from 'commander'
import { fromSystemError, HeadraceError } from '../errors.ts'
import { localPath } from '../storage/file/local-path.ts'
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
import { count, countFromZero, pngFile, share } from './values.ts'

interface Flags {
  out: string
  pipeline: Preset
  size: number
  ratio?: number
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
    .addOption(flag('--ratio <share>', 'of the shorter side that center takes', { parse: share, shown: '1' }))
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
    .action(async (path: string, { out, pipeline, size, ratio, sequential, json, ...options }: Flags) => {
      const cache = await openImageCache(path)
      try {
        const order = { ...options, shuffle: sequential !== true, signal: interrupted }
        const sheet = { ...order, image: preset(pipeline, { size, ratio }) }
        const shown = await picturesOn(cache, sheet)
        const png = await previewSheet(cache, sheet)
        await writeFile(localPath('--out', out), png).catch((error: NodeJS.ErrnoException) => {
          if (error.code === 'EISDIR') throw new HeadraceError('E_USAGE', `--out ${out}: that is a folder`)
          throw fromSystemError(error, `writing ${out}`, { path: out })
        })
        if (json === true) printJson({ file: out, ...shown, bytes: png.length })
        else print(`${out}: ${shown.images} pictures${told(shown)}`)
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

interface Shown {
  readonly images: number
  /** Bad pictures that were left out, and those in whose place another one stands. */
  readonly skipped: number
  readonly replaced: number
}

function told({ skipped, replaced }: Shown): string {
  return [skipped > 0 ? `, ${skipped} skipped` : '', replaced > 0 ? `, ${replaced} replaced` : ''].join('')
}

/** Pictures that the sheet will have: those of the batch that it is drawn from. */
async function picturesOn(cache: ImageCache, { count: wanted, ...order }: Sheet): Promise<Shown> {
  const available = Math.min(wanted, cache.length)
  if (order.onError === 'throw' || available === 0) return { images: available, skipped: 0, replaced: 0 }
  const loader = load(cache, { ...order, batchSize: available, rank: 0, worldSize: 1 })
  try {
    for await (const { meta } of loader) {
      const { ids } = await loader.planStep(meta.epoch, meta.step)
      const places = meta.step * available + ids.length
      const replaced =
        order.onError === 'skip' ? 0 : ids.filter((id, row) => BigInt(id) !== meta.index.data[row]).length
      return { images: meta.size, skipped: order.onError === 'skip' ? places - meta.size : 0, replaced }
    }
  } finally {
    loader.close()
  }
  throw new HeadraceError('E_CORRUPT', `none of the ${available} pictures can be decoded`)
}
