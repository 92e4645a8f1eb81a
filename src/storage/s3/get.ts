import { show } from '../../checks.ts'
import { HeadraceError, isHeadraceError, throwIfAborted } from '../../errors.ts'
import { allocate } from '../file/descriptor.ts'
import type { HttpHead } from '../http/types.ts'
import { checkRange, roomFor } from '../range.ts'
import { rangeHeadOf, rangeText } from '../remote/range-head.ts'
import { partsOf, type RangeHead, type RangeRequest, rangedGet } from '../remote/ranged-get.ts'
import type { CallOptions, GetOptions, ObjectBody, ObjectInfo } from '../types.ts'
import { verifyChecksum } from './checksums.ts'
import type { S3Connection } from './connection.ts'
import type { ServerError } from './errors.ts'
import { wholeKey } from './keys.ts'
import { infoOf, quotedEtag } from './object-headers.ts'

const CHECKSUM_MODE = { 'x-amz-checksum-mode': 'ENABLED' } as const

/** Bytes of an answer that says what went wrong. */
const MAX_ERROR = 2 ** 16

/** Whole objects of up to so many parts come in one request. */
const PARTS_IN_ONE = 2

/** Thrown out of an answer whose body is better fetched in parts. */
class TooLarge extends Error {}

/** What the objects before let expect of the next: asking for an object whole, one finds out too late that it is large. */
export interface SizeGuess {
  large: boolean
}

function lengthOf({ headers }: HttpHead): number | undefined {
  const text = headers['content-length']
  return text === undefined ? undefined : Number(text)
}

function absentOrChanged<T>(key: string, url: string, ifMatch: string | undefined, absent: T) {
  return ({ status, code }: ServerError): { readonly value: T } | HeadraceError | undefined => {
    if (code === 'NoSuchKey' || (status === 404 && code === undefined)) return { value: absent }
    // What servers keep in directories says so where a key leads through an object.
    if (status === 404 && code === 'ObjectParentIsFile') return { value: absent }
    if (status === 412 && ifMatch !== undefined)
      return new HeadraceError(
        'E_STATE',
        `cannot get ${url}: ${key} has changed: its etag is not ${show(ifMatch)} any more`,
        { url, key, status },
      )
    return undefined
  }
}

export async function headObject(
  connection: S3Connection,
  key: string,
  options: CallOptions & { readonly ifMatch?: string | undefined } = {},
): Promise<ObjectInfo | undefined> {
  const path = wholeKey(connection.config, key)
  throwIfAborted(options.signal, 'head')
  const { ifMatch } = options
  const shared = {
    doing: 'look up',
    key,
    path,
    idempotent: true,
    ...(ifMatch !== undefined && { plain: { 'if-match': quotedEtag(ifMatch) } }),
    failed: absentOrChanged<ObjectInfo | undefined>(key, connection.urlOf(key), ifMatch, undefined),
  } as const
  try {
    return await connection.send(
      {
        ...shared,
        method: 'HEAD',
        headers: connection.config.checksums === 'off' ? {} : CHECKSUM_MODE,
        read: (response) => infoOf(key, response, lengthOf(response) ?? 0),
      },
      options,
    )
  } catch (error) {
    if (!isHeadraceError(error) || (error.details.status ?? 500) >= 500 || error.code === 'E_STATE') throw error
    // An answer to HEAD has no body, so it cannot say why. One to GET can.
    await connection.send(
      {
        ...shared,
        method: 'GET',
        plain: { ...shared.plain, range: rangeText(0, 1) },
        maxBody: MAX_ERROR,
        read: () => undefined,
      },
      options,
    )
    throw error
  }
}

export async function getObject(
  connection: S3Connection,
  key: string,
  options: GetOptions,
  guess: SizeGuess,
): Promise<ObjectBody | undefined> {
  const path = wholeKey(connection.config, key)
  checkRange(options.range)
  throwIfAborted(options.signal, 'get')
  const { into, parts } = options
  const { partSize } = partsOf(options, connection.config.remote)
  const limit = parts === undefined ? partSize * PARTS_IN_ONE : partSize
  const whole = into !== undefined ? into.length <= limit : parts?.size === Infinity || !guess.large
  if (options.range === undefined && whole) {
    try {
      return await getWhole(connection, key, path, options, limit)
    } catch (error) {
      if (!(error instanceof TooLarge)) throw error
      guess.large = true
    }
  }
  const body = await rangedGet(key, options, connection.config.remote, (request) =>
    fetchRange(connection, key, path, request),
  )
  if (body !== undefined && options.range === undefined) guess.large = body.info.size > limit
  return body
}

