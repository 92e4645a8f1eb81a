import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { type ErrorCode, HeadraceError, isHeadraceError, throwIfAborted } from '../../errors.ts'
import type { BuildSite } from './build-site.ts'
import type { BuildSource, Cursor } from './build-source.ts'
import { Columns, type Extents } from './columns.ts'
import { ImageIntake } from './intake.ts'
import type { Journal } from './journal.ts'
import { filesOf, MANIFEST, storageOf, typeName } from './layout.ts'
import { type ManifestField, manifestText } from './manifest.ts'
import { type BuildReport, type BuildSettings, contentOptions, type Skipped } from './options.ts'
import { prepareSample, type PreparedSample } from './prepare.ts'
import type { Recovered } from './recovery.ts'
import { sharpVersion } from './transcode.ts'

/** Samples that are read at once: enough to hide the latency of small files, few enough to stay in order cheaply. */
const READS_AHEAD = 64
/** Rows are written when this many bytes have come together, or this many rows. */
const FLUSH_BYTES = 4 * 1024 * 1024
const FLUSH_ROWS = 16_384
/** What a sample is taken to be until the source or the samples before it say better. */
const EXPECTED_BYTES = 1024 * 1024
const PROGRESS_MS = 100
/** slipstream's allowance: its buffers are this much larger than the largest sample. */
const SIZE_ALLOWANCE = 1.2

/** Faults of one sample; all else ends the build. */
const SAMPLE_FAULTS: readonly ErrorCode[] = ['E_CORRUPT', 'E_UNSUPPORTED', 'E_LIMIT', 'E_NOT_FOUND', 'E_ACCESS']

/** One run of a build, from where it stopped to the published cache. */
export class BuildRun {
  readonly #source: BuildSource
  readonly #site: BuildSite
  readonly #settings: BuildSettings
  readonly #journal: Journal | undefined
  readonly #columns: Columns
  readonly #started = performance.now()
  readonly #resumedAt: number
  readonly #skipped: Skipped[]
  readonly #reencoded: Map<string, number>
  readonly #largest: Map<string, number>
  #next: number
  #samples: number
  #sourceBytes: number
  #storedNow = 0
  #rowsWaiting = 0
  #skippedInJournal: number
  #journalled: boolean
  #flushing: Promise<void> = Promise.resolve()
  #lastProgress = 0

  private constructor(source: BuildSource, site: BuildSite, settings: BuildSettings, journal: Journal | undefined, columns: Columns, from: Recovered | undefined) {
    this.#source = source
    this.#site = site
    this.#settings = settings
    this.#journal = journal
    this.#columns = columns
    this.#resumedAt = from?.record.samples ?? 0
    this.#next = from?.record.next ?? 0
    this.#samples = from?.record.samples ?? 0
    this.#sourceBytes = from?.record.sourceBytes ?? 0
    this.#skipped = [...(from?.skipped ?? [])]
    this.#skippedInJournal = this.#skipped.length
    this.#reencoded = new Map(Object.entries(from?.record.reencoded ?? {}))
    this.#largest = new Map(Object.entries(from?.record.largest ?? {}))
    this.#journalled = from !== undefined
  }

  static async open(source: BuildSource, site: BuildSite, settings: BuildSettings, journal: Journal | undefined, from: Recovered | undefined): Promise<BuildRun> {
    const columns = await Columns.open(site.cache, source.schema, from?.record.extents)
    return new BuildRun(source, site, settings, journal, columns, from)
  }

  /** Whether another run can go on from what is on disk. */
  get resumable(): boolean {
    return this.#journalled
  }

