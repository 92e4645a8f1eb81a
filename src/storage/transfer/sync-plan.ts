import { isHeadraceError } from '../../errors.ts'
import { compareKeys } from '../keys.ts'
import type { ObjectInfo } from '../types.ts'
import type { Destination } from './destination.ts'
import type { Filter } from './filter.ts'
import type { Found } from './source.ts'
import { type Item, isFolderMarker, itemsOf, type Step, stepOf } from './steps.ts'

export interface SyncPlanOptions {
  readonly filter: Filter
  readonly delete: boolean
  readonly checksum: boolean
  readonly signal?: AbortSignal
}

type Folder = Found & { readonly kind: 'folder' }

/** Both keep one of the same kind: what it says; otherwise undefined. */
function checksumsAgree(a: ObjectInfo, b: ObjectInfo): boolean | undefined {
  if (a.checksum === undefined || a.checksum.algorithm !== b.checksum?.algorithm) return undefined
  return a.checksum.value === b.checksum.value
}

/** Where a destination keeps the source's time, another one means a change; where it is the time of the copy, only a later one. */
function timesAgree(from: ObjectInfo, to: ObjectInfo, keepsTime: boolean): boolean {
  return keepsTime ? from.modified === to.modified : from.modified <= to.modified
}

/** Checks pairs of objects of one key. */
class Comparison {
  readonly #source: Folder
  readonly #destination: Destination
  readonly #options: SyncPlanOptions

  constructor(source: Folder, destination: Destination, options: SyncPlanOptions) {
    this.#source = source
    this.#destination = destination
    this.#options = options
  }

  async isSame(from: ObjectInfo, to: ObjectInfo): Promise<boolean> {
    if (from.size !== to.size) return false
    const known = checksumsAgree(from, to) ?? (this.#options.checksum ? await this.#askChecksums(from, to) : undefined)
    return known ?? timesAgree(from, to, this.#destination.store.localPath !== undefined)
  }

  /** What is not to be had is not known: the copy itself tells what is wrong. */
  async #askChecksums(from: ObjectInfo, to: ObjectInfo): Promise<boolean | undefined> {
    const { signal } = this.#options
    const ask = (side: Pick<Destination, 'store'>, { key }: ObjectInfo) =>
      side.store.head(key, signal ? { signal } : {}).catch((error: unknown) => {
        if (isHeadraceError(error, 'E_CANCELLED') || isHeadraceError(error, 'E_CREDENTIALS')) throw error
        return undefined
      })
    const [a, b] = await Promise.all([ask(this.#source.side, from), ask(this.#destination, to)])
    return a && b && checksumsAgree(a, b)
  }
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
  const comparison = new Comparison(source, destination, options)
  const unknown = new Unknown()
  const there: Folder = { kind: 'folder', side: destination, prefix: destination.prefix }
  const from = itemsOf(source, filter, signal)
  const to = objectsOf(itemsOf(there, filter, signal))
  const spare = function* (object: Item & { kind: 'object' }): Generator<Step> {
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
      if (same !== undefined && (isFolderMarker(item.info) || (await comparison.isSame(item.info, same.info))))
        yield { kind: 'skip', name: source.side.name(item.info.key), reason: 'is the same' }
      else yield stepOf(item, source.side, destination)
    }
    for (; held.done !== true; held = await to.next()) yield* spare(held.value)
  } finally {
    await Promise.all([from.return(undefined), to.return(undefined)])
  }
}

async function* objectsOf(items: AsyncIterable<Item>): AsyncGenerator<Item & { readonly kind: 'object' }> {
  for await (const item of items) if (item.kind === 'object') yield item
}
