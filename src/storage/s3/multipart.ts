import { createHash } from 'node:crypto'
import { combineCrc32c } from '../../crc32c.ts'
import { HeadraceError, isHeadraceError } from '../../errors.ts'
import { native } from '../../native.ts'
import type { HttpResponse } from '../http/types.ts'
import type { PartLimits } from '../remote/part-sizes.ts'
import type { ExistingPart, PartsTarget } from '../remote/parts-writer.ts'
import { childrenOf, childText, escapeXml, readXml, type XmlElement } from '../remote/xml.ts'
import type { ObjectInfo, PutOptions } from '../types.ts'
import { base64OfCrc, crc32cHeader } from './checksums.ts'
import type { S3Connection } from './connection.ts'
import { readServerError } from './errors.ts'
import { headObject } from './get.ts'
import { etagOf, headersOfObject, writtenInfo } from './object-headers.ts'
import { compareChecksum, putPieces, refusedIfThere } from './put.ts'

/** docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html */
const LIMITS: PartLimits = {
  minPart: 5 * 2 ** 20,
  maxPart: 5 * 2 ** 30,
  maxParts: 10_000,
  maxObject: 5 * 2 ** 40,
}

/** A part that is at the server. */
export interface UploadedPart {
  readonly number: number
  readonly etag: string
  readonly size: number
  /** CRC-32C; undefined where nothing is known of the bytes. */
  readonly crc: number | undefined
}

/** The answer's document; an error inside a 200, as S3 gives where work takes longer, is one. */
export function readAnswer(
  connection: S3Connection,
  operation: { readonly doing: string; readonly key: string },
  response: HttpResponse,
  root: string,
): XmlElement {
  const document = readXml(response.body, root, 'Error')
  if (document.name === 'Error') throw connection.failure(operation, readServerError(response))
  return document
}

export function requiredText(element: XmlElement, name: string): string {
  const text = childText(element, name)
  if (text === undefined || text === '')
    throw new HeadraceError('E_CORRUPT', `the answer has no ${name} in ${element.name}`)
  return text
}

/** One multipart upload of one object. */
export class MultipartUpload implements PartsTarget<UploadedPart> {
  readonly limits = LIMITS
  readonly #connection: S3Connection
  readonly #key: string
  readonly #path: string
  readonly #options: PutOptions
  #id = ''
  /** The server knows a checksum of the whole object, and not only one of the checksums of the parts. */
  #wholeChecksum = false

  constructor(connection: S3Connection, key: string, path: string, options: PutOptions) {
    this.#connection = connection
    this.#key = key
    this.#path = path
    this.#options = options
    // What cannot be said of the object is refused before anything is sent.
    headersOfObject(options)
  }

