import { knowsOption, openStore } from '../storage/open.ts'
import type { Store } from '../storage/types.ts'
import type { StoreOptions } from '../storage/url.ts'

const MiB = 2 ** 20

/** What all files that are under way may hold together. */
const MEMORY = 128 * MiB
/** Of a file that is written to a disk: what its format makes at once. */
const LOCAL_LANE = 4 * MiB
/** Parts of 8 MiB that an upload has under way: more only help where a single file is written. */
const PARTS = 2
const REMOTE_LANE = (PARTS + 1) * 8 * MiB + LOCAL_LANE
/** Files under way at once, of all threads. */
const MOST_LANES = 64

/**
 * Opens the store that a set's URL names. Unless the URL or the options say otherwise, not every file is brought to the device before
 * the next: a power failure costs files, which the next run finds to be wrong and writes again.
 */
export function openDestination(url: string, given: StoreOptions = {}): Promise<Store> {
  const unsaid = (name: string) =>
    knowsOption(url, name) && given[name] === undefined && !new RegExp(`[?&]${name}=`).test(url)
  const defaults: StoreOptions = {
    ...(unsaid('sync') && { sync: 'never' }),
    ...(unsaid('partsInFlight') && { partsInFlight: PARTS }),
  }
  return openStore(url, { ...defaults, ...given })
}

/** Files that each thread has under way at once; `size`: bytes of a file. */
export function lanesOf(store: Store, size: number, threads: number): number {
  if (store.url.startsWith('null:')) return 1
  const remote = knowsOption(store.url, 'partsInFlight')
  const lane = remote ? Math.min(2 * size + MiB, REMOTE_LANE) : Math.min(size + MiB, LOCAL_LANE)
  const fitting = Math.min(remote ? MOST_LANES : 2 * threads, Math.floor(MEMORY / lane))
  return Math.max(1, Math.floor(fitting / threads))
}
