import { HeadraceError } from '../../errors.ts'
import { compareKeys } from '../keys.ts'
import type { Destination } from './destination.ts'
import type { Filter } from './filter.ts'
import type { Found } from './source.ts'
import { type Item, itemsOf } from './steps.ts'

interface Head {
  readonly source: Found
  readonly items: AsyncIterator<Item>
  item: Item
}

async function headOf(source: Found, items: AsyncIterator<Item>): Promise<Head | undefined> {
  const next = await items.next()
  return next.done === true ? undefined : { source, items, item: next.value }
}

/** The head with the smallest relative key. Few sources are folders, so that looking at all of them is cheap. */
function smallest(heads: readonly Head[]): Head | undefined {
  let best: Head | undefined
  for (const head of heads)
    if (best === undefined || compareKeys(head.item.relative, best.item.relative) < 0) best = head
  return best
}

function nameOf({ source, item }: Pick<Head, 'source' | 'item'>): string {
  return source.side.name(item.kind === 'object' ? item.info.key : item.found.key)
}

/** All single objects as one source in order: of thousands of arguments, each would be a head otherwise. */
function* inOrder(objects: readonly (Found & { kind: 'object' })[], filter: Filter): Generator<Head> {
  const sorted = objects.filter(({ relative }) => filter(relative))
  sorted.sort((a, b) => compareKeys(a.relative, b.relative))
  for (const source of sorted) yield { source, items: (async function* () {})(), item: source }
}

/**
 * Refuses several sources of which two would become one key, before anything is written: E_USAGE names both. Folders
 * are listed for it, an ordered stream each, and merged: nothing but the head of each is in memory.
 */
export async function checkCollisions(
  sources: readonly Found[],
  destination: Destination,
  filter: Filter,
  signal?: AbortSignal,
): Promise<void> {
  if (sources.length < 2) return
  const objects = inOrder(
    sources.filter((each) => each.kind === 'object'),
    filter,
  )
  const folders = sources.filter(({ kind }) => kind === 'folder')
  const opening = folders.map((source) => headOf(source, itemsOf(source, filter, signal)))
  let heads = (await Promise.all(opening)).filter((head) => head !== undefined)
  let object = objects.next().value ?? undefined
  let last: Pick<Head, 'source' | 'item'> | undefined
  for (;;) {
    const head = smallest(object === undefined ? heads : [object, ...heads])
    if (head === undefined) return
    const { source, item } = head
    if (last !== undefined && last.item.relative === item.relative)
      throw new HeadraceError(
        'E_USAGE',
        `${nameOf(last)} and ${nameOf(head)} would both become ${destination.name(destination.keyOf(item.relative))}`,
        { hint: 'copy them into different folders' },
      )
    last = { source, item }
    if (head === object) object = objects.next().value ?? undefined
    else {
      const next = await headOf(source, head.items)
      if (next === undefined) heads = heads.filter((each) => each !== head)
      else head.item = next.item
    }
  }
}
