import { createHash } from 'node:crypto'
import { HeadraceError } from '../../errors.ts'
import type { HeaderFields, HttpHead } from '../http/types.ts'
import { orOwnWrite } from '../remote/own-write.ts'
import type { Checksum, ObjectInfo, PutOptions, Trace } from '../types.ts'
import { checksumOf, crc32cHeader } from './checksums.ts'
import type { S3Connection } from './connection.ts'
import type { ServerError } from './errors.ts'
import { headObject } from './get.ts'
import { wholeKey } from './keys.ts'
import { headersOfObject, writtenInfo } from './object-headers.ts'

export function existsAlready(url: string, key: string, status: number): HeadraceError {
  return new HeadraceError('E_EXISTS', `cannot put ${url}: ${key} is there already`, { url, key, status })
}

/** What a failure means to an upload on condition that there is nothing yet. */
export function refusedIfThere(url: string, key: string, ifNoneMatch: string | undefined) {
  return ({ status }: ServerError): HeadraceError | undefined =>
    ifNoneMatch !== undefined && status === 412 ? existsAlready(url, key, status) : undefined
}

/** E_CHECKSUM where the server says that it got something else than what was sent. */
export function compareChecksum({ headers }: HttpHead, sent: HeaderFields, doing: string, url: string): void {
  for (const name in sent) {
    const answered = name.startsWith('x-amz-checksum-') ? headers[name] : undefined
    if (answered !== undefined && answered !== sent[name])
      throw new HeadraceError(
        'E_CHECKSUM',
        `cannot ${doing}: what was sent has ${name.slice('x-amz-checksum-'.length)} ${sent[name]}, what the server got ${answered}`,
        { url },
      )
  }
}

/** In one request. */
export async function putPieces(
  connection: S3Connection,
  key: string,
  pieces: readonly Uint8Array[],
  options: PutOptions,
): Promise<ObjectInfo> {
  const { ifNoneMatch } = options
  const { config } = connection
  const url = connection.urlOf(key)
  const size = pieces.reduce((sum, piece) => sum + piece.length, 0)
  const checksum = config.checksums === 'off' ? {} : { 'x-amz-checksum-crc32c': crc32cHeader(pieces) }
  const write = (trace: Trace | undefined) =>
    connection.send(
      {
        method: 'PUT',
        doing: 'put',
        key,
        path: wholeKey(config, key),
        headers: {
          ...headersOfObject(options),
          ...checksum,
          ...(ifNoneMatch !== undefined && { 'if-none-match': ifNoneMatch }),
        },
        body: pieces,
        idempotent: true,
        ...(ifNoneMatch !== undefined && { counted: true }),
        read: (response) => {
          compareChecksum(response, checksum, `put ${url}`, url)
          return writtenInfo(key, { ...response, headers: { ...checksum, ...response.headers } }, size, options)
        },
        failed: refusedIfThere(url, key, ifNoneMatch),
      },
      { ...(options.signal && { signal: options.signal }), ...(trace && { trace }) },
    )
  if (ifNoneMatch === undefined) return write(options.trace)
  return orOwnWrite(options.trace, {
    write,
    found: async () => {
      const info = await headObject(connection, key, options.signal ? { signal: options.signal } : {})
      return info?.size === size && holds(info, pieces, checksumOf(checksum)) ? info : undefined
    },
  })
}

/** By the checksum that was sent, where the server keeps one of its kind; otherwise by an etag that is the MD5. */
function holds({ etag, checksum }: ObjectInfo, pieces: readonly Uint8Array[], sent: Checksum | undefined): boolean {
  if (sent !== undefined && checksum?.algorithm === sent.algorithm) return checksum.value === sent.value
  const md5 = createHash('md5')
  for (const piece of pieces) md5.update(piece)
  return etag === md5.digest('hex')
}
