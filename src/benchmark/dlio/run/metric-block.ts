import { fixed } from './python-json.ts'
import type { PhaseSummary, RunSummary } from './summary.ts'

const RULE = '=========================================================='

function phase(name: 'Training' | 'Eval', of: PhaseSummary, unit: string): string[] {
  const training = name === 'Training'
  const digits = training ? 4 : 6
  const pair = (mean: number, stdev: number, places = digits) => `${fixed(mean, places)} (${fixed(stdev, places)})`
  return [
    `${name} Accelerator Utilization [AU] (%): ${pair(of.auMean, of.auStdev, 4)}`,
    `${name} Throughput (samples/second): ${pair(of.throughputMean, of.throughputStdev)}`,
    `${name} ${training ? 'I/O ' : ''}Throughput (${unit}/second): ${pair(of.mbMean, of.mbStdev)}`,
    `${training ? 'train' : 'eval'}_au_meet_expectation: ${of.meets ? 'success' : 'fail'}`,
  ]
}

/**
 * The block of figures that closes DLIO's log. `checkpoints`: whether the config asks for a number of checkpoints to be
 * written and read; those of a training are not among the figures.
 */
export function metricBlock(
  summary: RunSummary,
  ranks: number,
  units: 'decimal' | 'binary',
  checkpoints: { readonly written: boolean; readonly read: boolean },
): string[] {
  const { train, evaluation, save, load } = summary
  const [mb, gb] = units === 'binary' ? ['MiB', 'GiB'] : ['MB', 'GB']
  const checkpoint = (name: 'save' | 'load', of: RunSummary['save'], wanted: boolean): string[] =>
    of === undefined || !wanted
      ? []
      : [
          `Checkpoint ${name} duration (seconds): ${fixed(of.duration.mean, 4)} (${fixed(of.duration.stdev, 4)})`,
          `Checkpoint ${name} I/O Throughput (${gb}/second): ${fixed(of.rate.mean, 4)} (${fixed(of.rate.stdev, 4)})`,
        ]
  const lines = [
    RULE,
    `Number of Simulated Accelerators: ${ranks} `,
    ...(train === undefined ? [] : phase('Training', train, mb)),
    ...checkpoint('save', save, checkpoints.written),
    ...checkpoint('load', load, checkpoints.read),
    ...(evaluation === undefined ? [] : phase('Eval', evaluation, mb)),
    RULE,
  ]
  return ['Averaged metric over all steps/epochs', ...lines.map((line) => `[METRIC] ${line}`), '']
}
