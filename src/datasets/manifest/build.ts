import { setImmediate } from 'node:timers/promises'
import { knownOptions, positiveInteger, progressOption } from '../../checks.ts'
import { HeadraceError, throwIfAborted } from '../../errors.ts'
import { isFolderMarker } from '../../storage/keys.ts'
import { openStore } from '../../storage/open.ts'
import { filterOf } from '../../storage/transfer/filter.ts'
import { OpenStores } from '../../storage/transfer/place.ts'
import type { ListOptions, Store } from '../../storage/types.ts'
import { MAGIC } from './layout.ts'
import { ManifestPacker } from './packer.ts'
import { PackedManifest } from './reader.ts'
import type { Manifest, ManifestEntry, ManifestSummary } from './types.ts'

export interface ListingOptions {
  /** Only keys that match one of these globs, and none of `exclude`; one without `/` is matched against the last part. */
  readonly include?: readonly string[]
  readonly exclude?: readonly string[]
  /** Of object stores so many prefixes of the first level are listed side by side, up to 1,024. 8. */
  readonly parallel?: number
  readonly signal?: AbortSignal
}

export interface ManifestProgress {
  /** Of those that were listed and chosen. */
  readonly objects: number
  readonly bytes: number
}

export interface BuildManifestOptions extends ListingOptions {
  /** Called every 100 ms at most, and at the end. */
  readonly onProgress?: (progress: ManifestProgress) => void
}

const DEFAULT_PARALLEL = 8
const MAX_PARALLEL = 1024
/** Between two calls of onProgress, ms. */
const PROGRESS = 100
/** Some 10 ms of work. */
const BLOCKS_A_TURN = 16
/** 1 MiB is written at once. */
const WRITE = 2 ** 20

/** The objects of a store in the order of their keys. Markers of folders are none. */
export async function* listed(
  store: Store,
  { include, exclude, parallel = DEFAULT_PARALLEL, signal }: ListingOptions,
): AsyncGenerator<ManifestEntry> {
  const chosen = filterOf({ include, exclude })
  const options: ListOptions = {
    parallel: positiveInteger('parallel', parallel, MAX_PARALLEL),
    ...(signal && { signal }),
  }
  for await (const entry of store.list('', options))
    if (entry.kind === 'object' && !isFolderMarker(entry) && chosen(entry.key)) yield entry
}

/** Entries in memory, packed: 20 to 30 bytes an object. */
export async function packManifest(
  subject: { readonly url: string } & Pick<ListingOptions, 'include' | 'exclude' | 'signal'>,
  entries: AsyncIterable<ManifestEntry> | Iterable<ManifestEntry>,
): Promise<Manifest> {
  const { url, include = [], exclude = [], signal } = subject
  const packer = new ManifestPacker({ url, include, exclude })
  const blocks: Uint8Array[] = []
  for await (const entry of entries) {
    const block = packer.add(entry)
    if (block === undefined) continue
    // Entries that are at hand would leave no time for anything else, such as a signal.
    if (blocks.push(block) % BLOCKS_A_TURN === 0) await setImmediate()
    throwIfAborted(signal, 'listing')
  }
  const rest = packer.rest()
  if (rest !== undefined) blocks.push(rest)
  const source = {
    block: (index: number) => blocks[index] as Uint8Array,
    close: () => {
      blocks.length = 0
    },
  }
  return new PackedManifest(url, packer.places(), source)
}

/**
 * Lists what lies below `url` once and writes it to `out`, a file or an object: keys, sizes and etags, sorted and
 * compressed, from which every dataset starts without listing. Memory does not grow with the number of objects beyond
 * sixteen bytes for 256 of them. Nothing is at `out` before all is written; what is there is replaced then. `out` itself
 * is left out where it lies below `url`. E_NOT_FOUND where there is nothing.
 */
export async function buildManifest(
  url: string,
  out: string,
  options: BuildManifestOptions = {},
): Promise<ManifestSummary> {
  knownOptions('buildManifest', options, ['include', 'exclude', 'parallel', 'signal', 'onProgress'])
  const { include = [], exclude = [], signal } = options
  const progress = new Progress(progressOption(options.onProgress))
  const store = await openStore(url)
  const stores = new OpenStores()
  try {
    const target = await stores.at(out)
    if (target.isFolder)
      throw new HeadraceError('E_USAGE', `the manifest must be a file, but ${out} names a folder`, { url: out })
    const own = `${target.store.url.replace(/\/$/, '')}/${target.key}`
    const root = store.url.replace(/\/$/, '')
    const packer = new ManifestPacker({ url: store.url, include, exclude })
    const writer = target.store.writer(target.key, signal ? { signal } : {})
    const gathered = new Gathered((bytes) => writer.write(bytes))
    try {
      await gathered.add(MAGIC)
      for await (const entry of listed(store, options)) {
        if (`${root}/${entry.key}` === own) continue
        const block = packer.add(entry)
        progress.add(entry.size)
        if (block !== undefined) await gathered.add(block)
      }
      const rest = packer.rest()
      if (rest !== undefined) await gathered.add(rest)
      const summary = packer.summary()
      if (summary.length === 0) throw nothingThere(store.url, options)
      await gathered.add(packer.footer())
      await gathered.flush()
      await writer.close()
      progress.tell()
      return summary
    } catch (error) {
      await writer.abort()
      throw error
    }
  } finally {
    await Promise.all([store.close(), stores.close()])
  }
}

export function nothingThere(url: string, { include = [], exclude = [] }: ListingOptions): HeadraceError {
  const chosen = include.length + exclude.length > 0
  return new HeadraceError('E_NOT_FOUND', `there are no objects ${chosen ? 'of these names ' : ''}in ${url}`, {
    url,
    hint: 'headrace ls -r lists what is there',
  })
}

/** Writes many small pieces together. */
class Gathered {
  readonly #write: (bytes: Uint8Array) => Promise<void>
  #pieces: Uint8Array[] = []
  #bytes = 0

  constructor(write: (bytes: Uint8Array) => Promise<void>) {
    this.#write = write
  }

  async add(piece: Uint8Array): Promise<void> {
    this.#pieces.push(piece)
    this.#bytes += piece.length
    if (this.#bytes >= WRITE) await this.flush()
  }

  async flush(): Promise<void> {
    const bytes = Buffer.concat(this.#pieces)
    this.#pieces = []
    this.#bytes = 0
    if (bytes.length > 0) await this.#write(bytes)
  }
}

class Progress {
  readonly #onProgress: ((progress: ManifestProgress) => void) | undefined
  #objects = 0
  #bytes = 0
  #told = performance.now()

  constructor(onProgress: ((progress: ManifestProgress) => void) | undefined) {
    this.#onProgress = onProgress
  }

  add(size: number): void {
    this.#objects++
    this.#bytes += size
    if (this.#onProgress !== undefined && performance.now() - this.#told >= PROGRESS) this.tell()
  }

  tell(): void {
    this.#told = performance.now()
    this.#onProgress?.({ objects: this.#objects, bytes: this.#bytes })
  }
}
