import { openStore } from './open.ts'
import type { Store, StoreSpec } from './types.ts'

/**
 * Opens the store that a spec is of, with what was around it, such as in a worker thread. Bounds of `limited` are those
 * of this one alone.
 */
export async function openStoreSpec({ url, options, wrappers = [] }: StoreSpec): Promise<Store> {
  let store = await openStore(url, options)
  for (const wrapper of wrappers) {
    const { name } = wrapper
    const given = wrapper.options as never
    if (name === 'withRetry') store = (await import('./wrappers/with-retry.ts')).withRetry(store, given)
    else if (name === 'limited') store = (await import('./wrappers/limited.ts')).limited(store, given)
    else if (name === 'threaded') store = (await import('./threads/threaded.ts')).threaded(store, given)
    else store = (await import('./wrappers/cached.ts')).cached(store, given)
  }
  return store
}
