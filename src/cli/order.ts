import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { setImmediate as turn } from 'node:timers/promises'
import { Command } from 'commander'
import type { Dataset } from '../datasets/types.ts'
import { fromSystemError, HeadraceError, throwIfAborted } from '../errors.ts'
import { type EpochOrder, type LoaderOptions, orderOf, type SourceOfOrder } from '../loader/index.ts'
import { openImageCache } from '../vision/index.ts'
import { flag } from './flags.ts'
import { interrupted, print, printJson } from './run.ts'
import { printTable } from './table.ts'
import { count, countFromZero, given } from './values.ts'

interface Flags {
  length?: number
  batch: number
  count: number
  epoch?: number
  step?: number
  seed?: number
  sampler: 'random' | 'sequential' | 'weighted'
  replacement?: boolean
  weights?: string
  samples?: number
  window?: number
  locality?: 'samples' | 'chunks'
  tail?: 'short' | 'pad' | 'drop'
  rank: number
  worldSize: number
  state?: string
  hash?: boolean
  json?: boolean
}

/** Ids between two looks at whether Ctrl-C was pressed. */
const BYTES_PER_TURN = 2 ** 20

export function orderCommand(): Command {
  return new Command('order')
    .description('show which samples come when: the ids of a rank, from the start of an epoch or a step on')
    .argument('[cache]', 'an image cache; or --length alone')
    .addOption(flag('--length <n>', 'of a dataset of so many samples', { parse: count }))
    .addOption(flag('--count <n>', 'ids to show', { parse: count, default: 20 }))
    .addOption(flag('--seed <n>', 'of the order', { parse: countFromZero, shown: '0' }))
    .addOption(flag('--epoch <n>', 'which epoch', { parse: countFromZero, shown: '0' }))
    .addOption(flag('--step <n>', 'from which step on', { parse: countFromZero, shown: '0' }))
    .addOption(flag('--batch <n>', 'samples per rank and step', { parse: count, default: 32 }))
    .addOption(flag('--rank <n>', 'this process', { parse: countFromZero, default: 0 }))
    .addOption(flag('--world-size <n>', 'of so many', { parse: count, default: 1 }))
    .addOption(flag('--tail <name>', 'the last global batch', { choices: ['short', 'pad', 'drop'] }))
    .addOption(
      flag('--sampler <name>', 'the law', { choices: ['random', 'sequential', 'weighted'], default: 'random' }),
    )
    .option('--replacement', 'a sample may be drawn again')
    .option('--no-replacement', 'of weighted: none is drawn twice')
    .addOption(flag('--weights <file>', 'of weighted: numbers, one a sample, with white space or commas between them'))
    .addOption(flag('--samples <n>', 'draws an epoch', { parse: count }))
    .addOption(flag('--window <n>', 'shuffle within windows of so many', { parse: count }))
    .addOption(flag('--locality <name>', 'what is shuffled', { choices: ['samples', 'chunks'] }))
    .addOption(flag('--state <file>', "a loader's state, JSON: goes on where it stands"))
    .option('--hash', "print the SHA-256 of the rank's whole epoch (ids as little-endian doubles) in place of ids")
    .option('--json', 'print one JSON document')
    .addHelpText('after', '\nExample:\n  headrace order --length 1281167 --seed 7 --epoch 3 --rank 1 --world-size 8')
    .action(async (path: string | undefined, flags: Flags) => {
      const dataset = await openSource(path, flags.length)
      try {
        const order = orderOf(dataset, await optionsOf(flags))
        if (flags.hash === true) await showHash(order, flags)
        else showIds(order, flags, path === undefined ? undefined : dataset)
      } finally {
        await dataset.close()
      }
    })
}

type Source = SourceOfOrder & Pick<Dataset, 'describe' | 'close'>

async function openSource(path: string | undefined, length: number | undefined): Promise<Source> {
  if ((path === undefined) === (length === undefined))
    throw new HeadraceError('E_USAGE', 'order needs either an image cache or --length')
  if (path !== undefined) return openImageCache(path)
  return { length, schema: {}, fingerprint: '', describe: (id) => `sample ${id}`, async close() {} }
}

