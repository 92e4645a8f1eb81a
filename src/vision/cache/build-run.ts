import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { HeadraceError, throwIfAborted } from '../../errors.ts'
import type { BuildSite } from './build-site.ts'
import type { BuildSource } from './build-source.ts'
import { BuildTally } from './build-tally.ts'
import { Columns } from './columns.ts'
import type { Extents } from './extent.ts'
import type { Journal } from './journal.ts'
import { MANIFEST, typeName } from './layout.ts'
import { type ManifestField, manifestText } from './manifest.ts'
import { type BuildReport, type BuildSettings, contentOptions } from './options.ts'
import { type Frequencies, writeFrequencies } from './rans-table.ts'
import { ReadAhead } from './read-ahead.ts'
import type { Recovered } from './recovery.ts'
import { sharpVersion } from './transcode.ts'

/** Rows are written when this many bytes have come together, or this many rows. */
const FLUSH_BYTES = 4 * 1024 * 1024
const FLUSH_ROWS = 16_384
const PROGRESS_MS = 100
/** slipstream's allowance: its buffers are this much larger than the largest sample. */
const SIZE_ALLOWANCE = 1.2

/** One run of a build, from where it stopped to the published cache. */
export class BuildRun {
  readonly #source: BuildSource
  readonly #site: BuildSite
  readonly #settings: BuildSettings
  readonly #journal: Journal | undefined
  readonly #columns: Columns
  readonly #tally: BuildTally
  readonly #frequencies: Frequencies
  readonly #resumedAt: number
  readonly #started = performance.now()
  #resumable: boolean
  #storedNow = 0
  #rowsWaiting = 0
  #flushing: Promise<void> = Promise.resolve()
  #lastProgress = 0

  private constructor(
    source: BuildSource,
    site: BuildSite,
    settings: BuildSettings,
    journal: Journal | undefined,
    columns: Columns,
    frequencies: Frequencies,
    from: Recovered | undefined,
  ) {
    this.#source = source
    this.#site = site
    this.#settings = settings
    this.#journal = journal
    this.#columns = columns
    this.#tally = new BuildTally(from)
    this.#frequencies = frequencies
    this.#resumedAt = this.#tally.samples
    this.#resumable = from !== undefined
  }

  static async open(
    source: BuildSource,
    site: BuildSite,
    settings: BuildSettings,
    journal: Journal | undefined,
    frequencies: Frequencies,
    from: Recovered | undefined,
  ): Promise<BuildRun> {
    const columns = await Columns.open(site.cache, source.schema, from?.record.extents)
    return new BuildRun(source, site, settings, journal, columns, frequencies, from)
  }

  /** Whether another run can go on from what is on disk. */
  get resumable(): boolean {
    return this.#resumable
  }

