import { setMaxListeners } from 'node:events'
import { knownOptions, nonNegativeInteger, oneOf, positiveInteger, progressOption } from '../checks.ts'
import { HeadraceError, throwIfAborted } from '../errors.ts'
import { alignedBytes } from '../storage/direct/aligned.ts'
import type { ObjectInfo, Store } from '../storage/types.ts'
import { indexKey, indexProblem } from './bundle/bundle.ts'
import { headerOf } from './container.ts'
import { contentOf } from './content.ts'
import { type CheckpointPlace, withStore } from './place.ts'
import { type CheckpointProgress, type CheckpointReport, CheckpointTally } from './report.ts'
import type { CheckpointFile } from './types.ts'

export interface CheckpointLoadOptions {
  readonly files: readonly CheckpointFile[]
  /** Ranges that are read at once, of one file or of several; 4. */
  readonly parallel?: number
  /** Bytes of a range; 8 MiB. */
  readonly blockBytes?: number
  /**
   * `header` (the default): the files hold the tensors they should. `noise` and `ones`: the tensors also hold what
   * `saveCheckpoint` wrote with this seed; E_CORRUPT says where they do not.
   */
  readonly verify?: 'header' | 'noise' | 'ones'
  /** Of the noise; 0. */
  readonly seed?: number
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: CheckpointProgress) => void
}

export type LoadCheckpointOptions = CheckpointLoadOptions & CheckpointPlace

const DEFAULT_BLOCK = 8 * 2 ** 20
/** 64 MiB: an index of a million tensors. */
const MOST_INDEX = 64 * 2 ** 20
/** Of O_DIRECT: blocks begin and end at it. */
const PAGE = 4096

interface OpenFile {
  readonly file: CheckpointFile
  readonly header: Uint8Array
  readonly size: number
  /** Of the version that the first answer was of. */
  etag: string | undefined
  /** Bytes that are not read yet. */
  left: number
}

interface Block {
  readonly of: OpenFile
  readonly offset: number
  readonly length: number
}

function* blocksOf(files: readonly CheckpointFile[], blockBytes: number): Generator<Block> {
  for (const file of files) {
    const header = headerOf(file)
    const size = header.length + file.bytes
    const of: OpenFile = { file, header, size, etag: undefined, left: size }
    for (let offset = 0; offset < size; offset += blockBytes)
      yield { of, offset, length: Math.min(blockBytes, size - offset) }
  }
}

class Loading {
  readonly #store: Store
  readonly #verify: 'header' | 'noise' | 'ones'
  readonly #seed: number
  readonly #tally: CheckpointTally
  readonly #blocks: Iterator<Block>
  readonly #stop = new AbortController()
  #failure: { readonly error: unknown } | undefined