async function readText(path: string): Promise<string> {
  return readFile(path, 'utf8').catch((error) => {
    throw fromSystemError(error, `reading ${path}`, { path })
  })
}

async function readWeights(path: string): Promise<Float64Array> {
  const words = (await readText(path)).split(/[\s,[\]]+/).filter((word) => word !== '')
  return Float64Array.from(words, (word, i) => {
    const weight = Number(word)
    if (Number.isNaN(weight))
      throw new HeadraceError('E_USAGE', `${path}: weight ${i} is no number: ${JSON.stringify(word)}`, { path })
    return weight
  })
}

async function readState(path: string): Promise<NonNullable<LoaderOptions['resume']>> {
  try {
    return JSON.parse(await readText(path))
  } catch (error) {
    if (error instanceof SyntaxError)
      throw new HeadraceError('E_STATE', `${path} is no JSON: ${error.message}`, { path })
    throw error
  }
}

async function optionsOf(flags: Flags): Promise<LoaderOptions> {
  const { batch, seed, sampler, replacement, weights, samples, window, locality, tail, rank, worldSize, state } = flags
  return given({
    batchSize: batch,
    seed,
    sampler,
    replacement,
    weights: weights === undefined ? undefined : await readWeights(weights),
    samples,
    window,
    locality,
    tail,
    rank,
    worldSize,
    resume: state === undefined ? undefined : await readState(state),
  })
}

function placeOf(order: EpochOrder, { epoch, step }: Flags): { epoch: number; step: number } {
  const first = epoch === undefined || epoch === order.epoch ? order.firstStep : 0
  return { epoch: epoch ?? order.epoch, step: step ?? first }
}

const headOf = ({ fingerprint, length, seed, rank, worldSize, globalBatch, steps }: EpochOrder) =>
  ({ fingerprint, length, seed, rank, worldSize, globalBatch, steps }) as const

function showIds(order: EpochOrder, flags: Flags, dataset: Source | undefined): void {
  const { epoch, step: first } = placeOf(order, flags)
  if (first > order.steps)
    throw new HeadraceError('E_USAGE', `--step ${first}: the epoch has ${order.steps} steps on this rank`)
  const rows: { step: number; position: number; id: number; padding: boolean }[] = []
  for (let step = first; step < order.steps && rows.length < flags.count; step++) {
    const { position, ids, padding } = order.step(epoch, step)
    for (const [row, id] of ids.entries()) {
      if (rows.length === flags.count) break
      rows.push({ step, position: position + row, id, padding: row >= ids.length - padding })
    }
  }
  if (flags.json === true) {
    printJson({
      ...headOf(order),
      epoch,
      step: first,
      ids: rows.map(({ id }) => id),
      positions: rows.map(({ position }) => position),
    })
    return
  }
  printTable(
    ['step', 'position', 'sample', ...(dataset === undefined ? [] : ['name'])],
    rows.map(({ step, position, id, padding }) => [
      String(step),
      String(position),
      padding ? `${id} (padding)` : String(id),
      ...(dataset === undefined ? [] : [dataset.describe(id)]),
    ]),
  )
}

async function showHash(order: EpochOrder, flags: Flags): Promise<void> {
  const { epoch, step: first } = placeOf(order, flags)
  const hash = createHash('sha256')
  let ids = 0
  let bytes = 0
  for (let step = first; step < order.steps; step++) {
    const { ids: some } = order.step(epoch, step)
    hash.update(new Uint8Array(some.buffer))
    ids += some.length
    bytes += some.byteLength
    if (bytes < BYTES_PER_TURN) continue
    bytes = 0
    await turn()
    throwIfAborted(interrupted, 'order')
  }
  const sha256 = hash.digest('hex')
  if (flags.json === true) printJson({ ...headOf(order), epoch, step: first, ids, sha256 })
  else print(`${sha256}  ${ids} samples of epoch ${epoch}, rank ${order.rank} of ${order.worldSize}`)
}
