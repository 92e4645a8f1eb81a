import { pathToFileURL } from 'node:url'
import { knownOptions, show } from '../checks.ts'
import { HeadraceError } from '../errors.ts'
import type { Dataset } from './types.ts'

export interface FromModuleOptions {
  /** The name of what the module exports. 'default'. */
  readonly name?: string
  /** What that is called with: plain data. */
  readonly options?: unknown
}

/**
 * A dataset of your own, of a module that worker threads can load too: its exported function is called with `options` and
 * gives the dataset. `url`: a `file:` URL or an absolute path.
 */
export async function fromModule(url: string | URL, options: FromModuleOptions = {}): Promise<Dataset> {
  knownOptions('fromModule', options, ['name', 'options'])
  const { name = 'default', options: given } = options
  const href = typeof url === 'string' && !url.includes(':') ? pathToFileURL(url).href : String(url)
  if (!href.startsWith('file:'))
    throw new HeadraceError('E_USAGE', `url must be a file: URL or a path, but got ${show(href)}`, { url: href })
  const module = (await import(href)) as Record<string, unknown>
  const open = module[name]
  if (typeof open !== 'function')
    throw new HeadraceError('E_USAGE', `${href} must export a function ${name}, but that is ${show(open)}`, {
      url: href,
    })
  const dataset = (await open(given)) as Dataset
  const spec = {
    kind: 'module',
    url: href,
    ...(name !== 'default' && { name }),
    ...(given !== undefined && { options: given }),
  }
  // Methods of a class are not its own properties, so it cannot be spread.
  return new Proxy(dataset, { get: (target, key) => (key === 'spec' ? spec : bound(target, key)) })
}

function bound(dataset: Dataset, key: string | symbol): unknown {
  const value: unknown = Reflect.get(dataset, key, dataset)
  return typeof value === 'function' ? value.bind(dataset) : value
}