function getWhole(
  connection: S3Connection,
  key: string,
  path: string,
  options: GetOptions,
  limit: number,
): Promise<ObjectBody | undefined> {
  const { into, ifMatch } = options
  const { checksums } = connection.config
  const url = connection.urlOf(key)
  return connection.send<ObjectBody | undefined>(
    {
      method: 'GET',
      doing: 'get',
      key,
      path,
      idempotent: true,
      maxBody: Math.max(limit, MAX_ERROR),
      ...(checksums === 'when-sent' && { headers: CHECKSUM_MODE }),
      ...(ifMatch !== undefined && { plain: { 'if-match': quotedEtag(ifMatch) } }),
      place: (head) => {
        const length = lengthOf(head)
        if (head.status !== 200 || length === undefined) return undefined
        if (into !== undefined) return roomFor(into, length, key)
        if (length > limit) throw new TooLarge()
        return allocate(length, key)
      },
      read: (response) => {
        const { body } = response
        if (response.status !== 200) throw unexpected(connection, key, response)
        const info = infoOf(key, response, body.length)
        if (checksums === 'when-sent' && info.checksum !== undefined)
          verifyChecksum(body, info.checksum, `get ${url}`, url)
        if (into === undefined || body.buffer === into.buffer) return { info, data: body }
        const data = roomFor(into, body.length, key)
        data.set(body)
        return { info, data }
      },
      failed: absentOrChanged(key, url, ifMatch, undefined),
    },
    options,
  )
}

function holdsBytes({ status }: HttpHead): boolean {
  return status === 200 || status === 206
}

const PAST_END = Symbol('past the end')

/** One range, for the engine that puts ranges together. */
async function fetchRange(
  connection: S3Connection,
  key: string,
  path: string,
  request: RangeRequest,
): Promise<RangeHead | undefined> {
  const { offset, length, ifMatch } = request
  const url = connection.urlOf(key)
  const checked = connection.config.checksums === 'when-sent' && offset === 0
  const ranged = length !== undefined || offset > 0
  const changed = absentOrChanged<RangeHead | undefined>(key, url, ifMatch, undefined)
  let head: RangeHead | undefined
  const placed = (answer: HttpHead, bytes: number): Uint8Array => {
    head = rangeHeadOf(key, answer, (_, headers, size) => infoOf(key, { ...answer, headers }, size ?? bytes))
    if (bytes !== head.length) throw cutShort(connection, key, bytes, head.length)
    return request.place(head)
  }
  const answer = await connection.send<RangeHead | undefined | typeof PAST_END>(
    {
      method: 'GET',
      doing: 'get',
      key,
      path,
      idempotent: true,
      ...(length !== undefined && { maxBody: Math.max(length, MAX_ERROR) }),
      ...(checked && { headers: CHECKSUM_MODE }),
      plain: {
        ...(ranged && { range: length === undefined ? `bytes=${offset}-` : rangeText(offset, length) }),
        ...(ifMatch !== undefined && { 'if-match': quotedEtag(ifMatch) }),
      },
      place: (answer) => {
        head = undefined
        const bytes = lengthOf(answer)
        return holdsBytes(answer) && bytes !== undefined ? placed(answer, bytes) : undefined
      },
      read: (response) => {
        const { body } = response
        if (head?.length !== body.length && holdsBytes(response)) placed(response, body.length).set(body)
        if (head === undefined) throw unexpected(connection, key, response)
        const { info } = head
        if (checked && head.length === info.size && info.checksum !== undefined)
          verifyChecksum(body, info.checksum, `get ${url}`, url)
        return head
      },
      failed: (error) => (error.status === 416 ? { value: PAST_END } : changed(error)),
    },
    request,
  )
  if (answer !== PAST_END) return answer
  const { signal, trace } = request
  const info = await headObject(connection, key, {
    ifMatch,
    ...(signal !== undefined && { signal }),
    ...(trace !== undefined && { trace }),
  })
  return info && { info, offset, length: 0 }
}

function cutShort(connection: S3Connection, key: string, bytes: number, length: number): HeadraceError {
  const url = connection.urlOf(key)
  return new HeadraceError(
    'E_CORRUPT',
    `cannot get ${url}: ${bytes} bytes come where the answer's range has ${length}`,
    {
      url,
      key,
    },
  )
}

function unexpected(connection: S3Connection, key: string, { status }: HttpHead): HeadraceError {
  const url = connection.urlOf(key)
  return new HeadraceError(
    'E_CORRUPT',
    `cannot get ${url}: the server answered ${status}, which says nothing about it`,
    {
      url,
      key,
      status,
    },
  )
}
