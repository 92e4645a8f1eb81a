import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { relative, resolve } from 'node:path'
import type { Schema } from '../../datasets/types.ts'
import { fromSystemError, HeadraceError } from '../../errors.ts'
import { localPath } from '../../storage/file/local-path.ts'
import { realPath } from '../../storage/file/real-path.ts'
import { BuildRun } from './build-run.ts'
import { BuildSite } from './build-site.ts'
import { type BuildInput, type BuildSource, openBuildSource } from './build-source.ts'
import { Journal, readJournal } from './journal.ts'
import { checkFieldNames } from './layout.ts'
import { learnFrequencies } from './learn-frequencies.ts'
import { TOOL_VERSION } from './manifest.ts'
import { type BuildOptions, type BuildReport, type BuildSettings, buildSettings, contentOptions } from './options.ts'
import type { Frequencies } from './rans-table.ts'
import { recover } from './recovery.ts'
import { sharpVersion } from './transcode.ts'

/** Everything that the bytes of the cache depend on; undefined where the source cannot promise to be the same again. */
function identityOf(source: BuildSource, settings: BuildSettings, frequencies: Frequencies): string | undefined {
  if (source.fingerprint === undefined) return undefined
  const parts = [
    TOOL_VERSION,
    sharpVersion(),
    source.url ?? '',
    source.fingerprint,
    source.schema,
    contentOptions(settings),
    // learnt anew by every run: where a sample could not be read this time, rows coded before would not fit
    [...frequencies].map(([field, values]) => [field, [...values]]),
  ]
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex')
}

/** A cache inside its own source would be listed as a class of it the next time. */
async function checkOutside(source: BuildSource, destination: string): Promise<void> {
  const root = /^(?:file|direct):\/\/(.*)$/s.exec(source.url ?? '')?.[1]
  if (root === undefined) return
  const [from, to] = await Promise.all([realPath(root), realPath(resolve(destination))])
  const way = relative(from, to)
  if (way !== '..' && !way.startsWith('../'))
    throw new HeadraceError('E_USAGE', `${destination} lies inside the source ${source.url}`, { path: destination })
}

function checkPictures(schema: Schema): void {
  const fields = Object.entries(schema)
  if (fields.some(([, { kind }]) => kind === 'image')) return
  const list = fields.map(([name, { kind }]) => `${name} (${kind})`).join(', ')
  const hint = 'the bytes of its first samples tell whether a field holds pictures'
  throw new HeadraceError('E_USAGE', `no field holds pictures; fields are ${list}`, { hint })
}

/** Whether an interrupted build lies here that had come further than its first line. */
async function leftBehind(site: BuildSite, identity: string | undefined): Promise<boolean> {
  const records = await readJournal(site.journal, identity ?? '')
  return records === undefined ? existsSync(site.journal) : records.length > 0
}

async function startRun(
  source: BuildSource,
  site: BuildSite,
  settings: BuildSettings,
): Promise<{ readonly run: BuildRun; readonly startedOver: boolean }> {
  const frequencies: Frequencies = settings.compact ? await learnFrequencies(source, settings) : new Map()
  const identity = identityOf(source, settings, frequencies)
  const found =
    identity === undefined
      ? undefined
      : await recover(site.cache, site.journal, identity, source.schema, settings.workers)
  if (found) {
    const journal = await Journal.resume(site.journal, found.record.journalBytes)
    return { run: await BuildRun.open(source, site, settings, journal, frequencies, found), startedOver: false }
  }
  const startedOver = await leftBehind(site, identity)
  await site.clear()
  const journal = identity === undefined ? undefined : await Journal.create(site.journal, identity)
  return { run: await BuildRun.open(source, site, settings, journal, frequencies, undefined), startedOver }
}

/**
 * Builds an image cache at `destination` (a folder that does not exist yet; a path or file: URL) from a folder of
 * pictures (a path or URL), an image cache, a dataset, or an iterable of samples. JPEG files are stored as they are
 * unless they have to be scaled down, other pictures as JPEG; with the encoding 'dct' their coefficients are packed
 * then. The same source and options give the same files whatever `workers` is.
 *
 * A build that is interrupted, at any moment and in any way, leaves nothing at the destination; the same call again
 * goes on where it stopped, if the source is a folder or a dataset.
 *
 * Throws E_EXISTS, E_STATE (built by another process now), E_NO_SPACE, E_CANCELLED; and E_CORRUPT, E_UNSUPPORTED,
 * E_LIMIT, E_NOT_FOUND or E_ACCESS for the first sample that cannot be stored, unless `onError` is 'skip'.
 */
export async function buildImageCache(
  input: BuildInput,
  destination: string,
  options: BuildOptions = {},
): Promise<BuildReport> {
  const settings = buildSettings(options)
  const path = localPath('destination', destination)
  const source = await openBuildSource(input, settings)
  try {
    checkFieldNames(source.schema)
    checkPictures(source.schema)
    await checkOutside(source, path)
    const site = await BuildSite.open(path, settings.force)
    try {
      const { run, startedOver } = await startRun(source, site, settings)
      try {
        return { ...(await run.complete()), startedOver }
      } catch (error) {
        await run.close()
        if (!run.resumable) await site.remove()
        throw fromSystemError(error, `building ${destination}`, { path: site.destination })
      }
    } finally {
      await site.close()
    }
  } finally {
    await source.close()
  }
}
