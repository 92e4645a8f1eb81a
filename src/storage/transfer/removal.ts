import type { Dirent } from 'node:fs'
import { lstat, readdir, rmdir, unlink } from 'node:fs/promises'
import { fromSystemError, HeadraceError, throwIfAborted } from '../../errors.ts'
import { isAbsent } from '../file/descriptor.ts'
import { Deletion } from './deletion.ts'
import type { Filter } from './filter.ts'
import type { Side } from './place.ts'
import type { RemoveSettings } from './settings.ts'
import { directoryOf, type Found } from './source.ts'
import { itemsOf } from './steps.ts'
import type { Tally } from './tally.ts'

/** Unlinked together: enough to keep libuv's thread pool busy. */
const TOGETHER = 64

type Folder = Found & { readonly kind: 'folder' }

/** E_USAGE for the root of a file system, and for a whole store unless that is meant. */
export function checkMeant(found: Found, { force, dryRun }: RemoveSettings): void {
  if (found.kind === 'object' || found.prefix !== '' || dryRun) return
  const { side } = found
  const name = side.name('')
  if (directoryOf(side, '') === '/')
    throw new HeadraceError('E_USAGE', `${name} is the root of a file system: it is not deleted`, { url: name })
  if (!force)
    throw new HeadraceError('E_USAGE', `${name} is a whole bucket: nothing is deleted`, {
      url: name,
      hint: 'force: true empties it',
    })
}

/** Removes a local folder as it lies there: links themselves, not what they lead to, and what is no object, too. */
class LocalTree {
  readonly #side: Side
  readonly #filter: Filter
  readonly #settings: RemoveSettings
  readonly #tally: Tally
  readonly #root: string
  readonly #prefix: string

  constructor({ side, prefix }: Folder, root: string, settings: RemoveSettings, tally: Tally) {
    this.#side = side
    this.#filter = settings.filter
    this.#settings = settings
    this.#tally = tally
    this.#root = root
    this.#prefix = prefix
  }

  async removeAll(): Promise<void> {
    const isLink = await this.#attempt('', async () => (await lstat(this.#root)).isSymbolicLink())
    await (isLink === true ? this.#unlink('') : this.#remove(''))
  }

  /** `relative`: '' or 'a/b/'. */
  async #remove(relative: string): Promise<void> {
    const path = relative === '' ? this.#root : `${this.#root}/${relative.slice(0, -1)}`
    const entries = await this.#attempt(relative, () => readdir(path, { withFileTypes: true }))
    const files: Dirent[] = []
    for (const entry of entries ?? []) {
      if (entry.isDirectory()) await this.#remove(`${relative}${entry.name}/`)
      else if (this.#filter(relative + entry.name)) files.push(entry)
    }
    for (let start = 0; start < files.length; start += TOGETHER) {
      throwIfAborted(this.#settings.signal, 'the deletion')
      await Promise.all(files.slice(start, start + TOGETHER).map(({ name }) => this.#unlink(relative + name)))
    }
    if (!this.#settings.dryRun) await this.#attempt(relative, () => removeEmpty(path))
  }

  async #unlink(relative: string): Promise<void> {
    const { dryRun } = this.#settings
    this.#tally.listed(0)
    const unlinked = async () => {
      await unlink(relative === '' ? this.#root : `${this.#root}/${relative}`)
      return true
    }
    const gone = dryRun || (await this.#attempt(relative, unlinked))
    if (gone === true) this.#tally.done({ action: 'delete', url: this.#side.name(this.#prefix + relative) })
  }

  async #attempt<T>(relative: string, step: () => Promise<T>): Promise<T | undefined> {
    try {
      return await step()
    } catch (error) {
      if (isAbsent(error)) return undefined
      const name = this.#side.name(this.#prefix + relative)
      this.#tally.failed(name, fromSystemError(error, `cannot delete ${name}`, { url: name }))
      return undefined
    }
  }
}

/** One that is not empty holds what was to stay, or what has failed and says so itself. */
async function removeEmpty(path: string): Promise<void> {
  try {
    await rmdir(path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error
  }
}

/** Deletes an object or a folder. */
export async function remove(found: Found, settings: RemoveSettings, tally: Tally): Promise<void> {
  const { filter, dryRun, signal } = settings
  const { side } = found
  if (found.kind === 'folder') {
    const path = directoryOf(side, found.prefix)
    if (path !== undefined) return new LocalTree(found, path, settings, tally).removeAll()
  }
  const prefix = found.kind === 'folder' ? found.prefix : found.info.key.slice(0, -found.relative.length)
  const onDeleted = (url: string) => tally.done({ action: 'delete', url })
  const onFailure = (url: string, error: unknown) => tally.failed(url, error)
  const deletion = new Deletion(side, prefix, true, { onDeleted, onFailure }, signal)
  try {
    for await (const item of itemsOf(found, filter, signal)) {
      if (item.kind !== 'object') continue
      tally.listed(0)
      if (dryRun) onDeleted(side.name(item.info.key))
      else await deletion.add(item.info.key)
    }
    await deletion.end()
  } finally {
    await deletion.settle()
  }
}
