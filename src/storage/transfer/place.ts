import { resolve } from 'node:path'
import { show } from '../../checks.ts'
import { HeadraceError } from '../../errors.ts'
import { knowsOption, locate, openStore } from '../open.ts'
import type { Store } from '../types.ts'
import { type StoreOptions, schemeOf } from '../url.ts'
import type { Place } from './types.ts'

/** A store, and what to call the objects in it. */
export interface Side {
  readonly store: Store
  /** For messages and reports: a URL, or the path as it was given. */
  name(key: string): string
}

export interface OpenPlace extends Side {
  readonly key: string
  /** It can only be a folder: it ends with `/`, or is the root. */
  readonly isFolder: boolean
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
  readonly #opened = new Map<string, Promise<Store>>()

  /** Options for the stores that know them. */
  constructor(options: StoreOptions = {}) {
    this.#options = options
  }

  async at(place: Place): Promise<OpenPlace> {
    if (typeof place === 'string') return this.#locate(place)
    if (typeof place !== 'object' || place === null || typeof place.key !== 'string')
      throw new HeadraceError('E_USAGE', `a place must be a URL, a path or a store and a key, but got ${show(place)}`)
    const { store, key } = place
    const isFolder = key === '' || key.endsWith('/')
    return { store, key, isFolder, name: (each) => `${store.url.replace(/\/$/, '')}/${each}` }
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
    const opening = this.#opened.get(id) ?? openStore(root, all)
    this.#opened.set(id, opening)
    return { store: await opening, key, isFolder, name }
  }
}
