import { HeadraceError } from '../../errors.ts'
import type { HeaderFields } from '../http/types.ts'
import { keyIn, type ListPage } from '../remote/paged-list.ts'
import type { Checksum, ListEntry, ObjectInfo } from '../types.ts'

/** What the service says of objects, as JSON and in heads of downloads. Source: "Objects", Cloud Storage JSON API v1. */

/** The fields that are asked for; the rest would be most of an answer. */
export const OBJECT_FIELDS = 'name,size,generation,updated,crc32c,contentType,storageClass,metadata'

type Json = Readonly<Record<string, unknown>>

export function readJson(body: Uint8Array): Json {
  try {
    const document: unknown = JSON.parse(Buffer.from(body.buffer, body.byteOffset, body.length).toString('utf8'))
    if (typeof document === 'object' && document !== null && !Array.isArray(document)) return document as Json
  } catch (cause) {
    throw new HeadraceError('E_CORRUPT', 'the answer is not JSON', { cause })
  }
  throw new HeadraceError('E_CORRUPT', 'the answer is not a JSON object')
}

function crc32cOf(text: unknown): Checksum | undefined {
  const value = typeof text === 'string' ? Buffer.from(text, 'base64').toString('hex') : ''
  return value.length === 8 ? { algorithm: 'crc32c', value } : undefined
}

function corrupt(key: string, what: string): never {
  throw new HeadraceError('E_CORRUPT', `${key}: the answer has no ${what}`, { key })
}

/** To the second, which is what heads of downloads tell. */
function secondOf(text: unknown, key: string): number {
  const time = typeof text === 'string' ? Date.parse(text) : Number.NaN
  return Number.isNaN(time) ? corrupt(key, 'time of change') : Math.floor(time / 1000) * 1000
}

function sizeOf(value: unknown, key: string): number {
  const text = typeof value === 'number' ? String(value) : value
  return typeof text === 'string' && /^\d{1,16}$/.test(text) ? Number(text) : corrupt(key, 'size')
}

function generationOf(value: unknown, key: string): string {
  const text = typeof value === 'number' ? String(value) : value
  return typeof text === 'string' && /^\d{1,20}$/.test(text) ? text : corrupt(key, 'generation')
}

function metadataOf(value: unknown): Readonly<Record<string, string>> | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const pairs = Object.entries(value).filter((pair): pair is [string, string] => typeof pair[1] === 'string')
  return pairs.length === 0 ? undefined : Object.fromEntries(pairs.map(([name, text]) => [name.toLowerCase(), text]))
}

/** The etag of an object is its generation: that is what conditions are about. */
export function infoOfResource(key: string, resource: Json): ObjectInfo {
  const checksum = crc32cOf(resource.crc32c)
  const metadata = metadataOf(resource.metadata)
  return {
    key,
    size: sizeOf(resource.size, key),
    etag: generationOf(resource.generation, key),
    modified: secondOf(resource.updated, key),
    ...(checksum && { checksum }),
    ...(typeof resource.contentType === 'string' &&
      resource.contentType !== '' && { contentType: resource.contentType }),
    ...(typeof resource.storageClass === 'string' && { storageClass: resource.storageClass }),
    ...(metadata && { metadata }),
  }
}

/** Of a download's head. `size` is the whole object's, where the answer is of a range. */
export function infoOfHead(key: string, headers: HeaderFields, size?: number): ObjectInfo {
  const hashes = new Map(
    (headers['x-goog-hash'] ?? '').split(',').map((part) => {
      const at = part.indexOf('=')
      return [part.slice(0, at).trim(), part.slice(at + 1).trim()] as const
    }),
  )
  const checksum = crc32cOf(hashes.get('crc32c'))
  return {
    key,
    size: size ?? sizeOf(headers['content-length'], key),
    etag: generationOf(headers['x-goog-generation'], key),
    modified: secondOf(headers['last-modified'], key),
    ...(checksum && { checksum }),
    ...(headers['content-type'] !== undefined && { contentType: headers['content-type'] }),
    ...(headers['x-goog-storage-class'] !== undefined && { storageClass: headers['x-goog-storage-class'] }),
  }
}

/** A page of objects.list. `root`: what stands before every key. */
export function readObjectPage(body: Uint8Array, root: string): ListPage {
  const { items = [], prefixes = [], nextPageToken } = readJson(body)
  if (!Array.isArray(items) || !Array.isArray(prefixes)) throw new HeadraceError('E_CORRUPT', 'the list is not a list')
  const entries: ListEntry[] = []
  for (const item of items) {
    const { name } = item as { name?: unknown }
    if (typeof name !== 'string' || name === '')
      throw new HeadraceError('E_CORRUPT', 'the list has an entry without a name')
    const key = keyIn(root, name)
    if (key) entries.push({ kind: 'object', ...infoOfResource(key, item as Json) })
  }
  for (const each of prefixes) {
    const prefix = typeof each === 'string' ? keyIn(root, each) : undefined
    if (prefix) entries.push({ kind: 'prefix', prefix })
  }
  return { entries, token: typeof nextPageToken === 'string' && nextPageToken !== '' ? nextPageToken : undefined }
}
