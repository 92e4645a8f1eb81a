import { throwIfAborted } from '../../errors.ts'
import { PartsWriter } from '../remote/parts-writer.ts'
import type { ObjectInfo, ObjectWriter, PutOptions, WriterOptions } from '../types.ts'
import type { S3Connection } from './connection.ts'
import type { UploadedPart } from './interrupted-upload.ts'
import { wholeKey } from './keys.ts'
import { MultipartUpload } from './multipart.ts'
import { putPieces } from './put.ts'

/** Parts above which a body that is all there is sent in parts side by side. */
const PARTS_IN_ONE = 4

export async function putObject(
  connection: S3Connection,
  key: string,
  body: Uint8Array,
  options: PutOptions,
): Promise<ObjectInfo> {
  wholeKey(connection.config, key)
  throwIfAborted(options.signal, 'put')
  if (body.length <= connection.config.remote.partSize * PARTS_IN_ONE)
    return putPieces(connection, key, [body], options)
  return partsWriter(connection, key, { ...options, size: body.length }).put(body)
}

export function objectWriter(connection: S3Connection, key: string, options: WriterOptions): ObjectWriter {
  return partsWriter(connection, key, options)
}

function partsWriter(connection: S3Connection, key: string, options: WriterOptions): PartsWriter<UploadedPart> {
  const { partSize, partsInFlight } = connection.config.remote
  const upload = new MultipartUpload(connection, key, wholeKey(connection.config, key), options)
  const { size, resume, signal } = options
  return new PartsWriter(upload, { key, partSize, partsInFlight, size, resume, signal })
}
