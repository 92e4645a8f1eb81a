import { realpath, rmdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { HeadraceError } from '../../errors.ts'
import { ChangedDirectories } from '../file/durable.ts'
import type { Side } from './place.ts'
import { directoryOf } from './source.ts'

/** What S3 takes in one request. */
const KEYS_TOGETHER = 1000
/** Requests under way at once: enough that listing is what takes the time. */
const BATCHES_AT_ONCE = 4
/** Milliseconds that a key waits for others: an original that has been copied may be written anew meanwhile. */
const LONGEST_WAIT = 1000

export interface DeletionEvents {
  readonly onDeleted: (name: string) => void
  /** Throws where the whole deletion is to end. */
  readonly onFailure: (name: string, error: unknown) => void
  /** Before some keys are deleted: what takes their place must last by then. That they have gone is made to last, too. */
  readonly beforeDeleting?: () => Promise<void>
}

/** Which directories a folder's files really lie in: what is reached through a link belongs to another place. */
class Links {
  readonly #folder: string
  #real: Promise<string> | undefined
  #last = ''
  #inside = true

  constructor(folder: string) {
    this.#folder = folder
  }

  async isBehindLink(path: string): Promise<boolean> {
    const directory = dirname(path)
    if (directory === this.#last) return !this.#inside
    this.#real ??= realpath(this.#folder)
    const [folder, real] = await Promise.all([this.#real, realpath(directory).catch(() => undefined)])
    this.#last = directory
    this.#inside = real === undefined || real === folder + directory.slice(this.#folder.length)
    return !this.#inside
  }
}

/**
 * Deletes keys of a folder in batches while more are coming. In a local folder, files that are reached through a link
 * to a directory stay, which is a failure of theirs; directories that become empty go.
 */
export class Deletion {
  readonly #side: Side
  readonly #events: DeletionEvents
  readonly #signal: AbortSignal | undefined
  readonly #folder: string | undefined
  readonly #links: Links | undefined
  readonly #keepsFolder: boolean
  readonly #emptied = new ChangedDirectories()
  #keys: string[] = []
  readonly #batches = new Set<Promise<void>>()
  #failure: { readonly error: unknown } | undefined
  #timer: NodeJS.Timeout | undefined

  /** `keepsFolder`: of a local store, also where all that was in it has gone. */
  constructor(side: Side, prefix: string, keepsFolder: boolean, events: DeletionEvents, signal?: AbortSignal) {
    this.#side = side
    this.#events = events
    this.#signal = signal
    this.#folder = directoryOf(side, prefix)
    this.#links = this.#folder === undefined ? undefined : new Links(this.#folder)
    this.#keepsFolder = keepsFolder
  }

  /** Waits where too many are on their way. Throws what ended the deletion. */
  async add(key: string): Promise<void> {
    this.#keys.push(key)
    if (this.#keys.length < KEYS_TOGETHER) {
      this.#timer ??= setTimeout(() => this.#start(), LONGEST_WAIT)
      return
    }
    while (this.#batches.size >= BATCHES_AT_ONCE) await Promise.race(this.#batches)
    if (this.#failure !== undefined) throw this.#failure.error
    this.#start()
  }

  /** Deletes what is left, and waits for all of it. */
  async end(): Promise<void> {
    this.#start()
    await this.settle()
    if (this.#failure !== undefined) throw this.#failure.error
  }

  /** Waits for what is under way, and starts nothing. */
  async settle(): Promise<void> {
    clearTimeout(this.#timer)
    while (this.#batches.size > 0) await Promise.all(this.#batches)
  }

  #start(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const keys = this.#keys
    if (keys.length === 0) return
    this.#keys = []
    const batch = this.#delete(keys)
      .catch((error: unknown) => {
        this.#failure ??= { error }
      })
      .finally(() => this.#batches.delete(batch))
    this.#batches.add(batch)
  }

  async #delete(keys: readonly string[]): Promise<void> {
    const { store, name } = this.#side
    const mine = this.#links === undefined ? keys : await this.#notBehindLinks(keys)
    const deleted: string[] = []
    await this.#events.beforeDeleting?.()
    for await (const { key, error } of store.delete(mine, this.#signal ? { signal: this.#signal } : {})) {
      if (error !== undefined) this.#events.onFailure(name(key), error)
      else {
        this.#events.onDeleted(name(key))
        if (this.#folder !== undefined) deleted.push(key)
      }
    }
    await this.#removeEmptied(deleted)
    if (this.#events.beforeDeleting !== undefined) await this.#syncEmptied(deleted)
  }

  async #notBehindLinks(keys: readonly string[]): Promise<string[]> {
    const mine: string[] = []
    for (const key of keys) {
      const path = this.#side.localPath?.(key)
      if (path === undefined || !(await this.#links?.isBehindLink(path))) mine.push(key)
      else this.#events.onFailure(this.#side.name(key), behindLink(this.#side.name(key), key))
    }
    return mine
  }

  async #syncEmptied(keys: readonly string[]): Promise<void> {
    for (const key of keys) this.#emptied.add(this.#side.localPath?.(key) ?? key)
    await this.#emptied.sync()
  }

  async #removeEmptied(keys: readonly string[]): Promise<void> {
    const folder = this.#folder
    if (folder === undefined) return
    const directories = new Set(keys.map((key) => dirname(this.#side.localPath?.(key) ?? folder)))
    for (const directory of directories) {
      for (let path = directory; path.startsWith(folder); path = dirname(path)) {
        if (path === folder && this.#keepsFolder) break
        if (!(await removed(path)) || path === '/') break
      }
    }
  }
}

function behindLink(name: string, key: string): HeadraceError {
  return new HeadraceError('E_UNSUPPORTED', `${name} is reached through a link, and stays`, {
    url: name,
    key,
    hint: 'delete the link, or what it leads to by its own path',
  })
}

/** false where it is not empty, or may not be removed: it stays then, which harms nobody. */
async function removed(path: string): Promise<boolean> {
  try {
    await rmdir(path)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT'
  }
}
