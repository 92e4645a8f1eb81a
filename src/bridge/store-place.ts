import { knownOptions } from '../checks.ts'
import { HeadraceError } from '../errors.ts'
import type { Store, StoreOptions } from '../storage/index.ts'
import { isAccount, locate } from '../storage/open.ts'
import { schemeOf } from '../storage/url.ts'
import { type Fields, optionalText, textField } from './store-fields.ts'
import type { StoreTable } from './store-table.ts'

/** Options of stores by scheme: `{ s3: { region: 'us-east-1' } }`. */
export type OptionsByScheme = Readonly<Record<string, StoreOptions>>

const SCHEMES = ['file', 'direct', 'mem', 'null', 's3', 'az', 'gs'] as const

/** E_USAGE unless it is a table of options by scheme. What the options themselves must be, their store says. */
export function optionsByScheme(value: unknown): OptionsByScheme {
  if (value === undefined) return {}
  const given = typeof value === 'object' && value !== null ? (value as Fields) : undefined
  if (given === undefined) throw new HeadraceError('E_USAGE', 'options must be a table of options by scheme')
  knownOptions('a store connection', given, SCHEMES)
  for (const [scheme, options] of Object.entries(given)) {
    // Nothing is quoted: credentials may be among them.
    if (typeof options !== 'object' || options === null || Array.isArray(options))
      throw new HeadraceError('E_USAGE', `options of ${scheme} must be a table`)
  }
  return given as OptionsByScheme
}

export interface OpenPlace {
  readonly store: Store
  /** '' for the container itself. */
  readonly key: string
  /** The URL can only be that of a folder. */
  readonly isFolder: boolean
}

/** The stores of one connection: opened when a request names them, left when it ends. */
export class StorePlaces {
  readonly #table: StoreTable
  readonly #options: OptionsByScheme
  readonly #used = new Map<
    string,
    { readonly root: string; readonly options: StoreOptions; readonly store: Promise<Store> }
  >()

  constructor(table: StoreTable, options: OptionsByScheme) {
    this.#table = table
    this.#options = options
  }

  /**
   * Of a request: `url` is read as everywhere, `container` with the field `key` takes the key as it is, whatever letters
   * it has. E_USAGE.
   */
  async at(fields: Fields, key = 'key'): Promise<OpenPlace> {
    const container = optionalText(fields, 'container')
    if (container === undefined) {
      const place = locate(textField(fields, 'url'))
      return { store: await this.#open(place.root, place.options), key: place.key, isFolder: place.isFolder }
    }
    const { root, options, key: rest } = locate(container)
    if (rest !== '')
      throw new HeadraceError('E_USAGE', `container must be a bucket, but got ${JSON.stringify(container)}`)
    return { store: await this.#open(root, options), key: optionalText(fields, key) ?? '', isFolder: false }
  }

  /** Of a URL that may stop short of a bucket. */
  async account(fields: Fields): Promise<Store> {
    const url = textField(fields, 'url')
    return isAccount(url) ? this.#open(url, {}) : (await this.at(fields)).store
  }

  leave(): void {
    for (const { root, options } of this.#used.values()) this.#table.release(root, options)
    this.#used.clear()
  }

  #open(root: string, query: StoreOptions): Promise<Store> {
    const options = { ...this.#options[schemeOf(root) ?? 'file'], ...query }
    const name = JSON.stringify([root, query])
    const used = this.#used.get(name)
    if (used !== undefined) return used.store
    const store = this.#table.use(root, options)
    this.#used.set(name, { root, options, store })
    store.catch(() => {
      if (this.#used.delete(name)) this.#table.release(root, options)
    })
    return store
  }
}
