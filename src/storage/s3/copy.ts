import { show } from '../../checks.ts'
import { HeadraceError, throwIfAborted } from '../../errors.ts'
import type { HeaderFields } from '../http/types.ts'
import { childText } from '../remote/xml.ts'
import type { ObjectInfo, PutOptions } from '../types.ts'
import type { S3Connection } from './connection.ts'
import { readAnswer, requiredText } from './documents.ts'
import { headObject } from './get.ts'
import type { UploadedPart } from './interrupted-upload.ts'
import { wholeKey } from './keys.ts'
import { MultipartUpload } from './multipart.ts'
import { etagOf, headersOfObject, storageClassHeader } from './object-headers.ts'
import { existsAlready } from './put.ts'

/** 5 GiB: S3 copies no more in one request. */
const MAX_SINGLE_COPY = 5 * 2 ** 30
/** 512 MiB; larger where 10,000 of them are too few. */
const COPY_PART = 512 * 2 ** 20
const MAX_PARTS = 10_000

/** How large objects must be to be copied in parts, and how large those are. Bytes. */
export interface CopySizes {
  readonly single: number
  readonly part: number
}

/** `origin`: where the original lies, which is of the same service. */
export async function copyObject(
  connection: S3Connection,
  from: string,
  to: string,
  options: PutOptions,
  origin: S3Connection = connection,
  sizes: CopySizes = { single: MAX_SINGLE_COPY, part: COPY_PART },
): Promise<ObjectInfo> {
  const source = wholeKey(origin.config, from)
  const target = wholeKey(connection.config, to)
  const { signal, ifNoneMatch } = options
  throwIfAborted(signal, 'copy')
  const call = signal === undefined ? {} : { signal }
  const info = await headObject(origin, from, call)
  if (info === undefined)
    throw new HeadraceError('E_NOT_FOUND', `cannot copy ${show(from)}: it is not there`, {
      url: origin.urlOf(from),
      key: from,
    })
  // Not every server knows the condition on copies; those that do make sure that nobody was faster.
  if (ifNoneMatch !== undefined && (await headObject(connection, to, call)) !== undefined)
    throw existsAlready(connection.urlOf(to), to, 412)
  const said = {
    ...options,
    contentType: options.contentType ?? info.contentType ?? 'application/octet-stream',
    metadata: options.metadata ?? info.metadata ?? {},
  }
  const itself = source === target && origin.config.bucket === connection.config.bucket
  const original = origin.copySource(source, info.etag)
  if (info.size > sizes.single) return copyInParts(connection, info, original, to, target, said, sizes.part)
  return copyWhole(connection, info, original, to, target, { ...said, from, replace: itself || isReplaced(options) })
}

/** An object can be copied to itself only if something is said of it anew. */
function isReplaced({ contentType, metadata }: PutOptions): boolean {
  return contentType !== undefined || metadata !== undefined
}

function copyWhole(
  connection: S3Connection,
  info: ObjectInfo,
  source: HeaderFields,
  to: string,
  target: string,
  options: PutOptions & { readonly from: string; readonly replace: boolean },
): Promise<ObjectInfo> {
  const { ifNoneMatch, from, replace, contentType, metadata = {} } = options
  const doing = `copy ${show(from)} to`
  const url = connection.urlOf(to)
  return connection.send(
    {
      method: 'PUT',
      doing,
      key: to,
      path: target,
      headers: {
        ...storageClassHeader(options),
        ...(replace && { ...headersOfObject(options), 'x-amz-metadata-directive': 'REPLACE' }),
        ...source,
        ...(ifNoneMatch !== undefined && { 'if-none-match': ifNoneMatch }),
      },
      idempotent: ifNoneMatch === undefined,
      read: (response) => {
        const document = readAnswer(connection, { doing, key: to }, response, 'CopyObjectResult')
        const modified = Date.parse(childText(document, 'LastModified') ?? '')
        return {
          key: to,
          size: info.size,
          etag: etagOf(requiredText(document, 'ETag')),
          modified: Number.isNaN(modified) ? 0 : Math.floor(modified / 1000) * 1000,
          ...(contentType !== undefined && { contentType }),
          ...(info.checksum !== undefined && { checksum: info.checksum }),
          ...(Object.keys(metadata).length > 0 && { metadata }),
        }
      },
      failed: ({ status, code }) => {
        if (code === 'NoSuchKey')
          return new HeadraceError('E_NOT_FOUND', `cannot copy ${show(from)}: it is not there`, {
            url,
            key: from,
            status,
          })
        if (status === 412 && ifNoneMatch !== undefined) return existsAlready(url, to, status)
        if (status === 412)
          return new HeadraceError('E_STATE', `cannot ${doing} ${url}: ${from} has changed meanwhile`, {
            url,
            key: from,
            status,
          })
        return undefined
      },
    },
    options,
  )
}

async function copyInParts(
  connection: S3Connection,
  info: ObjectInfo,
  source: HeaderFields,
  to: string,
  target: string,
  options: PutOptions,
  wanted: number,
): Promise<ObjectInfo> {
  const { partsInFlight } = connection.config.remote
  const size = Math.max(wanted, Math.ceil(info.size / MAX_PARTS))
  const upload = new MultipartUpload(connection, to, target, options)
  const stop = new AbortController()
  const onAbort = () => stop.abort(options.signal?.reason)
  await upload.begin()
  options.signal?.addEventListener('abort', onAbort, { once: true })
  const parts: UploadedPart[] = []
  let next = 0
  const lane = async () => {
    while (next * size < info.size) {
      const index = next++
      const offset = index * size
      const piece = { source, offset, length: Math.min(size, info.size - offset) }
      parts[index] = await upload.copyPart(index + 1, piece, stop.signal)
    }
  }
  try {
    throwIfAborted(options.signal, 'copy')
    const lanes = Array.from({ length: partsInFlight }, () =>
      lane().catch((error: unknown) => {
        stop.abort(error)
        throw error
      }),
    )
    const failed = (await Promise.allSettled(lanes)).find((each) => each.status === 'rejected')
    if (failed !== undefined) throw failed.reason
    return await upload.complete(parts)
  } catch (error) {
    await upload.abort().catch(() => {})
    throw error
  } finally {
    options.signal?.removeEventListener('abort', onAbort)
  }
}
