import { HeadraceError } from '../../errors.ts'
import type { HeaderFields, HttpHead } from '../http/types.ts'
import type { ObjectInfo, PutOptions } from '../types.ts'
import { crc32cHeader } from './checksums.ts'
import type { S3Connection } from './connection.ts'
import type { ServerError } from './errors.ts'
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
export function putPieces(
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
  return connection.send(
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
      // After an answer that was lost, the object itself would be what is in the way.
      idempotent: ifNoneMatch === undefined,
      read: (response) => {
        compareChecksum(response, checksum, `put ${url}`, url)
        return writtenInfo(key, { ...response, headers: { ...checksum, ...response.headers } }, size, options)
      },
      failed: refusedIfThere(url, key, ifNoneMatch),
    },
    options,
  )
}
