import { HeadraceError } from '../../errors.ts'
import { checkCollisions } from './collisions.ts'
import { type Destination, findDestination, overlapOf } from './destination.ts'
import { OpenStores } from './place.ts'
import { checkMeant, remove } from './removal.ts'
import { TransferRun } from './run.ts'
import {
  type MovingSettings,
  removeSettings,
  syncSettings,
  type TransferSettings,
  transferSettings,
} from './settings.ts'
import { type Found, findSource } from './source.ts'
import { itemsOf, type Step, stepOf } from './steps.ts'
import { planSync } from './sync-plan.ts'
import { Tally } from './tally.ts'
import type { Place, RemoveOptions, SyncOptions, TransferOptions, TransferReport } from './types.ts'

export type * from './types.ts'

function placesOf(given: Place | readonly Place[], what: string): readonly Place[] {
  const places = Array.isArray(given) ? (given as readonly Place[]) : [given as Place]
  if (places.length > 0) return places
  throw new HeadraceError('E_USAGE', `${what} must name at least one object or folder, but got []`)
}

/** Looked up together. */
const TOGETHER = 32

async function findAll(
  stores: OpenStores,
  places: readonly Place[],
  recursive: boolean,
  signal?: AbortSignal,
): Promise<Found[]> {
  const all: Found[] = []
  for (let start = 0; start < places.length; start += TOGETHER) {
    const some = places.slice(start, start + TOGETHER)
    all.push(...(await Promise.all(some.map(async (each) => findSource(await stores.at(each), recursive, signal)))))
  }
  return all
}

interface Route {
  readonly sources: readonly Found[]
  readonly destination: Destination
  readonly overlaps: ReadonlyMap<Found, string | undefined>
}

/** Looks at both ends, and refuses what cannot end well, before anything is written. */
async function routeOf(
  stores: OpenStores,
  from: readonly Place[],
  to: Place,
  { filter, signal }: MovingSettings,
  recursive: boolean,
): Promise<Route> {
  const sources = await findAll(stores, from, recursive, signal)
  const destination = await findDestination(await stores.at(to), sources)
  const overlaps = new Map<Found, string | undefined>()
  for (const source of sources) overlaps.set(source, await overlapOf(source, destination))
  await checkCollisions(sources, destination, filter, signal)
  return { sources, destination, overlaps }
}

async function* planCopies({ sources, destination, overlaps }: Route, settings: MovingSettings): AsyncGenerator<Step> {
  for (const source of sources)
    for await (const item of itemsOf(source, settings.filter, settings.signal))
      yield stepOf(item, source.side, destination, overlaps.get(source))
}

/**
 * Copies that are thought to be done again after a crash need not be forced to the device one by one; a move deletes
 * the original.
 */
const UNSYNCED = { sync: 'never' }

async function transfer(
  from: Place | readonly Place[],
  to: Place,
  settings: TransferSettings,
  moves: boolean,
): Promise<TransferReport> {
  const { partSize, workers, recursive, opLog } = settings
  const stores = new OpenStores({ partSize, workers, ...(moves ? {} : UNSYNCED) }, opLog)
  try {
    const route = await routeOf(stores, placesOf(from, 'from'), to, settings, recursive)
    const run = new TransferRun(route.destination, settings)
    if (moves) for (const source of route.sources) run.moveFrom(source)
    return await run.carryOut(planCopies(route, settings))
  } finally {
    await stores.close()
  }
}

/**
 * Copies objects, and with `recursive` folders, between any two places. What is in a folder lands under `to` with its
 * path relative to the folder (`photos` to `s3://b/photos` makes `s3://b/photos/a.jpg` of `photos/a.jpg`); an object
 * keeps its name in a `to` that ends with `/`, is a bucket or a local directory, and otherwise gets `to` as its name.
 * An object appears whole or not at all; what is there is replaced. Local files keep the source's time.
 *
 * Failures of single objects are in the report. Throws E_USAGE, before anything is written, where two sources would
 * become one key or a folder would be copied into itself; E_NOT_FOUND, E_ACCESS, E_CREDENTIALS, E_NO_SPACE, E_CANCELLED.
 */
export function copyObjects(
  from: Place | readonly Place[],
  to: Place,
  options: TransferOptions = {},
): Promise<TransferReport> {
  return transferred(() => transfer(from, to, transferSettings('copyObjects', options), false))
}

/**
 * Like `copyObjects`; each original is deleted once its copy has been looked up and is what was written (size, etag),
 * and the original is still what was read. What fails stays.
 */
export function moveObjects(
  from: Place | readonly Place[],
  to: Place,
  options: TransferOptions = {},
): Promise<TransferReport> {
  return transferred(() => transfer(from, to, transferSettings('moveObjects', options), true))
}

/**
 * Makes the folder `to` like the folder `from`: copies what is missing there or differs. Objects of the same size are
 * the same if their checksums are, where both listings have one of the same kind; otherwise by time: in a local folder
 * another one means a change (copies keep it), elsewhere a later one than that of the copy. Where the time says so,
 * checksums are asked for before anything is copied, and of local files computed.
 */
export function syncObjects(from: Place, to: Place, options: SyncOptions = {}): Promise<TransferReport> {
  return transferred(async () => {
    const settings = syncSettings(options)
    const stores = new OpenStores(
      { partSize: settings.partSize, workers: settings.workers, ...UNSYNCED },
      settings.opLog,
    )
    try {
      const { sources, destination, overlaps } = await routeOf(stores, [from], to, settings, true)
      const [source] = sources
      const { prefix } = destination
      if (source?.kind !== 'folder' || prefix === undefined)
        throw new HeadraceError('E_USAGE', 'only folders can be synced, but the source is an object', {
          hint: 'copy it',
        })
      if (overlaps.get(source) !== undefined)
        throw new HeadraceError(
          'E_USAGE',
          `cannot sync ${source.side.name(source.prefix)} with a folder that it lies in`,
        )
      return await new TransferRun(destination, settings).carryOut(
        planSync(source, { ...destination, prefix }, settings),
      )
    } finally {
      await stores.close()
    }
  })
}

/**
 * Deletes objects, and with `recursive` folders. Listing and deleting overlap, in batches. A whole bucket needs
 * `force`. Of a local folder all is deleted that lies in it, links but not what they lead to. E_NOT_FOUND for what is
 * not there; failures of single objects are in the report.
 */
export function removeObjects(at: Place | readonly Place[], options: RemoveOptions = {}): Promise<TransferReport> {
  return transferred(async () => {
    const settings = removeSettings(options)
    const stores = new OpenStores({}, settings.opLog)
    try {
      const found = await findAll(stores, placesOf(at, 'at'), settings.recursive, settings.signal)
      for (const each of found) checkMeant(each, settings)
      const tally = new Tally(settings.events)
      for (const each of found) await remove(each, settings, tally)
      tally.allListed()
      return tally.report()
    } finally {
      await stores.close()
    }
  })
}

/** Turns what is thrown before the first await into a rejection. */
async function transferred(run: () => Promise<TransferReport>): Promise<TransferReport> {
  return run()
}
