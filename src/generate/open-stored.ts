import { openObjectSource } from '../formats/byte-source.ts'
import type { RecordFormat, RecordReader } from '../formats/types.ts'
import type { Store } from '../storage/types.ts'
import type { DataSet } from './data-set.ts'

/** Opens a file of a set for reading. E_NOT_FOUND where it, or what goes with it, is not there. */
export async function openStored(
  set: DataSet,
  format: RecordFormat,
  store: Store,
  index: number,
): Promise<RecordReader> {
  const { key, layout } = set.file(index)
  const sidecars = set.sidecarKeys(index, format)
  const source = await openObjectSource(store, key)
  return format.open(source, layout, (i) => openObjectSource(store, sidecars[i] ?? ''))
}
