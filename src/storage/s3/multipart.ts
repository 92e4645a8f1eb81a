import { createHash } from 'node:crypto'
import { combineCrc32c } from '../../crc32c.ts'
import { HeadraceError, isHeadraceError } from '../../errors.ts'
import { native } from '../../native.ts'
import type { HeaderFields, HttpResponse } from '../http/types.ts'
import type { PartLimits } from '../remote/part-sizes.ts'
import type { ExistingPart, PartsTarget } from '../remote/parts-writer.ts'
import { childText, escapeXml } from '../remote/xml.ts'
import type { ObjectInfo, PutOptions, Trace } from '../types.ts'
import { base64OfCrc } from './checksums.ts'
import type { S3Connection } from './connection.ts'
import { readAnswer, requiredText } from './documents.ts'
import { headObject } from './get.ts'
import { interruptedUpload, type UploadedPart } from './interrupted-upload.ts'
import { etagOf, headersOfObject, writtenInfo } from './object-headers.ts'
import { compareChecksum, putPieces, refusedIfThere } from './put.ts'

/** docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html */
const LIMITS: PartLimits = {
  minPart: 5 * 2 ** 20,
  maxPart: 5 * 2 ** 30,
  maxParts: 10_000,
  maxObject: 5 * 2 ** 40,
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

  /** A part that is a range of another object; `source`: the headers that name it and its version. */
  async copyPart(
    number: number,
    piece: { readonly source: HeaderFields; readonly offset: number; readonly length: number },
    signal: AbortSignal,
  ): Promise<UploadedPart> {
    const doing = `copy part ${number} of`
    const { source, offset, length } = piece
    return this.#connection.send(
      {
        ...this.#common,
        method: 'PUT',
        doing,
        query: this.#partQuery(number),
        headers: {
          ...source,
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
    const trace: Trace = {}
    try {
      return await this.#connection.send(
        {
          ...this.#common,
          method: 'POST',
          doing,
          query: [['uploadId', this.#id]],
          ...(ifNoneMatch !== undefined && { counted: true }),
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
        },
        { trace },
      )
    } catch (error) {
      // An attempt whose answer was lost may have done it: the upload is gone then, and the object there, also where there
      // was to be none.
      const inTheWay = isHeadraceError(error, 'E_EXISTS') && (trace.retries ?? 0) > 0
      const done = inTheWay || isHeadraceError(error, 'E_NOT_FOUND') ? await this.#completed(parts, size) : undefined
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

  async existing(): Promise<ReadonlyMap<number, ExistingPart<UploadedPart>> | undefined> {
    const left = await interruptedUpload(this.#connection, this.#key, this.#path)
    if (left === undefined) return undefined
    this.#id = left.id
    this.#wholeChecksum = left.wholeChecksum
    return left.parts
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
