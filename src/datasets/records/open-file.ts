import { show } from '../../checks.ts'
import type { DType } from '../../dtype.ts'
import { HeadraceError } from '../../errors.ts'
import { inspect } from '../../formats/inspect.ts'
import { recordFormat } from '../../formats/records.ts'
import type { FileLayout, FormatName, RecordFormat, RecordReader } from '../../formats/types.ts'
import type { Shards } from '../shards/shards.ts'

/** What is known of the files before any is opened. */
export interface RecordsExpectation {
  readonly shape?: readonly number[]
  readonly dtype?: DType
  readonly samplesPerFile?: number
}

/** Names that say what a file is; DLIO's are those of the formats. */
const BY_SUFFIX: Readonly<Record<string, FormatName>> = {
  npz: 'npz',
  npy: 'npy',
  hdf5: 'hdf5',
  h5: 'hdf5',
  csv: 'csv',
  jpeg: 'jpeg',
  jpg: 'jpeg',
  png: 'png',
  tfrecord: 'tfrecord',
  tfrecords: 'tfrecord',
  indexed_binary: 'indexed_binary',
  mmap_indexed_binary: 'mmap_indexed_binary',
  parquet: 'parquet',
  synthetic: 'synthetic',
}

/** The format of the files: that of the first one, by its name or else by its bytes. E_UNSUPPORTED. */
export async function formatOf(shards: Shards, named: FormatName | undefined): Promise<RecordFormat> {
  if (named !== undefined) return recordFormat(named)
  const key = shards.key(0)
  const suffix = /\.([^./]+)$/.exec(key.replace(/\.(?:gz|bz2|zip)$/, ''))?.[1]?.toLowerCase() ?? ''
  const bySuffix = Object.hasOwn(BY_SUFFIX, suffix) ? BY_SUFFIX[suffix] : undefined
  if (bySuffix !== undefined) return recordFormat(bySuffix)
  const { format } = await inspect(shards.source(0), (side) => shards.beside(0, side).catch(() => undefined))
  if (Object.values(BY_SUFFIX).includes(format as FormatName)) return recordFormat(format as FormatName)
  throw new HeadraceError('E_UNSUPPORTED', `${key} is no file of records, but ${show(format)}`, {
    url: shards.url,
    key,
    hint: 'the option format says how the files are laid out',
  })
}

/** A layout as far as it is known: formats take of it what they cannot tell from a file's bytes. */
function layoutOf({ shape, dtype, samplesPerFile }: RecordsExpectation): FileLayout | undefined {
  if (shape === undefined || dtype === undefined) return undefined
  return { samples: samplesPerFile ?? 0, shape, dtype, options: {} }
}

/** Opens one of the files. */
export function openRecordFile(
  shards: Shards,
  shard: number,
  format: RecordFormat,
  expected: RecordsExpectation,
): Promise<RecordReader> {
  const { sidecars } = format
  const beside = sidecars.length > 0 && sidecars.every(({ place }) => place === 'beside')
  const sidecar = (i: number) => shards.beside(shard, sidecars[i]?.suffix ?? '')
  return format.open(shards.source(shard), layoutOf(expected), beside ? sidecar : undefined)
}
