import { HeadraceError, reasonOf } from '../../../errors.ts'
import { recordFormat } from '../../../formats/records.ts'
import type { FormatName, RecordFormat } from '../../../formats/types.ts'
import { DataSet } from '../../../generate/data-set.ts'
import type { DataSetSpec } from '../../../generate/types.ts'
import { recordDifference } from '../../../generate/verify.ts'
import { openStoreSpec } from '../../../storage/spec.ts'
import type { Store, StoreSpec } from '../../../storage/types.ts'
import type { StoreOptions } from '../../../storage/url.ts'
import type { Distribution } from '../types.ts'
import { HeldFiles, type HeldMemory } from './held-files.ts'
import { NoSamples } from './no-samples.ts'
import type { OrderSpec } from './order.ts'
import { BatchReader, type Fault, type Part } from './reader.ts'
import { SampleReader, type Samples, type Tensor } from './samples.ts'
import { heldSource, type Meter, type Sources, storeSources } from './sources.ts'

/** Parts of a run, by number. */
export const PART = { train: 0, valid: 1, calibration: 2 } as const

/** Everything that a thread needs to read batches, as plain data. */
export interface ReaderSpec {
  readonly store: StoreSpec
  /** What the spec leaves out. */
  readonly secrets: StoreOptions
  readonly set: DataSetSpec
  /** Files of the set that are read, of each split. */
  readonly orders: { readonly train: OrderSpec; readonly valid: OrderSpec }
  readonly tensor: Tensor
  readonly preprocessTime: Distribution
  readonly seed: number
  /** Bytes; absent: as many as are asked for. */
  readonly transferSize: number | undefined
  /** Samples of an object store that are read at once. */
  readonly requests: number
  readonly onError: 'fail' | 'count'
  /** For messages. */
  readonly rank: number
  /** Compares each record with what was generated. */
  readonly verify: boolean
  readonly held: HeldMemory | undefined
}

/** A file in memory that stands for all files of a set: storage that answers at once. */
export interface MemoryFile {
  readonly set: DataSetSpec
  readonly order: OrderSpec
  readonly bytes: SharedArrayBuffer
  /** In the order of the format's. */
  readonly sidecars: readonly SharedArrayBuffer[]
}

export interface OpenedReader {
  readonly reader: BatchReader
  close(): Promise<void>
}

/**
 * Opens a store and readers on it. `stop` and `place`: see `BatchReader`. `calibration`: asked for the file in memory when
 * a session of it begins.
 */
export async function openReader(
  spec: ReaderSpec,
  stop: Uint32Array,
  place: Float64Array,
  tell: (fault: Fault) => void,
  calibration: () => MemoryFile,
): Promise<OpenedReader> {
  const { store: of, secrets, orders, tensor } = spec
  const store = await openStoreSpec({ ...of, options: { ...of.options, ...secrets } })
  const format = await recordFormat(spec.set.format)
  const meter: Meter = { storage: 0, bytes: 0 }
  const set = new DataSet(spec.set)
  const samples = store.url.startsWith('null:')
    ? new NoSamples(set.uniform ? set.recordBytes(0) : tensor.stride, meter)
    : stored(store, set, format, spec, meter)
  const train: Part = { order: orders.train, firstFile: 0, reader: samples }
  const valid: Part = { order: orders.valid, firstFile: spec.set.filesTrain, reader: samples }
  let inMemory: Part | undefined
  const reader = new BatchReader(
    {
      part: (number) => {
        if (number !== PART.calibration) return number === PART.train ? train : valid
        inMemory ??= memoryPart(calibration(), format, tensor, meter)
        return inMemory
      },
      meter,
      lanes: spec.requests,
      stride: tensor.stride,
      preprocessTime: spec.preprocessTime,
      seed: spec.seed,
      onError: spec.onError,
      failed: (error, file, sample) => unreadable(error, `${store.url}/${set.key(file)}`, sample, spec.rank),
      tell,
    },
    stop,
    place,
  )
  return {
    reader,
    close: async () => {
      await samples.close()
      await inMemory?.reader.close()
      await store.close()
    },
  }
}

/** Formats whose records are not read as they were written. */
export const LOSSY: ReadonlySet<FormatName> = new Set(['jpeg', 'synthetic'])

function stored(store: Store, set: DataSet, format: RecordFormat, spec: ReaderSpec, meter: Meter): Samples {
  const { transferSize = Number.POSITIVE_INFINITY, held, tensor, verify } = spec
  const sources = storeSources(store, transferSize, meter)
  return new SampleReader({
    set,
    format,
    sources: held === undefined ? sources : new HeldFiles(held).around(sources),
    meter,
    tensor,
    inspect: verify && !LOSSY.has(format.name) ? comparing(set, format, store) : undefined,
  })
}

function memoryPart(
  { set: spec, order, bytes, sidecars }: MemoryFile,
  format: RecordFormat,
  tensor: Tensor,
  meter: Meter,
): Part {
  const set = new DataSet(spec)
  const contents = [bytes, ...sidecars].map((each) => new Uint8Array(each))
  const sources: Sources = {
    parallel: false,
    open: async (key, _, file) => {
      const sidecar = file === undefined ? format.sidecars.findIndex(({ suffix }) => key.endsWith(suffix)) + 1 : 0
      return heldSource(key, contents[sidecar] as Uint8Array)
    },
  }
  return { order, firstFile: 0, reader: new SampleReader({ set, format, sources, meter, tensor, inspect: undefined }) }
}

/** Says where it happened: rank, file and sample. */
function unreadable(error: unknown, url: string, sample: number, rank: number): HeadraceError {
  const reason = reasonOf(error, url)
  const message = `rank ${rank}: sample ${sample} of ${url} cannot be read: ${reason}`
  if (!(error instanceof HeadraceError)) return new HeadraceError('E_SERVER', message, { url, sample, cause: error })
  return new HeadraceError(error.code, message, { ...error.details, url, sample, cause: error })
}

/** Throws where a record is not what the set's seed makes of it. */
function comparing(
  set: DataSet,
  format: RecordFormat,
  store: Store,
): (file: number, sample: number, record: Uint8Array) => void {
  return (file, sample, record) => {
    const difference = recordDifference(set, format, file, sample, record)
    if (difference < 0) return
    const key = set.key(file)
    throw new HeadraceError(
      'E_CORRUPT',
      `sample ${sample} of ${store.url}/${key} is not what was generated, from its byte ${difference} on`,
      { key, sample, offset: difference, hint: 'was it generated with this seed, or by another program?' },
    )
  }
}