  async complete(): Promise<BuildReport> {
    const cursor = this.#source.cursor(this.#next)
    try {
      await this.#store(cursor)
    } catch (error) {
      // what is complete so far counts when the build goes on; a full disk cannot take it, and says why already
      await this.#flush().then(() => this.#flushing).catch(() => undefined)
      throw error
    } finally {
      await cursor.close()
    }
    await this.#flush()
    await this.#flushing
    if (this.#samples === 0) {
      const [first] = this.#skipped
      const why = first ? `: all ${this.#skipped.length} were left out; the first, ${first.key}: ${first.reason}` : ''
      throw new HeadraceError(first?.code ?? 'E_NOT_FOUND', `no samples to store${why}`)
    }
    const bytes = await this.#publish()
    this.#report(true)
    return {
      images: this.#samples,
      bytes,
      sourceBytes: this.#sourceBytes,
      reencoded: Object.fromEntries(this.#sortedReencoded()),
      skipped: this.#skipped,
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

  /** Reads ahead in order, within the window; stores each sample when its turn comes. */
  async #store(cursor: Cursor): Promise<void> {
    const { windowBytes, signal } = this.#settings
    const intake = new ImageIntake(this.#settings)
    const queue: Promise<PreparedSample | undefined>[] = []
    let started = this.#next
    let ended = false
    let typical = EXPECTED_BYTES
    let held = 0

    const start = (): void => {
      const id = started++
      // at first what the sample is expected to take, then what it takes
      let claim = this.#source.expectedBytes(id) ?? typical
      held += claim
      const prepared = prepareSample(id, cursor.next(), this.#source, intake).then((sample) => {
        const bytes = sample?.heldBytes ?? 0
        held += bytes - claim
        claim = bytes
        if (bytes > typical) typical = bytes
        return sample
      })
      queue.push(prepared)
    }
    try {
      for (;;) {
        throwIfAborted(signal, 'the build')
        while (!ended && queue.length < READS_AHEAD) {
          const more = this.#source.expectedBytes(started) ?? typical
          if (queue.length > 0 && held + more > windowBytes) break
          start()
        }
        const prepared = await queue.shift()
        if (prepared === undefined) {
          ended = true
          if (queue.length === 0) return
          continue
        }
        held -= prepared.heldBytes
        this.#take(prepared)
        if (this.#columns.pendingBytes >= FLUSH_BYTES || this.#rowsWaiting >= FLUSH_ROWS) await this.#flush()
        this.#report(false)
      }
    } finally {
      // nothing may still be at work when the files are closed
      await Promise.allSettled(queue)
    }
  }

  #take(prepared: PreparedSample): void {
    if (prepared.kind === 'fault') {
      const { error } = prepared
      if (!isHeadraceError(error) || !SAMPLE_FAULTS.includes(error.code)) throw error
      const key = this.#source.describe(prepared.id)
      if (this.#settings.onError === 'throw') {
        const details = { ...error.details, key, sample: prepared.id, cause: error }
        const message = error.message.includes(key) ? error.message : `${key}: ${error.message}`
        throw new HeadraceError(error.code, message, { hint: "leave bad samples out with onError: 'skip' (--on-error skip)", ...details })
      }
      this.#skipped.push({ key, code: error.code, reason: withoutKey(error.message, key) })
    } else {
      this.#add(prepared)
    }
    // only now: a build that ends here must meet this sample again when it goes on
    this.#next = prepared.id + 1
    this.#rowsWaiting++
  }

  #add(prepared: PreparedSample & { kind: 'row' }): void {
    this.#columns.add(prepared.row)
    this.#samples++
    this.#sourceBytes += prepared.sourceBytes
    this.#storedNow += prepared.storedBytes
    for (const from of prepared.reencoded) this.#reencoded.set(from, (this.#reencoded.get(from) ?? 0) + 1)
    for (const [field, bytes] of prepared.sizes) if (bytes > (this.#largest.get(field) ?? 0)) this.#largest.set(field, bytes)
  }

  /** Starts to write what is in memory, once the write before it is through: two of them at most are in memory. */
  async #flush(): Promise<void> {
    await this.#flushing
    if (this.#rowsWaiting === 0) return
    this.#rowsWaiting = 0
    const record = {
      next: this.#next,
      samples: this.#samples,
      sourceBytes: this.#sourceBytes,
      largest: Object.fromEntries(this.#largest),
      reencoded: Object.fromEntries(this.#reencoded),
      skipped: this.#skipped.slice(this.#skippedInJournal),
    }
    this.#skippedInJournal = this.#skipped.length
    const written = this.#columns.flush().then(async (extents) => {
      await this.#journal?.append({ ...record, extents })
      this.#journalled = this.#journal !== undefined
    })
    this.#flushing = written
    // it is awaited later; until then its failure is not an unhandled one
    written.catch(() => undefined)
  }

  async #publish(): Promise<number> {
    const files = await this.#columns.finish(this.#samples)
    const text = Buffer.from(manifestText(this.#samples, this.#manifestFields(), files, this.#provenance()))
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
      const stored: ManifestField = { type: typeName(field), num_samples: this.#samples }
      if (filesOf(name, storageOf(field.kind)).data !== undefined && field.kind !== 'string')
        stored.max_size = Math.floor((this.#largest.get(name) ?? 0) * SIZE_ALLOWANCE)
      if (field.kind === 'image') stored.image_format = 'jpeg'
      return [name, stored] as const
    })
    return Object.fromEntries(entries)
  }

  #provenance(): Parameters<typeof manifestText>[3] {
    const { url, fingerprint, classes } = this.#source
    const reencoded = this.#sortedReencoded()
    return {
      encoding: this.#settings.encoding,
      source: { ...(url === undefined ? {} : { url }), ...(fingerprint === undefined ? {} : { fingerprint }) },
      options: contentOptions(this.#settings),
      ...(classes === undefined ? {} : { classes: [...classes] }),
      reencoded: Object.fromEntries(reencoded),
      ...(reencoded.length === 0 ? {} : { encoder: `sharp ${sharpVersion()}` }),
      skipped: this.#skipped.length,
    }
  }

  #sortedReencoded(): [string, number][] {
    return [...this.#reencoded].sort(([a], [b]) => (a < b ? -1 : 1))
  }

  #report(last: boolean): void {
    const { onProgress } = this.#settings
    if (!onProgress) return
    const now = performance.now()
    if (!last && now - this.#lastProgress < PROGRESS_MS) return
    this.#lastProgress = now
    const total = this.#source.length
    onProgress({
      images: this.#samples,
      ...(total === undefined ? {} : { total: total - this.#skipped.length }),
      bytes: this.#storedNow,
      seconds: (now - this.#started) / 1000,
    })
  }
}

/** A message that starts with the sample's path, without it: the report has the path beside it. */
function withoutKey(message: string, key: string): string {
  return message.startsWith(key) ? message.slice(key.length).replace(/^[:\s]+/, '') : message
}

function totalBytes(files: Extents): number {
  return Object.values(files).reduce((sum, { bytes }) => sum + bytes, 0)
}
