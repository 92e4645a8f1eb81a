import { HeadraceError } from '../../errors.ts'
import type { HeaderFields } from '../http/types.ts'

import { keyIn, type ListPage } from '../remote/paged-list.ts'
import { childrenOf, childText, readXml, type XmlElement } from '../remote/xml.ts'
import type { Checksum, ListEntry, ObjectInfo } from '../types.ts'

/** What the service says of blobs, in heads of answers and in lists. */

const METADATA = 'x-ms-meta-'

function md5Of(text: string | undefined): Checksum | undefined {
  const value = text === undefined ? '' : Buffer.from(text, 'base64').toString('hex')
  return value.length === 32 ? { algorithm: 'md5', value } : undefined
}

function timeOf(text: string | undefined, key: string): number {
  const time = Date.parse(text ?? '')
  if (!Number.isNaN(time)) return time
  throw new HeadraceError('E_CORRUPT', `${key}: the answer has no time of change`, { key })
}

function sizeOf(text: string | undefined, key: string): number {
  if (text !== undefined && /^\d{1,16}$/.test(text)) return Number(text)
  throw new HeadraceError('E_CORRUPT', `${key}: the answer has no size`, { key })
}

/** `size` is the whole blob's, where the answer is of a range. */
export function infoOfHead(key: string, headers: HeaderFields, size?: number): ObjectInfo {
  const checksum = md5Of(headers['x-ms-blob-content-md5'] ?? headers['content-md5'])
  const metadata: Record<string, string> = {}
  for (const name of Object.keys(headers))
    if (name.startsWith(METADATA)) metadata[name.slice(METADATA.length)] = headers[name] ?? ''
  return {
    key,
    size: size ?? sizeOf(headers['content-length'], key),
    etag: headers.etag ?? '',
    modified: timeOf(headers['last-modified'], key),
    ...(checksum && { checksum }),
    ...(headers['content-type'] !== undefined && { contentType: headers['content-type'] }),
    ...(headers['x-ms-access-tier'] !== undefined && { storageClass: headers['x-ms-access-tier'] }),
    ...(Object.keys(metadata).length > 0 && { metadata }),
  }
}

/** Names that XML cannot hold come percent-encoded. */
function nameOf(element: XmlElement): string {
  const name = element.children.find((child) => child.name === 'Name')
  if (name === undefined || name.text === '')
    throw new HeadraceError('E_CORRUPT', 'the list has an entry without a name')
  return name.text
}

function properties(blob: XmlElement): (name: string) => string | undefined {
  const found = blob.children.find((child) => child.name === 'Properties')
  return (name) => (found === undefined ? undefined : childText(found, name))
}

/** A page of "List Blobs". `root`: what stands before every key. */
export function readBlobPage(body: Uint8Array, root: string): ListPage {
  const document = readXml(body, 'EnumerationResults')
  const [blobs] = childrenOf(document, 'Blobs')
  if (blobs === undefined) throw new HeadraceError('E_CORRUPT', 'the list has no blobs element')
  const entries: ListEntry[] = []
  for (const element of blobs.children) {
    const key = keyIn(root, nameOf(element))
    if (key === undefined) continue
    if (element.name === 'BlobPrefix') entries.push({ kind: 'prefix', prefix: key })
    else if (element.name === 'Blob') {
      const of = properties(element)
      const checksum = md5Of(of('Content-MD5') || undefined)
      const type = of('Content-Type')
      const tier = of('AccessTier')
      entries.push({
        kind: 'object',
        key,
        size: sizeOf(of('Content-Length'), key),
        etag: quoted(of('Etag') ?? ''),
        modified: timeOf(of('Last-Modified'), key),
        ...(checksum && { checksum }),
        ...(type && { contentType: type }),
        ...(tier && { storageClass: tier }),
      })
    }
  }
  return { entries, token: childText(document, 'NextMarker') || undefined }
}

/** Lists leave out the quotes that heads have. */
function quoted(etag: string): string {
  return etag === '' || etag.startsWith('"') || etag.startsWith('W/') ? etag : `"${etag}"`
}

export function readContainerPage(body: Uint8Array): {
  readonly names: readonly { readonly name: string; readonly created?: number }[]
  readonly marker: string | undefined
} {
  const root = readXml(body, 'EnumerationResults')
  const [containers] = childrenOf(root, 'Containers')
  const names = (containers === undefined ? [] : childrenOf(containers, 'Container')).map((each) => ({
    name: nameOf(each),
  }))
  return { names, marker: childText(root, 'NextMarker') || undefined }
}

/** "Get Block List", of the blocks that a blob is made of. */
export function readBlockIds(body: Uint8Array): readonly string[] {
  const [committed] = childrenOf(readXml(body, 'BlockList'), 'CommittedBlocks')
  return (committed === undefined ? [] : childrenOf(committed, 'Block')).map(nameOf)
}
