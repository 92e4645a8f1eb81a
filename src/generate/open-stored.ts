import { HeadraceError } from '../errors.ts'
import type { ByteSource, RecordFormat, RecordReader } from '../formats/types.ts'
import type { CallOptions, Store } from '../storage/types.ts'
import type { DataSet } from './data-set.ts'

/** An object of a store as a source of bytes; undefined where there is none. */
export async function storedSource(
  store: Store,
  key: string,
  { signal }: CallOptions = {},
): Promise<ByteSource | undefined> {
  const call = signal === undefined ? {} : { signal }
  const info = await store.head(key, call)
  if (info === undefined) return undefined
  const name = `${store.url}/${key}`
  return {
    name,
    size: info.size,
    read: async (offset, length, into) => {
      const range = { offset, length }
      const body = await store.get(key, into === undefined ? { range, ...call } : { range, into, ...call })
      if (body !== undefined && body.data.length === length) return body.data
      throw new HeadraceError('E_CORRUPT', `${name} ends before byte ${offset + length}`, { key, offset })
    },
  }
}

/** Opens a file of a set for reading; undefined where it is not there. */
export async function openStored(
  set: DataSet,
  format: RecordFormat,
  store: Store,
  index: number,
  call: CallOptions = {},
): Promise<RecordReader | undefined> {
  const { key, layout } = set.file(index)
  const source = await storedSource(store, key, call)
  if (source === undefined) return undefined
  const sidecars = set.sidecarKeys(index, format)
  return format.open(source, layout, async (i) => {
    const sidecar = sidecars[i] ?? ''
    const found = await storedSource(store, sidecar, call)
    if (found !== undefined) return found
    throw new HeadraceError('E_NOT_FOUND', `${source.name} has no ${sidecar} beside it`, { key: sidecar })
  })
}
