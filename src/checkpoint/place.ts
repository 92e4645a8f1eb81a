import { show } from '../checks.ts'
import { HeadraceError } from '../errors.ts'
import { knowsOption, openStore } from '../storage/open.ts'
import type { Store } from '../storage/types.ts'

/** Where a checkpoint lies: `store` is left open, that of `url` (the checkpoint folder) is opened and closed again. */
export type CheckpointPlace =
  | { readonly store: Store; readonly url?: undefined }
  | { readonly url: string; readonly store?: undefined }

export async function withStore<T>(
  { store, url }: CheckpointPlace,
  fsync: boolean | undefined,
  use: (store: Store) => Promise<T>,
): Promise<T> {
  if ((store === undefined) === (url === undefined))
    throw new HeadraceError('E_USAGE', 'a checkpoint needs either a store or a url, and not both')
  if (store !== undefined) {
    if (fsync !== undefined)
      throw new HeadraceError('E_USAGE', 'fsync goes with url: a store that is given has its own policy', {
        url: store.url,
        hint: "openStore(url, { sync: 'always' }) syncs each file before it is visible",
      })
    return use(store)
  }
  if (typeof url !== 'string') throw new HeadraceError('E_USAGE', `url must be a string, but got ${show(url)}`)
  const hasSync = knowsOption(url, 'sync')
  const opened = await openStore(url, hasSync ? { sync: fsync === true ? 'always' : 'never' } : {})
  try {
    return await use(opened)
  } finally {
    await opened.close()
  }
}