  constructor(store: Store, blocks: Iterator<Block>, tally: CheckpointTally, options: CheckpointLoadOptions) {
    this.#store = store
    this.#blocks = blocks
    this.#tally = tally
    this.#verify = options.verify ?? 'header'
    this.#seed = options.seed ?? 0
    // Every range under way listens.
    setMaxListeners(0, this.#stop.signal)
  }

  /** Before the tensors, as TensorFlow does it. */
  async index(file: CheckpointFile, signal: AbortSignal | undefined): Promise<void> {
    const key = indexKey(file)
    const url = `${this.#store.url}/${key}`
    const call = signal === undefined ? {} : { signal }
    const info = await this.#store.head(key, call)
    if (info === undefined) throw new HeadraceError('E_NOT_FOUND', `there is no index ${url}`, { url, key })
    const body = info.size > MOST_INDEX ? undefined : await this.#store.get(key, call)
    const problem = body === undefined ? `it has ${info.size} bytes` : indexProblem(file, body.data)
    if (problem !== undefined)
      throw new HeadraceError('E_CORRUPT', `${url} is not the index of what was to be saved: ${problem}`, { url, key })
    this.#tally.add(0, info.size)
  }

  async run(parallel: number, blockBytes: number, signal: AbortSignal | undefined): Promise<void> {
    throwIfAborted(signal, 'loading a checkpoint')
    const onAbort = () => this.#stop.abort(signal?.reason)
    signal?.addEventListener('abort', onAbort, { once: true })
    await Promise.all(Array.from({ length: parallel }, () => this.#lane(blockBytes)))
    signal?.removeEventListener('abort', onAbort)
    throwIfAborted(signal, 'loading a checkpoint')
    if (this.#failure !== undefined) throw this.#failure.error
  }

  /** The first failure counts, and ends the other lanes; all have ended when it is thrown. */
  async #lane(blockBytes: number): Promise<void> {
    let memory: Uint8Array | undefined
    try {
      for (;;) {
        throwIfAborted(this.#stop.signal, 'loading a checkpoint')
        const next = this.#blocks.next()
        if (next.done === true) return
        memory ??= alignedBytes(blockBytes)
        await this.#read(next.value, memory)
      }
    } catch (error) {
      this.#failure ??= { error }
      this.#stop.abort()
    }
  }

  async #read({ of, offset, length }: Block, memory: Uint8Array): Promise<void> {
    const { file, header } = of
    const { key } = file
    const url = `${this.#store.url}/${key}`
    const range = { offset, length }
    const { signal } = this.#stop
    const body = await this.#store.get(key, { range, into: memory, signal }).catch((error) => {
      // A range that begins behind the end: the file is shorter than it should be.
      if (error instanceof HeadraceError && error.code === 'E_USAGE') throw this.#corrupt(of, 'it is too short', offset)
      throw error
    })
    if (body === undefined) throw new HeadraceError('E_NOT_FOUND', `there is no checkpoint file ${url}`, { url, key })
    this.#checkVersion(of, body.info, url)
    if (body.info.size !== of.size) throw this.#corrupt(of, `it has ${body.info.size} bytes`)
    if (body.data.length !== length) throw this.#corrupt(of, 'it is too short', offset + body.data.length)
    const headerBytes = Math.max(0, Math.min(length, header.length - offset))
    if (headerBytes > 0 && Buffer.compare(body.data.subarray(0, headerBytes), header.subarray(offset, offset + length)))
      throw this.#corrupt(of, 'its header names other tensors', offset)
    if (this.#verify !== 'header') this.#compare(of, offset + headerBytes, body.data.subarray(headerBytes))
    this.#tally.add(length - headerBytes, headerBytes)
    of.left -= length
    if (of.left === 0) this.#tally.fileDone()
  }

  #checkVersion(of: OpenFile, { etag }: ObjectInfo, url: string): void {
    of.etag ??= etag
    if (of.etag !== etag)
      throw new HeadraceError('E_STATE', `${url} has changed while it was read`, { url, key: of.file.key })
  }

  #compare(of: OpenFile, offset: number, data: Uint8Array): void {
    const kind = this.#verify === 'ones' ? 'ones' : 'noise'
    const content = contentOf(of.file, kind, this.#seed, offset - of.header.length)
    for (let at = 0; at < data.length; ) {
      const wanted = content.next(data.length - at)
      if (Buffer.compare(data.subarray(at, at + wanted.length), wanted) !== 0) {
        const first = wanted.findIndex((byte, i) => byte !== data[at + i])
        throw this.#corrupt(of, 'it holds other bytes', offset + at + first)
      }
      at += wanted.length
    }
  }

  #corrupt({ file: { key, tensors }, size }: OpenFile, what: string, offset?: number): HeadraceError {
    const url = `${this.#store.url}/${key}`
    const place = offset === undefined ? '' : ` at byte ${offset}`
    return new HeadraceError(
      'E_CORRUPT',
      `${url} is not what was to be saved, ${tensors.length} tensors in ${size} bytes: ${what}${place}`,
      { url, key, ...(offset !== undefined && { offset }) },
    )
  }
}

/**
 * Reads all bytes of a rank's files of a checkpoint and drops them. Memory: `parallel` x `blockBytes`, and what the
 * store takes. E_NOT_FOUND, or E_CORRUPT, names the file.
 */
export async function loadCheckpoint(options: LoadCheckpointOptions): Promise<CheckpointReport> {
  knownOptions('loadCheckpoint', options, [
    'store',
    'url',
    'files',
    'parallel',
    'blockBytes',
    'verify',
    'seed',
    'signal',
    'onProgress',
  ])
  const { files, signal } = options
  const parallel = positiveInteger('parallel', options.parallel ?? 4, 256)
  const blockBytes = positiveInteger('blockBytes', options.blockBytes ?? DEFAULT_BLOCK, 2 ** 30)
  if (options.verify !== undefined) oneOf('verify', options.verify, ['header', 'noise', 'ones'])
  nonNegativeInteger('seed', options.seed ?? 0)
  const onProgress = progressOption(options.onProgress)
  return withStore(options, undefined, async (store) => {
    const tally = new CheckpointTally(files, onProgress)
    const rounded = Math.ceil(blockBytes / PAGE) * PAGE
    const loading = new Loading(store, blocksOf(files, rounded), tally, options)
    for (const file of files) if (file.layout === 'bundle') await loading.index(file, signal)
    await loading.run(parallel, rounded, signal)
    return tally.report()
  })
}
