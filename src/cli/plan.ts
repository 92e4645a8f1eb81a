import { Command } from 'commander'
import { HeadraceError } from '../errors.ts'
import { load, openImageCache, PRESETS, type Preset, preset, type RecordedPlan } from '../vision/index.ts'
import { flag } from './flags.ts'
import { pipelineHelp } from './pipelines.ts'
import { print, printJson } from './run.ts'
import { count, countFromZero, share } from './values.ts'

interface Flags {
  batch: number
  seed: number
  epoch: number
  step: number
  pipeline: Preset
  size?: number
  ratio?: number
  sequential?: boolean
  rank: number
  worldSize: number
  json?: boolean
}

export function planCommand(): Command {
  return new Command('plan')
    .description('show what one step will load: samples, crops, flips')
    .argument('<cache>')
    .addOption(flag('--batch <n>', 'samples per rank', { parse: count, default: 32 }))
    .addOption(flag('--seed <n>', 'of order and crops', { parse: countFromZero, default: 0 }))
    .addOption(flag('--epoch <n>', 'which epoch', { parse: countFromZero, default: 0 }))
    .addOption(flag('--step <n>', 'which step of it', { parse: countFromZero, default: 0 }))
    .addOption(flag('--pipeline <name>', 'what is done to every image', { choices: PRESETS, default: 'train' }))
    .addOption(flag('--size <pixels>', 'side of the output', { parse: count, shown: '224' }))
    .addOption(flag('--ratio <share>', 'of the shorter side that center takes', { parse: share, shown: '1' }))
    .option('--sequential', 'in the order of the cache, not shuffled')
    .addOption(flag('--rank <n>', 'this process', { parse: countFromZero, default: 0 }))
    .addOption(flag('--world-size <n>', 'of so many', { parse: count, default: 1 }))
    .option('--json', 'print one JSON document, which loader.replay() takes')
    .addHelpText('after', pipelineHelp())
    .addHelpText('after', '\nExample:\n  headrace plan photos.cache --batch 4 --seed 7 --epoch 0 --step 0')
    .action(
      async (
        path: string,
        { batch, seed, epoch, step, pipeline, size, ratio, sequential, rank, worldSize, json }: Flags,
      ) => {
        const cache = await openImageCache(path)
        const image = preset(pipeline, { size, ratio })
        const loader = load(cache, {
          batchSize: batch,
          shuffle: sequential !== true,
          seed,
          rank,
          worldSize,
          ...(image.length === 0 ? {} : { image }),
        })
        try {
          if (step >= loader.steps) throw noStep(step, loader.steps)
          const plan = await loader.planStep(epoch, step)
          if (json === true) printJson(plan)
          else show(plan, (id) => cache.describe(id))
        } finally {
          loader.close()
          await cache.close()
        }
      },
    )
}

function noStep(step: number, steps: number): HeadraceError {
  const there = steps === 0 ? 'no steps' : steps === 1 ? '1 step, which is 0' : `${steps} steps, 0 to ${steps - 1}`
  return new HeadraceError('E_USAGE', `--step ${step}: the epoch has ${there}`)
}

interface Crop {
  readonly box: { readonly x: number; readonly y: number; readonly width: number; readonly height: number }
  readonly flip: boolean
}

function show(plan: RecordedPlan, describe: (id: number) => string): void {
  print(
    `epoch ${plan.epoch}, step ${plan.step}: ${plan.ids.length} samples${plan.padding > 0 ? `, ${plan.padding} of them padding` : ''}`,
  )
  const views = Object.values(plan.fields).find(
    (field): field is Record<string, readonly Crop[]> => typeof field === 'object' && field !== null,
  )
  for (const [row, id] of plan.ids.entries()) {
    const crops = Object.entries(views ?? {}).map(([name, boxes]) => {
      const { box, flip } = boxes[row] as Crop
      const numbers = [box.x, box.y, box.width, box.height].map((n) => Number(n.toFixed(2)))
      return `${name} x ${numbers[0]} y ${numbers[1]} ${numbers[2]}x${numbers[3]}${flip ? ' mirrored' : ''}`
    })
    print(`  ${String(id).padStart(7)}  ${describe(id)}  ${crops.join('; ')}`)
  }
}