  get #checked(): boolean {
    return this.#connection.config.checksums !== 'off'
  }

  get #common() {
    return { key: this.#key, path: this.#path, idempotent: true } as const
  }

  putWhole(pieces: readonly Uint8Array[], signal: AbortSignal): Promise<ObjectInfo> {
    return putPieces(this.#connection, this.#key, pieces, { ...this.#options, signal })
  }

  async begin(): Promise<void> {
    const doing = 'begin the upload of'
    await this.#connection.send({
      ...this.#common,
      method: 'POST',
      doing,
      query: [['uploads', '']],
      headers: {
        ...headersOfObject(this.#options),
        ...(this.#checked && { 'x-amz-checksum-algorithm': 'CRC32C', 'x-amz-checksum-type': 'FULL_OBJECT' }),
      },
      read: (response) => {
        const document = readAnswer(
          this.#connection,
          { doing, key: this.#key },
          response,
          'InitiateMultipartUploadResult',
        )
        this.#id = requiredText(document, 'UploadId')
        this.#wholeChecksum = response.headers['x-amz-checksum-type'] === 'FULL_OBJECT'
      },
    })
  }

  async part(number: number, pieces: readonly Uint8Array[], signal: AbortSignal): Promise<UploadedPart> {
    const url = this.#connection.urlOf(this.#key)
    const doing = `upload part ${number} of`
    const size = pieces.reduce((sum, piece) => sum + piece.length, 0)
    let crc: number | undefined
    if (this.#checked) {
      crc = 0
      for (const piece of pieces) crc = native.crc32c(piece, crc)
    }
    const checksum = crc === undefined ? {} : { 'x-amz-checksum-crc32c': base64OfCrc(crc) }
    return this.#connection.send(
      {
        ...this.#common,
        method: 'PUT',
        doing,
        query: this.#partQuery(number),
        headers: checksum,
        body: pieces,
        read: (response) => {
          compareChecksum(response, checksum, `${doing} ${url}`, url)
          return { number, etag: this.#etagOf(response), size, crc }
        },
      },
      { signal },
    )
  }

  /** A part that is a range of another object of the bucket, which has this etag. */
  async copyPart(
    number: number,
    source: { readonly path: string; readonly etag: string; readonly offset: number; readonly length: number },
    signal: AbortSignal,
  ): Promise<UploadedPart> {
    const doing = `copy part ${number} of`
    const { path, etag, offset, length } = source
    return this.#connection.send(
      {
        ...this.#common,
        method: 'PUT',
        doing,
        query: this.#partQuery(number),
        headers: {
          ...this.#connection.copySource(path, etag),
          'x-amz-copy-source-range': `bytes=${offset}-${offset + length - 1}`,
        },
        read: (response) => {
          const document = readAnswer(this.#connection, { doing, key: this.#key }, response, 'CopyPartResult')
          return { number, etag: etagOf(requiredText(document, 'ETag')), size: length, crc: undefined }
        },
      },
      { signal },
    )
  }

  async complete(parts: readonly UploadedPart[]): Promise<ObjectInfo> {
    const doing = 'complete the upload of'
    const { ifNoneMatch } = this.#options
    const url = this.#connection.urlOf(this.#key)
    const size = parts.reduce((sum, part) => sum + part.size, 0)
    const crc = this.#wholeChecksum ? crcOf(parts) : undefined
    const checksum = crc === undefined ? {} : { 'x-amz-checksum-crc32c': base64OfCrc(crc) }
    try {
      return await this.#connection.send({
        ...this.#common,
        method: 'POST',
        doing,
        query: [['uploadId', this.#id]],
        headers: {
          'content-type': 'application/xml',
          ...checksum,
          ...(crc !== undefined && { 'x-amz-checksum-type': 'FULL_OBJECT' }),
          ...(ifNoneMatch !== undefined && { 'if-none-match': ifNoneMatch }),
        },
        body: [Buffer.from(completion(parts))],
        read: (response) => {
          const document = readAnswer(
            this.#connection,
            { doing, key: this.#key },
            response,
            'CompleteMultipartUploadResult',
          )
          const answered = childText(document, 'ChecksumCRC32C')
          const whole = childText(document, 'ChecksumType') !== 'COMPOSITE' && !answered?.includes('-')
          if (crc !== undefined && answered !== undefined && whole)
            compareChecksum(
              { status: 200, headers: { 'x-amz-checksum-crc32c': answered } },
              checksum,
              `${doing} ${url}`,
              url,
            )
          const etag = etagOf(requiredText(document, 'ETag'))
          return writtenInfo(
            this.#key,
            { status: 200, headers: { ...checksum, ...(response.headers.date && { date: response.headers.date }) } },
            size,
            this.#options,
            etag,
          )
        },
        failed: refusedIfThere(url, this.#key, ifNoneMatch),
      })
    } catch (error) {
      // An attempt whose answer was lost may have done it: the upload is gone then, and the object there.
      const done = isHeadraceError(error, 'E_NOT_FOUND') ? await this.#completed(parts, size) : undefined
      if (done === undefined) throw error
      return done
    }
  }

  async abort(): Promise<void> {
    if (this.#id === '') return
    await this.#connection.send({
      ...this.#common,
      method: 'DELETE',
      doing: 'abort the upload of',
      query: [['uploadId', this.#id]],
      read: () => undefined,
      failed: ({ status }) => (status === 404 ? { value: undefined } : undefined),
    })
  }

  /** The latest upload of this key that is neither completed nor aborted, and its parts. */
  async existing(): Promise<ReadonlyMap<number, ExistingPart<UploadedPart>> | undefined> {
    const id = await this.#latestUpload()
    if (id === undefined) return undefined
    this.#id = id
    const parts = new Map<number, ExistingPart<UploadedPart>>()
    for (let marker = ''; ; ) {
      const page = await this.#listParts(marker)
      if (page === undefined) return undefined
      this.#wholeChecksum = childText(page, 'ChecksumType') === 'FULL_OBJECT'
      for (const element of childrenOf(page, 'Part')) {
        const part = listedPart(element)
        parts.set(part.number, { size: part.size, part, matches: (pieces) => isMadeOf(part, pieces) })
      }
      const next = childText(page, 'NextPartNumberMarker') ?? ''
      if (childText(page, 'IsTruncated') !== 'true' || next === marker || next === '') return parts
      marker = next
    }
  }

  #partQuery(number: number): readonly (readonly [string, string])[] {
    return [
      ['partNumber', `${number}`],
      ['uploadId', this.#id],
    ]
  }

  #etagOf({ headers }: HttpResponse): string {
    if (headers.etag === undefined)
      throw new HeadraceError('E_CORRUPT', `the answer to a part of ${this.#key} has no ETag`, { key: this.#key })
    return etagOf(headers.etag)
  }

  async #latestUpload(): Promise<string | undefined> {
    const doing = 'list uploads of'
    let latest: { readonly id: string; readonly began: string } | undefined
    for (let markers: readonly (readonly [string, string])[] = []; ; ) {
      const page = await this.#connection.send({
        method: 'GET',
        doing,
        key: this.#key,
        idempotent: true,
        query: [['uploads', ''], ['prefix', this.#path], ...markers],
        read: (response) =>
          readAnswer(this.#connection, { doing, key: this.#key }, response, 'ListMultipartUploadsResult'),
      })
      for (const upload of childrenOf(page, 'Upload')) {
        if (childText(upload, 'Key') !== this.#path) continue
        const began = childText(upload, 'Initiated') ?? ''
        if (latest === undefined || began >= latest.began) latest = { id: requiredText(upload, 'UploadId'), began }
      }
      const key = childText(page, 'NextKeyMarker') ?? ''
      const id = childText(page, 'NextUploadIdMarker') ?? ''
      if (childText(page, 'IsTruncated') !== 'true' || key !== this.#path || id === '') return latest?.id
      markers = [
        ['key-marker', key],
        ['upload-id-marker', id],
      ]
    }
  }

  async #listParts(marker: string): Promise<XmlElement | undefined> {
    const doing = 'list the parts of'
    return this.#connection.send<XmlElement | undefined>({
      ...this.#common,
      method: 'GET',
      doing,
      query: [['uploadId', this.#id], ...(marker === '' ? [] : ([['part-number-marker', marker]] as const))],
      read: (response) => readAnswer(this.#connection, { doing, key: this.#key }, response, 'ListPartsResult'),
      failed: ({ status }) => (status === 404 ? { value: undefined } : undefined),
    })
  }

  /** The object, if it is the one that these parts make. */
  async #completed(parts: readonly UploadedPart[], size: number): Promise<ObjectInfo | undefined> {
    const info = await headObject(this.#connection, this.#key)
    return info?.size === size && info.etag === etagOfParts(parts) ? info : undefined
  }
}

function completion(parts: readonly UploadedPart[]): string {
  const elements = parts.map(({ number, etag, crc }) => {
    const checksum = crc === undefined ? '' : `<ChecksumCRC32C>${base64OfCrc(crc)}</ChecksumCRC32C>`
    return `<Part><PartNumber>${number}</PartNumber><ETag>${escapeXml(`"${etag}"`)}</ETag>${checksum}</Part>`
  })
  return `<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${elements.join('')}</CompleteMultipartUpload>`
}

/** Of all parts one after the other; undefined where that of one is not known. */
function crcOf(parts: readonly UploadedPart[]): number | undefined {
  let whole = 0
  for (const { crc, size } of parts) {
    if (crc === undefined) return undefined
    whole = combineCrc32c(whole, crc, size)
  }
  return whole
}

/** S3's etag of an object in parts: the MD5 of their MD5s, and how many they are. */
function etagOfParts(parts: readonly UploadedPart[]): string | undefined {
  if (!parts.every(({ etag }) => /^[0-9a-f]{32}$/.test(etag))) return undefined
  const sums = createHash('md5')
  for (const { etag } of parts) sums.update(Buffer.from(etag, 'hex'))
  return `${sums.digest('hex')}-${parts.length}`
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
