import { createHash } from 'node:crypto'
import type { ExistingPart } from '../remote/parts-writer.ts'
import { childrenOf, childText, type XmlElement } from '../remote/xml.ts'
import { base64OfCrc, crc32cHeader } from './checksums.ts'
import type { S3Connection } from './connection.ts'
import { readAnswer, requiredText } from './documents.ts'
import { etagOf } from './object-headers.ts'

/** A part that is at the server. */
export interface UploadedPart {
  readonly number: number
  readonly etag: string
  readonly size: number
  /** CRC-32C; undefined where nothing is known of the bytes. */
  readonly crc: number | undefined
}

export interface InterruptedUpload {
  readonly id: string
  /** The server was told that there will be a checksum of the whole object. */
  readonly wholeChecksum: boolean
  readonly parts: ReadonlyMap<number, ExistingPart<UploadedPart>>
}

/** The latest upload of a key that is neither completed nor aborted, and its parts. */
export async function interruptedUpload(
  connection: S3Connection,
  key: string,
  path: string,
): Promise<InterruptedUpload | undefined> {
  const id = await latestUpload(connection, key, path)
  if (id === undefined) return undefined
  const parts = new Map<number, ExistingPart<UploadedPart>>()
  for (let marker = ''; ; ) {
    const page = await listParts(connection, key, path, id, marker)
    if (page === undefined) return undefined
    for (const element of childrenOf(page, 'Part')) {
      const part = listedPart(element)
      parts.set(part.number, { size: part.size, part, matches: (pieces) => isMadeOf(part, pieces) })
    }
    const next = childText(page, 'NextPartNumberMarker') ?? ''
    if (childText(page, 'IsTruncated') !== 'true' || next === marker || next === '')
      return { id, wholeChecksum: childText(page, 'ChecksumType') === 'FULL_OBJECT', parts }
    marker = next
  }
}

async function latestUpload(connection: S3Connection, ofKey: string, path: string): Promise<string | undefined> {
  const doing = 'list uploads of'
  let latest: { readonly id: string; readonly began: string } | undefined
  for (let markers: readonly (readonly [string, string])[] = []; ; ) {
    const page = await connection.send({
      method: 'GET',
      doing,
      key: ofKey,
      idempotent: true,
      query: [['uploads', ''], ['prefix', path], ...markers],
      read: (response) => readAnswer(connection, { doing, key: ofKey }, response, 'ListMultipartUploadsResult'),
    })
    for (const upload of childrenOf(page, 'Upload')) {
      if (childText(upload, 'Key') !== path) continue
      const began = childText(upload, 'Initiated') ?? ''
      if (latest === undefined || began >= latest.began) latest = { id: requiredText(upload, 'UploadId'), began }
    }
    const key = childText(page, 'NextKeyMarker') ?? ''
    const id = childText(page, 'NextUploadIdMarker') ?? ''
    if (childText(page, 'IsTruncated') !== 'true' || key !== path || id === '') return latest?.id
    markers = [
      ['key-marker', key],
      ['upload-id-marker', id],
    ]
  }
}

async function listParts(
  connection: S3Connection,
  key: string,
  path: string,
  id: string,
  marker: string,
): Promise<XmlElement | undefined> {
  const doing = 'list the parts of'
  return connection.send<XmlElement | undefined>({
    key,
    path,
    idempotent: true,
    method: 'GET',
    doing,
    query: [['uploadId', id], ...(marker === '' ? [] : ([['part-number-marker', marker]] as const))],
    read: (response) => readAnswer(connection, { doing, key: key }, response, 'ListPartsResult'),
    failed: ({ status }) => (status === 404 ? { value: undefined } : undefined),
  })
}

function listedPart(element: XmlElement): UploadedPart {
  const base64 = childText(element, 'ChecksumCRC32C')
  const bytes = Buffer.from(base64 ?? '', 'base64')
  return {
    number: Number(requiredText(element, 'PartNumber')),
    etag: etagOf(requiredText(element, 'ETag')),
    size: Number(requiredText(element, 'Size')),
    crc: bytes.length === 4 ? bytes.readUInt32BE() : undefined,
  }
}

function isMadeOf({ crc, etag }: UploadedPart, pieces: readonly Uint8Array[]): boolean {
  if (crc !== undefined) return crc32cHeader(pieces) === base64OfCrc(crc)
  if (!/^[0-9a-f]{32}$/.test(etag)) return false
  const md5 = createHash('md5')
  for (const piece of pieces) md5.update(piece)
  return md5.digest('hex') === etag
}