  async complete(): Promise<Omit<BuildReport, 'startedOver'>> {
    const tally = this.#tally
    try {
      await this.#store()
    } catch (error) {
      // what is complete so far counts when the build goes on; a full disk cannot take it, and says why already
      await this.#flush()
        .then(() => this.#flushing)
        .catch(() => undefined)
      throw error
    }
    await this.#flush()
    await this.#flushing
    if (tally.samples === 0) {
      const [first] = tally.skipped
      const why = first && `: all ${tally.skipped.length} were left out; the first, ${first.key}: ${first.reason}`
      throw new HeadraceError(first?.code ?? 'E_NOT_FOUND', `no samples to store${why ?? ''}`)
    }
    const bytes = await this.#publish()
    this.#report(true)
    return {
      images: tally.samples,
      bytes,
      sourceBytes: tally.sourceBytes,
      reencoded: tally.reencoded,
      unpacked: tally.unpacked,
      skipped: tally.skipped,
      ignored: this.#source.ignored,
      seconds: (performance.now() - this.#started) / 1000,
      resumedAt: this.#resumedAt,
    }
  }

  /** Ends a run that failed. */
  async close(): Promise<void> {
    await this.#flushing.catch(() => undefined)
    await this.#columns.close().catch(() => undefined)
    await this.#journal?.close().catch(() => undefined)
  }

  async #store(): Promise<void> {
    const { signal, onError } = this.#settings
    const samples = new ReadAhead(this.#source, this.#tally.next, this.#settings, this.#frequencies)
    try {
      for (;;) {
        throwIfAborted(signal, 'the build')
        const prepared = await samples.next()
        if (prepared === undefined) return
        if (prepared.kind === 'fault') {
          this.#tally.failed(prepared.id, this.#source.describe(prepared.id), prepared.error, onError)
        } else {
          this.#columns.add(prepared.row)
          this.#tally.stored(prepared)
          this.#storedNow += prepared.heldBytes
        }
        this.#rowsWaiting++
        if (this.#columns.pendingBytes >= FLUSH_BYTES || this.#rowsWaiting >= FLUSH_ROWS) await this.#flush()
        this.#report(false)
      }
    } finally {
      await samples.close()
    }
  }

  /** Starts to write what is in memory, once the write before it is through: two of them at most are in memory. */
  async #flush(): Promise<void> {
    await this.#flushing
    if (this.#rowsWaiting === 0) return
    this.#rowsWaiting = 0
    const record = this.#tally.record()
    const written = this.#columns.flush().then(async (extents) => {
      await this.#journal?.append({ ...record, extents })
      this.#resumable = this.#journal !== undefined
    })
    this.#flushing = written
    // it is awaited later; until then its failure is not an unhandled one
    written.catch(() => undefined)
  }

  async #publish(): Promise<number> {
    const files = {
      ...(await this.#columns.finish(this.#tally.samples)),
      ...(await writeFrequencies(this.#site.cache, this.#frequencies)),
    }
    const text = Buffer.from(manifestText(this.#tally.samples, this.#manifestFields(), files, this.#provenance()))
    const manifest = await open(join(this.#site.cache, MANIFEST), 'w')
    await manifest.writeFile(text)
    await manifest.sync()
    await manifest.close()
    await this.#columns.close()
    await this.#journal?.close()
    await this.#site.publish(this.#settings.force)
    return totalBytes(files) + text.length
  }

  #manifestFields(): Record<string, ManifestField> {
    const entries = Object.entries(this.#source.schema).map(([name, field]) => {
      const { kind } = field
      const stored: ManifestField = { type: typeName(field), num_samples: this.#tally.samples }
      if (kind === 'image' || kind === 'bytes') stored.max_size = Math.floor(this.#tally.largest(name) * SIZE_ALLOWANCE)
      if (kind === 'image') {
        stored.image_format = this.#settings.encoding
        if (this.#settings.compact) stored.form = 'compact'
      }
      return [name, stored] as const
    })
    return Object.fromEntries(entries)
  }

  #provenance(): Parameters<typeof manifestText>[3] {
    const { url, fingerprint, classes } = this.#source
    const { reencoded, unpacked, skipped } = this.#tally
    return {
      encoding: this.#settings.encoding,
      source: { ...(url === undefined ? {} : { url }), ...(fingerprint === undefined ? {} : { fingerprint }) },
      options: contentOptions(this.#settings),
      ...(classes === undefined ? {} : { classes: [...classes] }),
      reencoded,
      ...(this.#settings.encoding === 'dct' ? { unpacked } : {}),
      ...(Object.keys(reencoded).length === 0 ? {} : { encoder: `sharp ${sharpVersion()}` }),
      skipped: skipped.length,
    }
  }

  #report(last: boolean): void {
    const { onProgress } = this.#settings
    if (!onProgress) return
    const now = performance.now()
    if (!last && now - this.#lastProgress < PROGRESS_MS) return
    this.#lastProgress = now
    const total = this.#source.length
    onProgress({
      images: this.#tally.samples,
      ...(total === undefined ? {} : { total: total - this.#tally.skipped.length }),
      bytes: this.#storedNow,
      seconds: (now - this.#started) / 1000,
    })
  }
}

function totalBytes(files: Extents): number {
  return Object.values(files).reduce((sum, { bytes }) => sum + bytes, 0)
}
