import { HeadraceError, throwIfAborted } from '../../errors.ts'
import { ChangedDirectories } from '../file/durable.ts'
import type { ObjectInfo } from '../types.ts'
import { contentsAgree } from './comparison.ts'
import { Deletion } from './deletion.ts'
import type { Destination } from './destination.ts'
import { ahead, inLanes } from './lanes.ts'
import { Copier } from './object-copy.ts'
import type { Side } from './place.ts'
import type { MovingSettings } from './settings.ts'
import type { Found } from './source.ts'
import type { Step } from './steps.ts'
import { Tally } from './tally.ts'
import type { TransferReport } from './types.ts'

/** Steps that are planned ahead of what is under way: so far ahead, totals are known. About 300 bytes each. */
const PLANNED_AHEAD = 10_000

type CopyStep = Step & { readonly kind: 'copy' }

/**
 * E_STATE unless the copy is there as it was written and the source is still what was read. Two stores may be one server
 * under two names: what has one name, etag and time in both may be one object.
 */
async function verify(source: Side, from: ObjectInfo, side: Side, to: ObjectInfo, signal?: AbortSignal): Promise<void> {
  const options = signal ? { signal } : {}
  const [copy, original] = await Promise.all([side.store.head(to.key, options), source.store.head(from.key, options)])
  const name = source.name(from.key)
  const stays = (why: string) => new HeadraceError('E_STATE', `${name} stays: ${why}`, { url: name, key: from.key })
  if (copy === undefined || copy.etag !== to.etag || copy.size !== from.size)
    throw stays(`its copy ${side.name(to.key)} is not what was written`)
  if (original === undefined || original.etag !== from.etag) throw stays('it has changed while it was copied')
  if (source.store !== side.store && name === side.name(to.key) && isSame(original, copy))
    throw stays('it cannot be told from its copy, so that both may be one')
}

function isSame(a: ObjectInfo, b: ObjectInfo): boolean {
  return a.etag === b.etag && a.modified === b.modified
}

/** Carries out plans of copies, and of deletions at the destination. Steps run side by side, in no order. */
export class TransferRun {
  readonly tally: Tally
  readonly #destination: Destination
  readonly #settings: MovingSettings
  readonly #copier: Copier
  readonly #deletions = new Map<Side, Deletion>()
  /** Of the destination, with copies whose originals are deleted. */
  readonly #written = new ChangedDirectories()

  constructor(destination: Destination, settings: MovingSettings) {
    this.#destination = destination
    this.#settings = settings
    this.tally = new Tally(settings.events)
    const { partSize, windowBytes, resume, signal } = settings
    const onBytes = (count: number) => this.tally.written(count)
    this.#copier = new Copier({ partSize, windowBytes, resume, onBytes, ...(signal && { signal }) })
    const onDeleted = (url: string) => this.tally.done({ action: 'delete', url })
    this.#deletions.set(destination, this.#deletion(destination, destination.prefix ?? '', true, onDeleted))
  }

  /** What is copied from there is deleted there, once the copy is verified. */
  moveFrom({ side, ...found }: Found): void {
    const prefix = found.kind === 'folder' ? found.prefix : found.info.key.slice(0, -found.relative.length)
    const keepsFolder = found.kind === 'object'
    this.#deletions.set(
      side,
      this.#deletion(
        side,
        prefix,
        keepsFolder,
        (url) => this.tally.moved(url),
        () => this.#written.sync(),
      ),
    )
  }

  async carryOut(steps: AsyncIterable<Step>): Promise<TransferReport> {
    const deletions = [...this.#deletions.values()]
    try {
      await inLanes(ahead(this.#counted(steps), PLANNED_AHEAD), this.#settings.jobs, (step) => this.#take(step))
      for (const deletion of deletions) await deletion.end()
    } finally {
      for (const deletion of deletions) await deletion.settle()
    }
    return this.tally.report()
  }

  #deletion(
    side: Side,
    prefix: string,
    keepsFolder: boolean,
    onDeleted: (url: string) => void,
    beforeDeleting?: () => Promise<void>,
  ): Deletion {
    const onFailure = (url: string, error: unknown) => this.tally.failed(url, error)
    const events = { onDeleted, onFailure, ...(beforeDeleting && { beforeDeleting }) }
    return new Deletion(side, prefix, keepsFolder, events, this.#settings.signal)
  }

  async *#counted(steps: AsyncIterable<Step>): AsyncGenerator<Step> {
    for await (const step of steps) {
      this.tally.listed(step.kind === 'copy' ? step.from.size : 0)
      yield step
    }
    this.tally.allListed()
  }

  /** Unless the destination is a store that leaves it to the system when its files get to the device. */
  get #forced(): boolean {
    return this.#destination.store.spec.options?.sync !== 'never'
  }

  async #take(step: Step): Promise<void> {
    throwIfAborted(this.#settings.signal, 'the transfer')
    if (step.kind === 'copy') return this.#copy(step)
    if (step.kind === 'fail') return this.tally.failed(step.name, step.error)
    if (step.kind === 'skip') return this.tally.done({ action: 'skip', url: step.name, reason: step.reason })
    const url = this.#destination.name(step.key)
    if (this.#settings.dryRun) return this.tally.done({ action: 'delete', url })
    await this.#deletions.get(this.#destination)?.add(step.key)
  }

  async #isThere({ source, from, unless }: CopyStep): Promise<boolean> {
    if (unless === undefined) return false
    const { there, otherwise } = unless
    const agree = await contentsAgree([source, from], [this.#destination, there], this.#settings.signal)
    return agree ?? otherwise === 'skip'
  }

  async #copy(step: CopyStep): Promise<void> {
    const { source, from, to } = step
    const { dryRun, signal } = this.#settings
    const url = source.name(from.key)
    const moving = this.#deletions.get(source)
    try {
      if (await this.#isThere(step)) return this.tally.done({ action: 'skip', url, reason: 'is the same' })
      const copy = { action: 'copy', from: url, to: this.#destination.name(to), size: from.size } as const
      if (dryRun) return this.tally.done(copy)
      const copied = await this.#copier.copy(source, from, this.#destination, to)
      if (moving !== undefined) {
        await verify(source, copied.from, this.#destination, copied.to, signal)
        if (this.#forced && this.#destination.localPath !== undefined)
          this.#written.add(this.#destination.localPath(to))
      }
      this.tally.done({ ...copy, size: copied.to.size })
    } catch (error) {
      return this.tally.failed(url, error)
    }
    await moving?.add(from.key)
  }
}
