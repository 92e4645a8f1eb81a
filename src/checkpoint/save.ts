import { booleanOption, knownOptions, nonNegativeInteger, positiveInteger, progressOption } from '../checks.ts'
import { throwIfAborted } from '../errors.ts'
import { inLanes } from '../storage/transfer/lanes.ts'
import type { ObjectWriter, Store } from '../storage/types.ts'
import { indexFile, indexKey, stateKey, stateText, TensorSums } from './bundle/bundle.ts'
import { headerOf } from './container.ts'
import { type ContentKind, contentOf, PIECE } from './content.ts'
import { type CheckpointPlace, withStore } from './place.ts'
import { type CheckpointProgress, type CheckpointReport, CheckpointTally } from './report.ts'
import type { CheckpointFile } from './types.ts'

export interface CheckpointSaveOptions {
  readonly files: readonly CheckpointFile[]
  /** True (the default): noise that nothing makes smaller. False: each element is 1. */
  readonly randomize?: boolean
  /** Of the noise; 0. */
  readonly seed?: number
  /**
   * With `url`: whether a file is on the device before it is visible; false. Object stores answer only then anyway.
   */
  readonly fsync?: boolean
  /** Files at once; 1, as DLIO writes them. */
  readonly parallel?: number
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: CheckpointProgress) => void
}

export type SaveCheckpointOptions = CheckpointSaveOptions & CheckpointPlace

/** Pieces that are made while an earlier one is written, for each file. */
const AHEAD = 2

/** Writes in turn, and lets the next piece be made meanwhile. */
class Ahead {
  readonly #writer: ObjectWriter
  readonly #pending: Promise<void>[] = []

  constructor(writer: ObjectWriter) {
    this.#writer = writer
  }

  async write(piece: Uint8Array): Promise<void> {
    const write = this.#writer.write(piece)
    // Told when it is its turn.
    write.catch(() => {})
    this.#pending.push(write)
    if (this.#pending.length >= AHEAD) await this.#pending.shift()
  }

  async end(): Promise<void> {
    for (const write of this.#pending.splice(0)) await write
  }
}

interface Saving {
  readonly store: Store
  readonly kind: ContentKind
  readonly seed: number
  readonly tally: CheckpointTally
  readonly signal: AbortSignal | undefined
}

async function saveFile(file: CheckpointFile, { store, kind, seed, tally, signal }: Saving): Promise<void> {
  throwIfAborted(signal, 'saving a checkpoint')
  const header = headerOf(file)
  const sums = file.layout === 'bundle' ? new TensorSums(file) : undefined
  const writer = store.writer(file.key, { size: header.length + file.bytes, ...(signal && { signal }) })
  try {
    const ahead = new Ahead(writer)
    if (header.length > 0) await ahead.write(header)
    tally.add(0, header.length)
    const content = contentOf(file, kind, seed)
    for (let left = file.bytes; left > 0; ) {
      throwIfAborted(signal, 'saving a checkpoint')
      const piece = content.next(Math.min(left, PIECE))
      sums?.add(piece)
      await ahead.write(piece)
      left -= piece.length
      tally.add(piece.length)
    }
    await ahead.end()
    await writer.close()
    if (sums !== undefined) await saveBeside(file, sums, store, tally, signal)
  } catch (error) {
    await writer.abort().catch(() => {})
    throw error
  }
  tally.fileDone()
}

/** What TensorFlow puts beside the tensors: their index, and the file that names what was saved last. */
async function saveBeside(
  file: CheckpointFile,
  { crcs }: TensorSums,
  store: Store,
  tally: CheckpointTally,
  signal: AbortSignal | undefined,
): Promise<void> {
  try {
    for (const [key, bytes] of [
      [indexKey(file), indexFile(file, crcs)],
      [stateKey(file), stateText(file)],
    ] as const) {
      await store.put(key, bytes, signal === undefined ? {} : { signal })
      tally.add(0, bytes.length)
    }
  } catch (error) {
    // Tensors without their index are no file.
    for await (const _ of store.delete([file.key, indexKey(file)]));
    throw error
  }
}

async function* inOrder<T>(items: Iterable<T>): AsyncGenerator<T> {
  yield* items
}

/**
 * Writes a rank's files of a checkpoint, each visible when it is whole. Memory: 4 MiB and what the store's writer takes,
 * for each of `parallel`. What was written before a failure stays, but for the file that failed.
 */
export async function saveCheckpoint(options: SaveCheckpointOptions): Promise<CheckpointReport> {
  knownOptions('saveCheckpoint', options, [
    'store',
    'url',
    'files',
    'randomize',
    'seed',
    'fsync',
    'parallel',
    'signal',
    'onProgress',
  ])
  const { files, signal } = options
  const kind = booleanOption('randomize', options.randomize ?? true) ? 'noise' : 'ones'
  const seed = nonNegativeInteger('seed', options.seed ?? 0)
  const parallel = positiveInteger('parallel', options.parallel ?? 1, 256)
  if (options.fsync !== undefined) booleanOption('fsync', options.fsync)
  const onProgress = progressOption(options.onProgress)
  return withStore(options, options.fsync, async (store) => {
    const tally = new CheckpointTally(files, onProgress)
    await inLanes(inOrder(files), parallel, (file) => saveFile(file, { store, kind, seed, tally, signal }))
    return tally.report()
  })
}
