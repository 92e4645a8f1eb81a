import { writeFile } from 'node:fs/promises'
import { Command, Option } from 'commander'
import { fromSystemError } from '../errors.ts'
import { openImageCache, PRESETS, type Preset, preset, previewSheet } from '../vision/index.ts'
import { print, printJson } from './run.ts'
import { count, countFromZero } from './values.ts'

interface Flags {
  out: string
  pipeline: Preset
  size: number
  count: number
  seed: number
  epoch: number
  sequential?: boolean
  json?: boolean
}

/** Pipelines that make pictures of one size. */
const SHOWN = PRESETS.filter((name) => name !== 'raw' && name !== 'decode')

export function previewCommand(): Command {
  return new Command('preview')
    .description('draw what a model sees: the first pictures of an epoch on one sheet')
    .argument('<cache>')
    .requiredOption('--out <file>', 'PNG file to write')
    .addOption(new Option('--pipeline <name>', 'what is done to every image').choices([...SHOWN]).default('rrc'))
    .option('--size <pixels>', 'side of a picture', count, 224)
    .option('--seed <n>', 'of order and crops', countFromZero, 0)
    .option('--epoch <n>', 'which epoch', countFromZero, 0)
    .option('--count <n>', 'pictures on the sheet', count, 32)
    .option('--sequential', 'the first pictures of the cache, not of a shuffled epoch')
    .option('--json', 'print one JSON document')
    .addHelpText('after', '\nExample:\n  headrace preview photos.cache --out sheet.png --seed 7')
    .action(async (path: string, { out, pipeline, size, sequential, json, ...options }: Flags) => {
      const cache = await openImageCache(path)
      try {
        const png = await previewSheet(cache, {
          ...options,
          shuffle: sequential !== true,
          image: preset(pipeline, { size }),
        })
        await writeFile(out, png).catch((error: unknown) => {
          throw fromSystemError(error, `writing ${out}`, { path: out })
        })
        const shown = Math.min(options.count, cache.length)
        if (json === true) printJson({ file: out, images: shown, bytes: png.length })
        else print(`${out}: ${shown} pictures`)
      } finally {
        await cache.close()
      }
    })
}
