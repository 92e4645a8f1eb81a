import { HeadraceError, throwIfAborted } from '../../errors.ts'
import { compareKeys } from '../keys.ts'
import type { ListEntry, ListOptions } from '../types.ts'
import { ListingCheck } from './listing-check.ts'

/** One answer of a listing: keys and prefixes relative to the store, in any order. */
export interface ListPage {
  readonly entries: readonly ListEntry[]
  /** What the next page is asked for by; undefined: this was the last. */
  readonly token: string | undefined
}

export interface PagedListing {
  readonly url: string
  readonly prefix: string
  readonly options: ListOptions
  fetchPage(token: string | undefined, signal: AbortSignal): Promise<ListPage>
  /** Whether there is a key in a rolled-up prefix behind the start, which lies in it. */
  hasAfter(prefix: string): Promise<boolean>
}

/**
 * The key of a listed name; undefined for the marker of the root itself. E_CORRUPT for what lies elsewhere: it was not
 * asked for, and under another key it would be another object.
 */
export function keyIn(root: string, name: string): string | undefined {
  if (!name.startsWith(root))
    throw new HeadraceError('E_CORRUPT', 'there are other keys in the list than were asked for')
  return name === root ? undefined : name.slice(root.length)
}

function nameOf(entry: ListEntry): string {
  return entry.kind === 'object' ? entry.key : entry.prefix
}

/** Pages one after the other, the next on its way while one is given out. E_CORRUPT for pages that make no listing. */
export async function* pagedList(listing: PagedListing): AsyncGenerator<ListEntry> {
  const { url, prefix, options, fetchPage, hasAfter } = listing
  const { signal, startAfter = '' } = options
  const check = new ListingCheck(prefix, url)
  throwIfAborted(signal, 'list')
  // A page that nobody waits for any more is ended with the listing.
  const stop = new AbortController()
  const onAbort = () => stop.abort(signal?.reason)
  signal?.addEventListener('abort', onAbort, { once: true })
  try {
    let next: Promise<ListPage> | undefined = fetchPage(undefined, stop.signal)
    while (next !== undefined) {
      const page: ListPage = await next
      throwIfAborted(signal, 'list')
      check.goesOn(page.token)
      next = page.token === undefined ? undefined : fetchPage(page.token, stop.signal)
      // Its failure is told when its turn comes, or not at all.
      next?.catch(() => {})
      const sorted = [...page.entries].sort((a, b) => compareKeys(nameOf(a), nameOf(b)))
      for (const entry of sorted) {
        throwIfAborted(signal, 'list')
        const name = nameOf(entry)
        // A prefix that two pages share is listed on both.
        if (!check.isNew(name)) continue
        const within = entry.kind === 'prefix' && startAfter.startsWith(name)
        if (within ? await hasAfter(name) : compareKeys(name, startAfter) > 0) yield entry
      }
    }
  } finally {
    signal?.removeEventListener('abort', onAbort)
    stop.abort(new HeadraceError('E_CANCELLED', 'the listing was left'))
  }
}
