import { compareKeys } from '../keys.ts'
import type { ObjectInfo } from '../types.ts'
import { checksumsAgree } from './comparison.ts'
import type { Destination } from './destination.ts'
import type { Filter } from './filter.ts'
import type { Side } from './place.ts'
import type { Found } from './source.ts'
import { type Item, itemsOf, type Step, stepOf } from './steps.ts'

export interface SyncPlanOptions {
  readonly filter: Filter
  readonly delete: boolean
  readonly checksum: boolean
  readonly signal?: AbortSignal
}

type Folder = Found & { readonly kind: 'folder' }
type ObjectItem = Item & { readonly kind: 'object' }

/** Where a destination keeps the source's time, another one means a change; where it is the time of the copy, only a later one. */
function timesAgree(from: ObjectInfo, to: ObjectInfo, keepsTime: boolean): boolean {
  return keepsTime ? from.modified === to.modified : from.modified <= to.modified
}

/**
 * What becomes of two objects of one key. Where only the times differ, or checksums are asked for, the copy is made
 * unless the contents turn out to agree.
 */
function stepOfPair(item: ObjectItem, there: ObjectInfo, source: Side, destination: Destination, ask: boolean): Step {
  const { info } = item
  const step = stepOf(item, source, destination)
  if (step.kind !== 'copy' || info.size !== there.size) return step
  const known = checksumsAgree(info, there)
  if (known === false) return step
  const keepsTime = destination.localPath !== undefined
  const same = known ?? timesAgree(info, there, keepsTime)
  if (known === undefined && (ask || !same)) return { ...step, unless: { there, otherwise: same ? 'skip' : 'copy' } }
  return { kind: 'skip', name: source.name(info.key), reason: 'is the same' }
}

/** Keys of the destination under which nobody could look in the source: they are not known to be gone. */
class Unknown {
  #keys: string[] = []

  add(relative: string): void {
    this.#keys.push(relative)
  }

  covers(relative: string): boolean {
    return this.#keys.some((key) => key === relative || (key.endsWith('/') && relative.startsWith(key)))
  }

  /** Forgets what no key from here on can be under. */
  passed(relative: string): void {
    if (this.#keys.length === 0) return
    this.#keys = this.#keys.filter((key) => compareKeys(key, relative) >= 0 || relative.startsWith(key))
  }
}

/**
 * What makes a folder like another: the two listings, both in order, are walked side by side, so that nothing but the
 * place in them is in memory. Keys that the filter leaves out are left alone on both sides.
 */
export async function* planSync(
  source: Folder,
  destination: Destination & { readonly prefix: string },
  options: SyncPlanOptions,
): AsyncGenerator<Step> {
  const { filter, signal } = options
  const unknown = new Unknown()
  const there: Folder = { kind: 'folder', side: destination, prefix: destination.prefix }
  const from = itemsOf(source, filter, signal)
  const to = objectsOf(itemsOf(there, filter, signal))
  const spare = function* (object: ObjectItem): Generator<Step> {
    if (options.delete && !unknown.covers(object.relative)) yield { kind: 'delete', key: object.info.key }
  }
  try {
    let held = await to.next()
    for await (const item of from) {
      if (item.kind === 'unlisted') {
        unknown.add(item.relative)
        yield stepOf(item, source.side, destination)
        continue
      }
      while (held.done !== true && compareKeys(held.value.relative, item.relative) < 0) {
        yield* spare(held.value)
        held = await to.next()
      }
      unknown.passed(item.relative)
      const same = held.done !== true && held.value.relative === item.relative ? held.value : undefined
      if (same !== undefined) held = await to.next()
      if (same === undefined) yield stepOf(item, source.side, destination)
      else yield stepOfPair(item, same.info, source.side, destination, options.checksum)
    }
    for (; held.done !== true; held = await to.next()) yield* spare(held.value)
  } finally {
    await Promise.all([from.return(undefined), to.return(undefined)])
  }
}

async function* objectsOf(items: AsyncIterable<Item>): AsyncGenerator<ObjectItem> {
  for await (const item of items) if (item.kind === 'object') yield item
}
