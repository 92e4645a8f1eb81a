import { recordFormat } from '../formats/records.ts'
import type { ByteSink, Content, FileLayout, RecordFormat } from '../formats/types.ts'
import { type Island, type NullObject, NullStore } from '../storage/null/null.ts'
import type { Store } from '../storage/types.ts'
import { DataSet } from './data-set.ts'
import type { DataSetSpec } from './types.ts'

/** What is kept of a file that is all zeros but for what formats put around records: whole pages. */
const PAGE = 4096
const ZEROS = new Uint8Array(PAGE)

/** Of all templates that are kept, bytes. */
const MOST_KEPT = 64 * 1024 * 1024

const zeros: Content = {
  fill: (_, __, target) => {
    target.fill(0)
  },
}

/** Keeps the pages of a file in which there is anything. */
class HollowSink implements ByteSink {
  readonly #islands: Island[] = []
  #size = 0
  #kept = 0

  async write(chunk: Uint8Array): Promise<void> {
    for (let from = 0; from < chunk.length; ) {
      // To the next page of the file, so that islands do not depend on how it is cut.
      const to = Math.min(chunk.length, from + PAGE - ((this.#size + from) % PAGE))
      const piece = chunk.subarray(from, to)
      if (Buffer.compare(piece, ZEROS.subarray(0, piece.length)) !== 0) this.#keep(this.#size + from, piece)
      from = to
    }
    this.#size += chunk.length
  }

  /** Bytes that it takes. */
  get kept(): number {
    return this.#kept
  }

  object(): NullObject {
    return { size: this.#size, islands: this.#islands }
  }

  #keep(offset: number, piece: Uint8Array): void {
    this.#islands.push({ offset, bytes: piece.slice() })
    this.#kept += piece.length
  }
}

interface Template {
  readonly file: NullObject
  readonly sidecars: readonly NullObject[]
  readonly kept: number
}

/** What files of one layout are, but for their content. */
async function templateOf(format: RecordFormat, layout: FileLayout): Promise<Template> {
  const main = new HollowSink()
  const besides = format.sidecars.map(() => new HollowSink())
  await format.write(main, layout, zeros, besides)
  return {
    file: main.object(),
    sidecars: besides.map((sink) => sink.object()),
    kept: besides.reduce((sum, sink) => sum + sink.kept, main.kept),
  }
}

/** Made when they are asked for; the least recently used go where there are too many. */
class Templates {
  readonly #format: RecordFormat
  readonly #known = new Map<string, Promise<Template>>()
  #kept = 0

  constructor(format: RecordFormat) {
    this.#format = format
  }

  of(layout: FileLayout): Promise<Template> {
    // Only files of the format `synthetic` say which one they are.
    const name = JSON.stringify([layout.shape, this.#format.name === 'synthetic' ? layout.index : 0])
    const known = this.#known.get(name)
    if (known !== undefined) {
      this.#known.delete(name)
      this.#known.set(name, known)
      return known
    }
    const made = templateOf(this.#format, layout)
    this.#known.set(name, made)
    made.then(
      ({ kept }) => this.#bound(kept),
      () => this.#known.delete(name),
    )
    return made
  }

  async #bound(kept: number): Promise<void> {
    this.#kept += kept
    for (const [name, template] of this.#known) {
      if (this.#kept <= MOST_KEPT || this.#known.size === 1) return
      this.#known.delete(name)
      this.#kept -= (await template).kept
    }
  }
}

/**
 * A null store in which the files of a set lie: names, sizes, headers, indexes and checksums as they would be if all
 * records were zeros, so that readers work as they do on real files while reading costs next to nothing. What a host
 * reaches on it, it reaches at best. `fill: 'skip'` leaves what is read as the memory was, but for headers: only for
 * readers that check no checksums.
 */
export async function hollowStore(
  of: DataSet | DataSetSpec,
  options: { readonly fill?: 'zero' | 'skip' } = {},
): Promise<Store> {
  const set = of instanceof DataSet ? of : new DataSet(of)
  const format = await recordFormat(set.spec.format)
  const templates = new Templates(format)
  return new NullStore('hollow', {
    ...options,
    objects: async (key) => {
      const index = set.indexOf(key)
      if (index !== undefined) return (await templates.of(set.file(index).layout)).file
      const beside = set.sidecarAt(key, format)
      return beside && (await templates.of(set.file(beside.index).layout)).sidecars[beside.sidecar]
    },
    keys: () => keysOf(set, format),
  })
}

/** `index/` comes before `train/` and `valid/`, and a file before what is beside it. */
function* keysOf(set: DataSet, format: RecordFormat): Generator<string> {
  const apart = format.sidecars.some(({ place }) => place === 'index')
  if (apart) for (let index = 0; index < set.files; index++) yield* set.sidecarKeys(index, format)
  for (const index of set.inKeyOrder()) {
    yield set.key(index)
    if (!apart) yield* set.sidecarKeys(index, format)
  }
}
