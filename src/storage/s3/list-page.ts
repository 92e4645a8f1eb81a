import { HeadraceError } from '../../errors.ts'
import { compareKeys } from '../keys.ts'
import { decodeListed } from '../remote/encoding.ts'
import { scanXml } from '../remote/xml.ts'
import type { ListEntry, ObjectInfo } from '../types.ts'
import { etagOf } from './object-headers.ts'

/** An answer to ListObjectsV2. */
export interface ListPage {
  /** Whole keys, in the order of their UTF-8 bytes. */
  readonly entries: readonly ListEntry[]
  /** Where the next page begins; undefined: this is the last one. */
  readonly token: string | undefined
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

/** Whole seconds, which is all that the answers to HEAD and GET say: one object has one time. */
function secondOf(text: string): number {
  const time = Date.parse(text)
  return Number.isNaN(time) ? 0 : Math.floor(time / 1000) * 1000
}

function blank(): Mutable<ObjectInfo> & { kind: 'object' } {
  return { kind: 'object', key: '', size: Number.NaN, etag: '', modified: 0 }
}

function nameOf(entry: ListEntry): string {
  return entry.kind === 'object' ? entry.key : entry.prefix
}

/** E_CORRUPT where the answer is not a whole page of a list. */
export function readListPage(body: Uint8Array): ListPage {
  const objects: (Mutable<ObjectInfo> & { kind: 'object' })[] = []
  const prefixes: { kind: 'prefix'; prefix: string }[] = []
  let object = blank()
  let rolled: string | undefined
  let inPrefixes = false
  let truncated = false
  let encoded = false
  let token: string | undefined
  let root = ''
  let lastTime = ''
  let lastModified = 0
  scanXml(body, {
    open: (name) => {
      root ||= name
      if (name === 'Contents') object = blank()
      else if (name === 'CommonPrefixes') inPrefixes = true
    },
    close: (name, text) => {
      switch (name) {
        case 'Key':
          object.key = text
          break
        case 'LastModified':
          if (text !== lastTime) {
            lastTime = text
            lastModified = secondOf(text)
          }
          object.modified = lastModified
          break
        case 'ETag':
          object.etag = etagOf(text)
          break
        case 'Size':
          object.size = Number(text)
          break
        case 'StorageClass':
          if (text !== 'STANDARD' && text !== '') object.storageClass = text
          break
        case 'Contents':
          objects.push(object)
          break
        case 'Prefix':
          if (inPrefixes) rolled = text
          break
        case 'CommonPrefixes':
          inPrefixes = false
          if (rolled !== undefined) prefixes.push({ kind: 'prefix', prefix: rolled })
          break
        case 'IsTruncated':
          truncated = text.trim() === 'true'
          break
        case 'NextContinuationToken':
          token = text
          break
        case 'EncodingType':
          encoded = text.trim() === 'url'
          break
      }
    },
  })
  if (root !== 'ListBucketResult') throw corrupt(`its root is ${root}, not ListBucketResult`)
  if (truncated && !token) throw corrupt('it is not the last page, and does not say where the next one begins')
  for (const each of objects) {
    if (encoded) each.key = decoded(each.key)
    if (each.key === '' || !Number.isSafeInteger(each.size) || each.size < 0)
      throw corrupt('an object of it has no key or size')
  }
  if (encoded) for (const each of prefixes) each.prefix = decoded(each.prefix)
  return { entries: inOrder(objects, prefixes), token: truncated ? token : undefined }
}

function corrupt(reason: string): HeadraceError {
  return new HeadraceError('E_CORRUPT', `the answer is not a page of a list: ${reason}`)
}

function decoded(text: string): string {
  try {
    return decodeListed(text)
  } catch {
    throw corrupt('a key of it is not valid UTF-8')
  }
}

/** Objects and prefixes come apart, each in order. Some servers order a page by something else than its bytes. */
function inOrder(objects: readonly ListEntry[], prefixes: readonly ListEntry[]): readonly ListEntry[] {
  const all = prefixes.length === 0 ? objects : objects.length === 0 ? prefixes : [...objects, ...prefixes]
  for (let i = 1; i < all.length; i++) {
    const [before, after] = [all[i - 1], all[i]]
    if (before !== undefined && after !== undefined && compareKeys(nameOf(before), nameOf(after)) > 0)
      return [...all].sort((a, b) => compareKeys(nameOf(a), nameOf(b)))
  }
  return all
}
