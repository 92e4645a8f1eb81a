import { resolve } from 'node:path'
import { openStore } from '../../../storage/open.ts'
import { keepSecrets } from '../../../storage/secrets.ts'
import { openStoreSpec } from '../../../storage/spec.ts'
import type { Store } from '../../../storage/types.ts'
import type { StoreOptions } from '../../../storage/url.ts'
import type { ResolvedConfig } from '../types.ts'
import type { RankContext } from './context.ts'

/** What a config says of its object store, for URLs of one. */
export function optionsFor(url: string, { storageOptions }: ResolvedConfig): StoreOptions {
  return /^(?:s3|az|gs):/i.test(url) ? storageOptions : {}
}

/** The store of the data set; where the config says `odirect`, around the page cache. */
export async function openData({ workload, config, store }: RankContext): Promise<Store> {
  if (store !== undefined) {
    const { spec, secrets } = store
    const opened = await openStoreSpec({ ...spec, options: { ...spec.options, ...secrets } })
    keepSecrets(opened.spec, secrets)
    return opened
  }
  const { url } = workload.data
  return openStore(workload.reader.odirect ? aroundPageCache(url) : url, optionsFor(url, config))
}

/** Of a folder on this machine; other stores have no page cache here. */
function aroundPageCache(url: string): string {
  if (/^file:/i.test(url)) return url.replace(/^file:/i, 'direct:')
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(url) ? url : `direct://${resolve(url)}`
}
