import { resolve } from 'node:path'
import { show } from '../../checks.ts'
import { HeadraceError } from '../../errors.ts'
import { checkKey } from '../keys.ts'
import { knowsOption, locate, openStore } from '../open.ts'
import type { OpSink } from '../oplog/types.ts'
import type { Store } from '../types.ts'
import { type StoreOptions, schemeOf } from '../url.ts'
import { measured } from '../wrappers/measured.ts'
import type { Place } from './types.ts'

/** A store, and what to call the objects in it. */
export interface Side {
  readonly store: Store
  /** For messages and reports: a URL, or the path as it was given. */
  readonly name: (key: string) => string
  /** The file behind a key, where objects are files here. E_USAGE for a key that cannot be one. */
  readonly localPath: ((key: string) => string) | undefined
}

export interface OpenPlace extends Side {
  readonly key: string
  /** It can only be a folder: it ends with `/`, or is the root. */
  readonly isFolder: boolean
}

/** Of wrapped stores the URL tells: some wrappers let nobody pass them by. */
function localPathOf(store: Store): Side['localPath'] {
  if (store.localPath !== undefined) return (key) => store.localPath?.(key) ?? key
  const [, root] = /^(?:file|direct):\/\/(.*)$/s.exec(store.url) ?? []
  if (root === undefined) return undefined
  return (key) => {
    checkKey(key)
    return `${root.replace(/\/$/, '')}/${key}`
  }
}

export function sideOf({ store, name, localPath }: Side): Side {
  return { store, name, localPath }
}

/** What the keys of a folder begin with. */
export function folderPrefix({ key }: Pick<OpenPlace, 'key'>): string {
  return key === '' || key.endsWith('/') ? key : `${key}/`
}

/** 'photos' + 'tmp/photos/a.jpg' is 'photos/a.jpg': a path is told as it was given. */
function namedAs(text: string, folder: string): (key: string) => string {
  return (key) => {
    if (key === folder) return text
    if (folder !== '' && !key.startsWith(`${folder}/`)) return resolve('/', key)
    return `${text.replace(/\/+$/, '')}/${folder === '' ? key : key.slice(folder.length + 1)}`
  }
}

/** Opens the stores that a command needs, each once. */
export class OpenStores {
  readonly #options: StoreOptions
  readonly #opLog: OpSink | undefined
  readonly #opened = new Map<string, Promise<Store>>()

  /** `options` for the stores that know them; `opLog` gets every operation. */
  constructor(options: StoreOptions = {}, opLog?: OpSink) {
    this.#options = options
    this.#opLog = opLog
  }

  async at(place: Place): Promise<OpenPlace> {
    if (typeof place === 'string') return this.#locate(place)
    if (typeof place !== 'object' || place === null || typeof place.key !== 'string')
      throw new HeadraceError('E_USAGE', `a place must be a URL, a path or a store and a key, but got ${show(place)}`)
    const { store, key } = place
    const isFolder = key === '' || key.endsWith('/')
    const name = (each: string) => `${store.url.replace(/\/$/, '')}/${each}`
    return { store, name, localPath: localPathOf(store), key, isFolder }
  }

  async close(): Promise<void> {
    const stores = await Promise.allSettled(this.#opened.values())
    await Promise.all(stores.map((opened) => (opened.status === 'fulfilled' ? opened.value.close() : undefined)))
  }

  async #locate(text: string): Promise<OpenPlace> {
    const { root, options, key, isFolder, prefix } = locate(text)
    const name = schemeOf(text) === undefined ? namedAs(text, key) : (each: string) => prefix + each
    const known = Object.entries(this.#options).filter(([option]) => knowsOption(root, option))
    const all = { ...Object.fromEntries(known), ...options }
    const id = JSON.stringify([root, Object.entries(all).sort()])
    const opening = this.#opened.get(id) ?? this.#open(root, all)
    this.#opened.set(id, opening)
    const store = await opening
    return { store, name, localPath: localPathOf(store), key, isFolder }
  }

  async #open(root: string, options: StoreOptions): Promise<Store> {
    const store = await openStore(root, options)
    return this.#opLog === undefined ? store : measured(store, this.#opLog)
  }
}
