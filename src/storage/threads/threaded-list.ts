import { throwIfAborted } from '../../errors.ts'
import type { CallOptions, DeleteResult, ListEntry, ListOptions, Unlisted } from '../types.ts'
import type { Crew } from './crew.ts'
import { failureOf } from './failure.ts'
import { errorOf } from './member.ts'
import type { Batch, Operations } from './messages.ts'

/** Keys that travel together: as many as S3 deletes in one request. */
const KEYS = 1000

/** A listing by one thread, which goes on while what came is looked at. */
export async function* threadedList(
  crew: Crew,
  prefix: string,
  { signal, trace, ...options }: Omit<ListOptions, 'onUnlisted'>,
  onUnlisted: ((found: Unlisted) => void) | undefined,
): AsyncGenerator<ListEntry> {
  throwIfAborted(signal, 'list')
  const member = crew.member()
  const of = member.enter()
  const onAbort = () => signal && member.cancel(of, signal)
  signal?.addEventListener('abort', onAbort, { once: true })
  let coming: Promise<Batch<ListEntry>> | undefined = member.call(
    'list',
    { of, prefix, options, tellUnlisted: onUnlisted !== undefined },
    { ...(signal && { signal }), ...(trace && { trace }) },
    of,
  )
  try {
    while (coming !== undefined) {
      const { items, unlisted, done, failure }: Batch<ListEntry> = await coming
      coming = done ? undefined : member.call('next', { of })
      // It is awaited after these.
      coming?.catch(() => {})
      for (const found of unlisted) onUnlisted?.(found)
      for (const item of items) {
        throwIfAborted(signal, 'list')
        yield item
      }
      if (failure !== undefined) throw errorOf(failure, signal)
    }
  } finally {
    signal?.removeEventListener('abort', onAbort)
    member.leave()
    // Where the thread is gone, so is the listing.
    if (coming !== undefined) await member.call('leave', { of }).catch(() => {})
  }
}

/** Batches side by side; their answers in the order of the keys. */
export async function* threadedDelete(
  crew: Crew,
  keys: Iterable<string>,
  options: CallOptions,
): AsyncGenerator<DeleteResult> {
  type Deleted = Operations['delete']['gives']
  const underWay: Promise<Deleted>[] = []
  const begin = (batch: readonly string[]) => {
    const deleting = crew.member().call('delete', { keys: batch }, options)
    deleting.catch(() => {})
    underWay.push(deleting)
  }
  async function* first(): AsyncGenerator<DeleteResult> {
    const deleted = await underWay.shift()
    for (const { key, error } of deleted?.items ?? [])
      yield error === undefined ? { key } : { key, error: failureOf(error) }
    if (deleted?.failure !== undefined) throw errorOf(deleted.failure, options.signal)
  }
  throwIfAborted(options.signal, 'delete')
  try {
    let batch: string[] = []
    for (const key of keys) {
      if (batch.push(key) < KEYS) continue
      begin(batch)
      batch = []
      if (underWay.length >= 2 * crew.workers) yield* first()
    }
    if (batch.length > 0) begin(batch)
    while (underWay.length > 0) yield* first()
  } finally {
    await Promise.allSettled(underWay)
  }
}
