import { PRESETS, type Preset } from '../vision/index.ts'

const MEANING: Readonly<Record<Preset, string>> = {
  raw: 'the stored bytes, nothing decoded',
  decode: 'every picture in full, at its own size',
  rrc: 'RandomResizedCrop: a random rectangle, resized',
  center: 'the largest central square, or --ratio of it, resized (as FFCV)',
  crop: 'the central pixels as they are, nothing resized',
  'resize-center': 'Resize of the shorter side to 256/224 of --size, then CenterCrop (as torchvision)',
  train: 'rrc, then mirrored at random',
}

/** The lines of a command's help that say what each of its pipelines does. */
export function pipelineHelp(names: readonly Preset[] = PRESETS): string {
  const width = Math.max(...names.map((name) => name.length))
  const lines = names.map((name) => `  ${name.padEnd(width)}  ${MEANING[name]}`)
  return `\nPipelines:\n${lines.join('\n')}`
}
