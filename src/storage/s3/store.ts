import { oneOf, positiveInteger } from '../../checks.ts'
import { openHttpClient } from '../http/client.ts'
import { keepOrigin, originOf } from '../origin.ts'
import { clientOptions } from '../remote/options.ts'
import { listing } from '../remote/parallel-list.ts'
import { openSession } from '../remote/session.ts'
import type { SessionReport } from '../remote/types.ts'
import type {
  CallOptions,
  ContainerInfo,
  CopyAcross,
  DeleteResult,
  GetOptions,
  ListEntry,
  ListOptions,
  ObjectBody,
  ObjectInfo,
  ObjectWriter,
  PresignOptions,
  PutOptions,
  Store,
  StoreSpec,
  WriterOptions,
} from '../types.ts'
import { awsEndpoint, serversOf } from './addressing.ts'
import { createBucket, deleteBucket, listBuckets } from './buckets.ts'
import { S3Connection } from './connection.ts'
import { copyObject } from './copy.ts'
import { isSameUser } from './credentials.ts'
import { deleteObjects } from './delete.ts'
import { getObject, headObject, type SizeGuess } from './get.ts'
import { wholeKey } from './keys.ts'
import { listObjects } from './list.ts'
import { type S3Config, type S3StoreOptions, s3Config } from './options.ts'
import { objectWriter, putObject } from './writer.ts'

/** A week: signatures allow no more. */
const MAX_PRESIGNED = 7 * 24 * 3600

/** Objects of a bucket of S3 or of a server that speaks its protocol, under the prefix of the URL. */
export class S3Store implements Store {
  readonly url: string
  readonly spec: StoreSpec
  readonly endpoint: string
  readonly #connection: S3Connection
  readonly #guess: SizeGuess = { large: false }

  constructor(config: S3Config, connection: S3Connection) {
    this.url = config.url
    this.spec = { url: config.url, options: config.given }
    this.endpoint = serversOf(config)
    this.#connection = connection
    keepOrigin(this.spec, this)
  }

  head(key: string, options: CallOptions = {}): Promise<ObjectInfo | undefined> {
    return headObject(this.#connection, key, options)
  }

  get(key: string, options: GetOptions = {}): Promise<ObjectBody | undefined> {
    return getObject(this.#connection, key, options, this.#guess)
  }

  list(prefix: string, options: ListOptions = {}): AsyncIterable<ListEntry> {
    return listing((each, how) => listObjects(this.#connection, each, how), prefix, options)
  }

  put(key: string, body: Uint8Array, options: PutOptions = {}): Promise<ObjectInfo> {
    return putObject(this.#connection, key, body, options)
  }

  writer(key: string, options: WriterOptions = {}): ObjectWriter {
    return objectWriter(this.#connection, key, options)
  }

  delete(keys: Iterable<string>, options: CallOptions = {}): AsyncIterable<DeleteResult> {
    return deleteObjects(this.#connection, keys, options)
  }

  copy(from: string, to: string, options: PutOptions = {}): Promise<ObjectInfo> {
    return copyObject(this.#connection, from, to, options)
  }

  async copyFrom(source: Store): Promise<CopyAcross | undefined> {
    const other = originOf(source.spec)
    if (!(other instanceof S3Store) || other.endpoint !== this.endpoint) return undefined
    if (!(await isSameUser(this.#connection.config, other.#connection.config))) return undefined
    return (from, to, options = {}) => copyObject(this.#connection, from, to, options, other.#connection)
  }

  createContainer(options: CallOptions = {}): Promise<void> {
    return createBucket(this.#connection, options)
  }

  deleteContainer(options: CallOptions = {}): Promise<void> {
    return deleteBucket(this.#connection, options)
  }

  listContainers(options: CallOptions = {}): AsyncIterable<ContainerInfo> {
    return listBuckets(this.#connection, options)
  }

  async presign(key: string, { method = 'GET', expires = 3600 }: PresignOptions = {}): Promise<string> {
    const path = wholeKey(this.#connection.config, key)
    oneOf('method', method, ['GET', 'PUT'])
    return this.#connection.presign(method, path, positiveInteger('expires', expires, MAX_PRESIGNED))
  }

  /** What was sent to which endpoint, and how often again. */
  report(): SessionReport {
    return this.#connection.session.report()
  }

  close(): Promise<void> {
    return this.#connection.session.close()
  }
}

function warn(message: string): void {
  process.emitWarning(message, { type: 'HeadraceWarning', code: 'HEADRACE_CLOCK' })
}

/** Opens what stands behind `s3://`. Nothing is sent before the first call. E_USAGE, E_CONFIG for what was given wrong. */
export async function openS3Store(
  location: string,
  options: S3StoreOptions | Readonly<Record<string, unknown>> = {},
): Promise<S3Store> {
  const config = s3Config(location, options as Readonly<Record<string, unknown>>, process.env)
  const client = openHttpClient(clientOptions(config.remote))
  const endpoints = config.endpoints ?? [awsEndpoint(config.region)]
  const session = openSession({ endpoints, client, options: config.remote })
  return new S3Store(config, new S3Connection(config, session, warn))
}
