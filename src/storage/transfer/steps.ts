import { HeadraceError, isHeadraceError } from '../../errors.ts'
import { isFolderMarker } from '../keys.ts'
import type { ObjectInfo, Unlisted } from '../types.ts'
import type { Destination } from './destination.ts'
import type { Filter } from './filter.ts'
import type { Side } from './place.ts'
import type { Found } from './source.ts'

/** What is to be done with one object: a plan is a stream of these, in the order of keys, and never held whole. */
export type Step =
  | {
      readonly kind: 'copy'
      readonly source: Side
      readonly from: ObjectInfo
      readonly to: string
      /** Skipped if what is there already has the same contents; where that cannot be told, as `otherwise` says. */
      readonly unless?: { readonly there: ObjectInfo; readonly otherwise: 'copy' | 'skip' }
    }
  | { readonly kind: 'skip'; readonly name: string; readonly reason: string }
  | { readonly kind: 'fail'; readonly name: string; readonly error: HeadraceError }
  | { readonly kind: 'delete'; readonly key: string }

/** An object of a source, and what stands behind the folder's prefix; or what lies there and is no object. */
export type Item =
  | { readonly kind: 'object'; readonly relative: string; readonly info: ObjectInfo }
  | { readonly kind: 'unlisted'; readonly relative: string; readonly found: Unlisted }

/** All that a filter lets through of what was found, ordered by the bytes of `relative`. */
export async function* itemsOf(found: Found, filter: Filter, signal?: AbortSignal): AsyncGenerator<Item> {
  if (found.kind === 'object') {
    if (filter(found.relative)) yield found
    return
  }
  const { side, prefix } = found
  const unlisted: Unlisted[] = []
  const onUnlisted = (what: Unlisted) => void unlisted.push(what)
  // A link back into a folder it lies in hides nothing: all there is listed already.
  const told = function* (): Generator<Item> {
    for (const what of unlisted.splice(0)) {
      const relative = what.key.slice(prefix.length)
      if (what.code !== 'E_EXISTS' && (relative.endsWith('/') || filter(relative)))
        yield { kind: 'unlisted', relative, found: what }
    }
  }
  for await (const entry of side.store.list(prefix, { onUnlisted, ...(signal && { signal }) })) {
    if (unlisted.length > 0) yield* told()
    if (entry.kind !== 'object') continue
    const relative = entry.key.slice(prefix.length)
    if (filter(relative)) yield { kind: 'object', relative, info: entry }
  }
  yield* told()
}

function unlistedStep(side: Side, { key, code, reason }: Unlisted): Step {
  const name = side.name(key)
  return { kind: 'fail', name, error: new HeadraceError(code, `${name} ${reason}`, { url: name, key }) }
}

/** Whether a local store can name a file by that key. */
function refusalOf({ localPath }: Side, key: string): HeadraceError | undefined {
  try {
    localPath?.(key)
    return undefined
  } catch (error) {
    if (isHeadraceError(error)) return error
    throw error
  }
}

/** What becomes of an item of a source. `own`: the part of the destination that is the source itself. */
export function stepOf(item: Item, source: Side, destination: Destination, own?: string): Step {
  if (item.kind === 'unlisted') return unlistedStep(source, item.found)
  const { info: from, relative } = item
  const name = source.name(from.key)
  const to = destination.keyOf(relative)
  if (isFolderMarker(from) && (to === '' || destination.localPath !== undefined))
    return { kind: 'skip', name, reason: 'is the marker of a folder' }
  if (own !== undefined && relative.startsWith(own)) {
    const message = `${name} would be written over ${destination.name(to)}, which is to be copied, too`
    return { kind: 'fail', name, error: new HeadraceError('E_USAGE', message, { url: name, key: from.key }) }
  }
  const error = refusalOf(destination, to)
  if (error === undefined) return { kind: 'copy', source, from, to }
  const refused = new HeadraceError(error.code, `${name} cannot be a file: ${error.message}`, { url: name, key: to })
  return { kind: 'fail', name, error: refused }
}
