import { isHeadraceError } from '../errors.ts'
import type { FileLayout, FormatName, RecordFormat } from '../formats/types.ts'
import type { CallOptions, Store } from '../storage/types.ts'
import { contentOf } from './content.ts'
import type { DataSet } from './data-set.ts'
import { openStored } from './open-stored.ts'

/** Formats that keep a record as it is have the first one behind a header that is shorter than this. */
const HEAD = 16 * 1024
/** Of the first record: so many random bytes are nowhere by chance. */
const PRINT = 32

/** Of the keys of all sets. */
const PREFIXES = ['train', 'valid'] as const

/** In these the first record stands as it is, somewhere near the beginning. */
const PLAIN: ReadonlySet<FormatName> = new Set([
  'npz',
  'npy',
  'hdf5',
  'tfrecord',
  'indexed_binary',
  'mmap_indexed_binary',
])

/** Whether the first bytes of the first record can be looked for: neither compressed nor scattered. */
function hasPrint(name: FormatName, { options, samples }: FileLayout): boolean {
  const { compression = 'none', chunkDims = [], maxShape = [] } = options
  // The samples of an array lie in its last dimension: their elements alternate.
  const alternate = (name === 'npz' || name === 'npy') && samples > 1
  return PLAIN.has(name) && compression === 'none' && chunkDims.length + maxShape.length === 0 && !alternate
}

/**
 * Whether a file of the set is there and is what would be written: of the right size, where that is known beforehand,
 * with the first bytes of its first record where those stand in it as they are; otherwise one that opens and says that
 * it has such records. Of a file hardly more than the beginning is read.
 */
export async function isWritten(
  set: DataSet,
  format: RecordFormat,
  store: Store,
  index: number,
  call: CallOptions = {},
): Promise<boolean> {
  const { key, layout } = set.file(index)
  const info = await store.head(key, call)
  if (info === undefined) return false
  const size = format.fileBytes(layout)
  if (size !== undefined && size !== info.size) return false
  for (const sidecar of set.sidecarKeys(index, format)) {
    const beside = await store.head(sidecar, call)
    if (beside === undefined || beside.size === 0) return false
  }
  if (size === undefined) return opens(set, format, store, index)
  return !hasPrint(format.name, layout) || hasContent(set, store, index, call)
}

async function hasContent(set: DataSet, store: Store, index: number, call: CallOptions): Promise<boolean> {
  const body = await store.get(set.key(index), { range: { offset: 0, length: HEAD }, ...call })
  if (body === undefined) return false
  const print = new Uint8Array(Math.min(PRINT, set.recordBytes(index)))
  contentOf(set, index).fill(0, 0, print)
  return Buffer.from(body.data.buffer, body.data.byteOffset, body.data.length).includes(Buffer.from(print.buffer))
}

const elements = (sides: readonly number[]) => sides.reduce((product, side) => product * side, 1)

async function opens(set: DataSet, format: RecordFormat, store: Store, index: number): Promise<boolean> {
  const { samples, shape } = set.file(index).layout
  try {
    const reader = await openStored(set, format, store, index)
    await reader.close()
    // Formats differ in whether a side of 1 is one.
    return reader.samples === samples && elements(reader.shape) === elements(shape)
  } catch (error) {
    // A damaged file is one that is not written yet; a store that cannot be read is another matter.
    if (isHeadraceError(error, 'E_CORRUPT') || isHeadraceError(error, 'E_UNSUPPORTED')) return false
    throw error
  }
}

/** Whether a place has nothing that a set could have left there: then no file needs to be looked for. */
export async function isEmpty(store: Store, signal: AbortSignal): Promise<boolean> {
  for (const prefix of PREFIXES) for await (const _ of store.list(prefix, { signal })) return false
  return true
}

/** Files of the set that are there, whatever they hold, and their bytes. */
export async function presentFiles(
  set: DataSet,
  store: Store,
  signal: AbortSignal,
): Promise<{ readonly files: number; readonly bytes: number }> {
  let files = 0
  let bytes = 0
  for (const prefix of PREFIXES)
    for await (const entry of store.list(prefix, { signal })) {
      if (entry.kind !== 'object' || set.indexOf(entry.key) === undefined) continue
      files++
      bytes += entry.size
    }
  return { files, bytes }
}
