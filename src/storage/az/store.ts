import { oneOf, positiveInteger, show } from '../../checks.ts'
import { HeadraceError, throwIfAborted } from '../../errors.ts'
import { openHttpClient } from '../http/client.ts'
import type { HeaderFields, HttpResponse } from '../http/types.ts'
import { keepOrigin, originOf } from '../origin.ts'
import { checkRange } from '../range.ts'
import { pause } from '../remote/backoff.ts'
import { checkContentType } from '../remote/content-type.ts'
import { endpointName, endpointNames } from '../remote/endpoints.ts'
import { inOrder } from '../remote/in-order.ts'
import { ListingCheck } from '../remote/listing-check.ts'
import { checkObjectPrefix } from '../remote/object-key.ts'
import { clientOptions } from '../remote/options.ts'
import { orOwnWrite } from '../remote/own-write.ts'
import { pagedList } from '../remote/paged-list.ts'
import { listing } from '../remote/parallel-list.ts'
import { PartsWriter } from '../remote/parts-writer.ts'
import { placing, rangeHeadOf, rangeText } from '../remote/range-head.ts'
import { type FetchRange, rangedGet } from '../remote/ranged-get.ts'
import { openSession } from '../remote/session.ts'
import type { Endpoint, SendOptions, Session, SessionReport } from '../remote/types.ts'
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
  Trace,
  WriterOptions,
} from '../types.ts'
import { AZ_VERSION, type AzCall, azRequest, pathOf } from './account.ts'
import { infoOfHead, readBlobPage, readBlockIds, readContainerPage } from './blobs.ts'
import { checksumHeader, md5Hex, verifyMd5 } from './checksums.ts'
import { isSameUser } from './credentials.ts'
import { azError, azErrorCode } from './errors.ts'
import { checkBlobName } from './names.ts'
import { type AzConfig, azConfig } from './options.ts'
import { blobSas } from './signing.ts'
import { type BlockRequests, blockTarget } from './upload.ts'

/** The most that one page may hold. */
const PAGE = 5000
/** Seconds, a hundred years: dates of signatures have four digits for the year. */
const LONGEST_PRESIGNED = 100 * 365 * 24 * 3600
/** Deletes under way at once. */
const DELETES = 32
/** ms; copies within an account are done at once but for large blobs. */
const COPY_POLL = 250

type Call = Omit<AzCall, 'container' | 'blob' | 'idempotent'> &
  Partial<Pick<AzCall, 'container' | 'blob' | 'idempotent'>> & {
    /** The trace tells every time that it is sent. */
    readonly counted?: true
  }

/** Blobs of one container, under a prefix. */
export class AzStore implements Store {
  readonly url: string
  readonly spec: StoreSpec
  readonly endpoint: string
  readonly #config: AzConfig
  readonly #session: Session
  readonly #requests: BlockRequests

  constructor(config: AzConfig) {
    this.#config = config
    this.url = config.url
    this.spec = { url: config.url, options: config.given }
    this.endpoint = endpointNames(config.endpoints)
    keepOrigin(this.spec, this)
    this.#session = openSession({
      endpoints: config.endpoints,
      client: openHttpClient(clientOptions(config.remote)),
      options: config.remote,
    })
    this.#requests = {
      putBlob: (key, pieces, options) => this.#putBlob(key, pieces, options),
      putBlock: (key, id, pieces, signal) => this.#putBlock(key, id, pieces, signal),
      putBlockList: (key, ids, options) => this.#putBlockList(key, ids, options),
    }
  }

  async head(key: string, options: CallOptions = {}): Promise<ObjectInfo | undefined> {
    checkBlobName(key)
    throwIfAborted(options.signal, 'head')
    return this.#send('look up', key, { method: 'HEAD', idempotent: true }, options, (response) => {
      if (isNoBlob(response)) return undefined
      this.#expect(response, 200, 'look up', key)
      return infoOfHead(key, response.headers)
    })
  }

  async get(key: string, options: GetOptions = {}): Promise<ObjectBody | undefined> {
    checkBlobName(key)
    checkRange(options.range)
    const body = await rangedGet(key, options, this.#config.remote, this.#fetchRange(key))
    if (body !== undefined && this.#config.checksums !== 'off') verifyMd5(body, this.url)
    return body
  }

  list(prefix: string, options: ListOptions = {}): AsyncIterable<ListEntry> {
    return listing((each, how) => this.#list(each, how), prefix, options)
  }

  #list(prefix: string, options: ListOptions): AsyncGenerator<ListEntry> {
    checkObjectPrefix(prefix)
    const { delimiter, trace } = options
    const whole = this.#config.root + prefix
    const fetchPage = (marker: string | undefined, signal: AbortSignal) => {
      const query: [string, string][] = [
        ['restype', 'container'],
        ['comp', 'list'],
        ['maxresults', String(PAGE)],
        ['prefix', whole],
      ]
      if (delimiter !== undefined) query.push(['delimiter', delimiter])
      if (marker !== undefined) query.push(['marker', marker])
      const call: Call = { method: 'GET', blob: '', query, maxBody: 64 * 2 ** 20, idempotent: true }
      return this.#send('list', prefix, call, { signal, ...(trace && { trace }) }, (response) => {
        this.#expect(response, 200, 'list', prefix)
        return readBlobPage(response.body, this.#config.root)
      })
    }
    const hasAfter = (within: string) => this.#hasAfter(within, options)
    return pagedList({ url: this.url, prefix, options, fetchPage, hasAfter })
  }

  async put(key: string, body: Uint8Array, options: PutOptions = {}): Promise<ObjectInfo> {
    checkBlobName(key)
    throwIfAborted(options.signal, 'put')
    return this.#putBlob(key, body.length === 0 ? [] : [body], options)
  }

  writer(key: string, options: WriterOptions = {}): ObjectWriter {
    checkBlobName(key)
    const { partSize, partsInFlight } = this.#config.remote
    const { size, signal, ...put } = options
    return new PartsWriter(blockTarget(this.#requests, key, put), { key, partSize, partsInFlight, size, signal })
  }

  delete(keys: Iterable<string>, options: CallOptions = {}): AsyncIterable<DeleteResult> {
    return inOrder(keys, DELETES, (key) => this.#remove(key, options), options.signal)
  }

  copy(from: string, to: string, options: PutOptions = {}): Promise<ObjectInfo> {
    return this.#copy(this.#config, from, to, options)
  }

  async copyFrom(source: Store): Promise<CopyAcross | undefined> {
    const other = originOf(source.spec)
    if (!(other instanceof AzStore) || other.endpoint !== this.endpoint) return undefined
    if (!isSameUser(this.#config.credentials, other.#config.credentials)) return undefined
    return (from, to, options = {}) => this.#copy(other.#config, from, to, options)
  }

  async #copy(
    { container, root, url }: Pick<AzConfig, 'container' | 'root' | 'url'>,
    from: string,
    to: string,
    options: PutOptions,
  ): Promise<ObjectInfo> {
    checkBlobName(from)
    checkBlobName(to)
    throwIfAborted(options.signal, 'copy')
    const { credentials, endpoints } = this.#config
    const [endpoint] = endpoints
    if (endpoint === undefined) throw new HeadraceError('E_USAGE', 'a store needs an endpoint')
    const source = `${originName(endpoint)}${pathOf(endpoint, container, root + from)}`
    const headers = {
      'x-ms-copy-source': credentials.kind === 'sas' ? `${source}?${credentials.token}` : source,
      ...metadataHeaders(options.metadata),
      ...conditions(options),
    }
    if (options.contentType !== undefined) checkContentType(options.contentType)
    const call: Call = { method: 'PUT', headers, idempotent: options.ifNoneMatch === undefined }
    await this.#send('copy to', to, call, options, (response) => {
      if (isNoBlob(response))
        throw new HeadraceError('E_NOT_FOUND', `cannot copy ${show(from)}: it is not there`, {
          key: from,
          url,
        })
      this.#expect(response, 202, 'copy to', to)
    })
    for (;;) {
      const status = await this.#send('copy to', to, { method: 'HEAD', idempotent: true }, options, (response) => {
        this.#expect(response, 200, 'copy to', to)
        const { headers } = response
        return { copy: headers['x-ms-copy-status'], headers, info: infoOfHead(to, headers) }
      })
      if (status.copy === undefined || status.copy === 'success')
        return this.#describe(status.info, status.headers, options)
      if (status.copy !== 'pending')
        throw new HeadraceError('E_SERVER', `cannot copy to ${show(to)}: the service says ${status.copy}`, {
          url: this.url,
          key: to,
        })
      await pause(COPY_POLL, options.signal)
    }
  }

  async createContainer(options: CallOptions = {}): Promise<void> {
    const call: Call = { method: 'PUT', blob: '', query: [['restype', 'container']], idempotent: false }
    await this.#send('make', undefined, call, options, (response) => this.#expect(response, 201, 'make'))
  }

  async deleteContainer(options: CallOptions = {}): Promise<void> {
    // The service deletes containers with all that is in them.
    const query: [string, string][] = [
      ['restype', 'container'],
      ['comp', 'list'],
      ['maxresults', '1'],
    ]
    const left = await this.#send(
      'delete',
      undefined,
      { method: 'GET', blob: '', query, idempotent: true },
      options,
      (response) => {
        this.#expect(response, 200, 'delete')
        return readBlobPage(response.body, '')
      },
    )
    if (left.entries.length > 0 || left.token !== undefined)
      throw new HeadraceError('E_STATE', `cannot ${this.#what('delete')}: it is not empty`, {
        url: this.url,
      })
    const call: Call = { method: 'DELETE', blob: '', query: [['restype', 'container']], idempotent: true }
    await this.#send('delete', undefined, call, options, (response) => this.#expect(response, 202, 'delete'))
  }

  async *listContainers(options: CallOptions = {}): AsyncGenerator<ContainerInfo> {
    const check = new ListingCheck('', this.url)
    let marker: string | undefined
    do {
      const query: [string, string][] = [['comp', 'list']]
      if (marker !== undefined) query.push(['marker', marker])
      const call: Call = { method: 'GET', container: '', blob: '', query, idempotent: true }
      const page = await this.#send('list the containers of', undefined, call, options, (response) => {
        this.#expect(response, 200, 'list the containers of')
        return readContainerPage(response.body)
      })
      yield* page.names
      marker = page.marker
      check.goesOn(marker)
    } while (marker !== undefined)
  }

  async presign(key: string, { method = 'GET', expires = 3600 }: PresignOptions = {}): Promise<string> {
    checkBlobName(key)
    oneOf('method', method, ['GET', 'PUT'])
    positiveInteger('expires', expires, LONGEST_PRESIGNED)
    const { account, container, root, credentials, endpoints } = this.#config
    const [endpoint] = endpoints
    if (credentials.kind !== 'key' || endpoint === undefined)
      throw new HeadraceError(
        'E_UNSUPPORTED',
        `cannot ${this.#what('presign', key)}: only the account's key can sign URLs`,
        {
          url: this.url,
          key,
          hint: `the credentials came from ${credentials.source}; set AZURE_STORAGE_KEY`,
        },
      )
    const blob = root + key
    const query = blobSas({
      account,
      key: credentials.key,
      container,
      blob,
      permissions: method === 'PUT' ? 'cw' : 'r',
      expires: new Date(Date.now() + expires * 1000),
      version: AZ_VERSION,
    })
    return `${originName(endpoint)}${pathOf(endpoint, container, blob)}?${query}`
  }

  report(): SessionReport {
    return this.#session.report()
  }

  close(): Promise<void> {
    return this.#session.close()
  }

  #fetchRange(key: string): FetchRange {
    return async ({ offset, length, ifMatch, place, signal, trace }) => {
      const headers = { 'x-ms-range': rangeText(offset, length), ...(ifMatch !== undefined && { 'if-match': ifMatch }) }
      const call: Call = {
        method: 'GET',
        headers,
        idempotent: true,
        place: placing(place, (head) => rangeHeadOf(key, head, infoOfHead)),
      }
      const sending = { ...(signal && { signal }), ...(trace && { trace }) }
      const answer = await this.#send('read', key, call, sending, (response) => {
        if (isNoBlob(response)) return 'absent'
        if (response.status === 416) return 'behind'
        if (response.status === 412) return 'changed'
        if (response.status !== 200) this.#expect(response, 206, 'read', key)
        return rangeHeadOf(key, response, infoOfHead)
      })
      if (answer === 'absent') return undefined
      if (answer !== 'behind' && answer !== 'changed') return answer
      const info = await this.head(key, sending)
      if (answer === 'changed' && info !== undefined)
        throw new HeadraceError('E_STATE', `${key} has changed: its etag is not ${show(ifMatch)} any more`, {
          url: this.url,
          key,
        })
      return info === undefined ? undefined : { info, offset, length: 0 }
    }
  }

  /**
   * What a copy request cannot say is said of the copy afterwards: another type, and that there is no metadata. Each of
   * these requests makes a new etag; properties that it does not repeat would be gone.
   */
  async #describe(copied: ObjectInfo, head: HeaderFields, options: PutOptions): Promise<ObjectInfo> {
    const { contentType, metadata } = options
    const { key } = copied
    const retyped = contentType !== undefined && contentType !== copied.contentType
    const cleared = metadata !== undefined && Object.keys(metadata).length === 0 && copied.metadata !== undefined
    if (!retyped && !cleared) return copied
    const say = (comp: string, headers: HeaderFields) =>
      this.#send(
        'copy to',
        key,
        { method: 'PUT', query: [['comp', comp]], headers, idempotent: true },
        options,
        (answer) => this.#expect(answer, 200, 'copy to', key),
      )
    if (retyped) await say('properties', { ...keptProperties(head), 'x-ms-blob-content-type': contentType })
    if (cleared) await say('metadata', {})
    const info = await this.head(key, options)
    if (info !== undefined) return info
    throw new HeadraceError('E_STATE', `${key} is gone, right after it was written`, { url: this.url, key })
  }

  async #putBlob(key: string, pieces: readonly Uint8Array[], options: PutOptions): Promise<ObjectInfo> {
    const headers = {
      'x-ms-blob-type': 'BlockBlob',
      ...described(options),
      ...conditions(options),
      ...this.#checksum(pieces),
    }
    const call: Call = { method: 'PUT', headers, body: pieces, idempotent: true }
    const size = sizeOf(pieces)
    const write = (sending: SendOptions, counted?: true) =>
      this.#send('write', key, { ...call, ...(counted && { counted }) }, sending, (response) =>
        this.#written(response, key, size, options),
      )
    if (options.ifNoneMatch === undefined) return write(options)
    const { signal, trace: given } = options
    const sending = signal === undefined ? {} : { signal }
    return orOwnWrite(given, {
      write: (trace) => write({ ...sending, trace }, true),
      found: async () => {
        const info = await this.head(key, sending)
        const same = info?.checksum?.algorithm === 'md5' && info.checksum.value === md5Hex(pieces)
        return same && info.size === size ? info : undefined
      },
    })
  }

  async #putBlock(key: string, id: string, pieces: readonly Uint8Array[], signal: AbortSignal): Promise<void> {
    const query: [string, string][] = [
      ['comp', 'block'],
      ['blockid', id],
    ]
    const call: Call = { method: 'PUT', query, headers: this.#checksum(pieces), body: pieces, idempotent: true }
    await this.#send('write', key, call, { signal }, (response) => this.#expect(response, 201, 'write', key))
  }

  async #putBlockList(key: string, ids: readonly string[], options: PutOptions): Promise<ObjectInfo> {
    const list = `<?xml version="1.0" encoding="utf-8"?><BlockList>${ids.map((id) => `<Latest>${id}</Latest>`).join('')}</BlockList>`
    const body = [Buffer.from(list)]
    const headers = { ...described(options), ...conditions(options), ...this.#checksum(body) }
    const call: Call = {
      method: 'PUT',
      query: [['comp', 'blocklist']],
      headers,
      body,
      idempotent: true,
    }
    const write = async (trace: Trace | undefined, counted?: true) => {
      const whole = { ...call, ...(counted && { counted }) }
      await this.#send('write', key, whole, trace ? { trace } : {}, (answer) => this.#written(answer, key, 0, options))
      const info = await this.head(key)
      if (info !== undefined) return info
      throw new HeadraceError('E_STATE', `${key} is gone, right after it was written`, { url: this.url, key })
    }
    if (options.ifNoneMatch === undefined) return write(options.trace)
    return orOwnWrite(options.trace, {
      write: (trace) => write(trace, true),
      found: async () => {
        const info = await this.head(key)
        const made = info === undefined ? [] : await this.#blockIds(key, info.etag)
        return made.length === ids.length && made.every((id, i) => id === ids[i]) ? info : undefined
      },
    })
  }

  /** Of which blocks a blob was made: their ids are of one upload only. */
  #blockIds(key: string, etag: string): Promise<readonly string[]> {
    const query: [string, string][] = [
      ['comp', 'blocklist'],
      ['blocklisttype', 'committed'],
    ]
    const call: Call = { method: 'GET', query, headers: { 'if-match': etag }, idempotent: true }
    return this.#send('look up', key, call, {}, (response) => {
      this.#expect(response, 200, 'look up', key)
      return readBlockIds(response.body)
    })
  }

  async #remove(key: string, options: CallOptions): Promise<DeleteResult> {
    try {
      checkBlobName(key)
      const headers = { 'x-ms-delete-snapshots': 'include' }
      await this.#send('delete', key, { method: 'DELETE', headers, idempotent: true }, options, (response) => {
        if (!isNoBlob(response)) this.#expect(response, 202, 'delete', key)
      })
      return { key }
    } catch (error) {
      return { key, error: error instanceof Error ? error : new Error(String(error)) }
    }
  }

  async #hasAfter(prefix: string, { startAfter, signal }: ListOptions): Promise<boolean> {
    const options = { ...(startAfter !== undefined && { startAfter }), ...(signal && { signal }) }
    for await (const _ of this.#list(prefix, options)) return true
    return false
  }

  #checksum(pieces: readonly Uint8Array[]): HeaderFields {
    return checksumHeader(this.#config.checksums, pieces)
  }

  #written(response: HttpResponse, key: string, size: number, options: PutOptions): ObjectInfo {
    const exists = response.status === 409 || response.status === 412
    if (exists && options.ifNoneMatch !== undefined)
      throw new HeadraceError('E_EXISTS', `${key} is there already`, { url: this.url, key })
    this.#expect(response, 201, 'write', key)
    const { contentType, metadata } = options
    // The checksum of an answer is that of what was sent, which may be a part or a list of parts.
    const { checksum: _, ...info } = infoOfHead(key, response.headers, size)
    return {
      ...info,
      ...(contentType !== undefined ? { contentType } : { contentType: DEFAULT_TYPE }),
      ...(metadata !== undefined && { metadata }),
    }
  }

  /** 'write az://account/container/key'; without a key it is about the container, or the account where there is none. */
  #what(doing: string, key?: string): string {
    const { account, container } = this.#config
    if (key === undefined) return `${doing} az://${account}${container === '' ? '' : `/${container}`}`
    return `${doing} ${this.url}${key === '' ? '' : `/${key}`}`
  }

  #expect(response: HttpResponse, status: number, doing: string, key?: string): void {
    if (response.status === status) return
    const what = this.#what(doing, key)
    throw azError(response, this.#config.credentials, { doing: what, url: this.url, ...(key !== undefined && { key }) })
  }

  #send<T>(
    doing: string,
    key: string | undefined,
    call: Call,
    options: SendOptions,
    read: (response: HttpResponse) => T,
  ): Promise<T> {
    const { container, root, credentials } = this.#config
    const { signal, trace } = options
    if (container === '' && call.container === undefined)
      throw new HeadraceError('E_USAGE', `${this.url} names no container, so it has no objects`, { url: this.url })
    const blob = call.blob ?? (key === undefined ? '' : root + key)
    const { counted, ...plain } = call
    const whole = { container, idempotent: false, ...plain, blob, ...(signal && { signal }) }
    const sent = { ...whole, idempotent: whole.idempotent && counted !== true }
    return this.#session.send(
      {
        doing: this.#what(doing, key),
        url: this.url,
        idempotent: whole.idempotent,
        ...(key !== undefined && { key }),
        build: (endpoint) => azRequest(credentials, endpoint, sent, Date.now()),
        read,
      },
      { ...(signal && { signal }), ...(trace && { trace }) },
    )
  }
}

/** What the service makes of a blob without one. */
const DEFAULT_TYPE = 'application/octet-stream'

function isNoBlob(response: HttpResponse): boolean {
  // The answer to a HEAD of a proxy may have no code; that of the service itself always has.
  return response.status === 404 && azErrorCode(response) !== 'ContainerNotFound'
}

function sizeOf(pieces: readonly Uint8Array[]): number {
  return pieces.reduce((sum, piece) => sum + piece.length, 0)
}

function conditions({ ifNoneMatch }: PutOptions): HeaderFields {
  return ifNoneMatch === undefined ? {} : { 'if-none-match': '*' }
}

function described({ contentType, metadata }: PutOptions): HeaderFields {
  const headers: Record<string, string> = {}
  if (contentType !== undefined) headers['x-ms-blob-content-type'] = checkContentType(contentType)
  return { ...headers, ...metadataHeaders(metadata) }
}

/** Names of metadata are identifiers of C#, values what a header can hold: the service refuses others, unsaid why. */
function metadataHeaders(metadata: PutOptions['metadata']): HeaderFields {
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(metadata ?? {})) {
    if (!/^[a-z_][a-z0-9_]*$/.test(name))
      throw new HeadraceError(
        'E_USAGE',
        `in Azure a name of metadata must be letters in lower case, digits and _, but got ${show(name)}`,
      )
    if (typeof value !== 'string' || !/^(?:[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?)?$/.test(value))
      throw new HeadraceError('E_USAGE', `in Azure metadata ${name} must be printable ASCII, but got ${show(value)}`)
    headers[`x-ms-meta-${name}`] = value
  }
  return headers
}

const PROPERTIES = [
  'cache-control',
  'content-disposition',
  'content-encoding',
  'content-language',
  'content-md5',
] as const

/** The properties of a blob as the request has them that sets all of them. */
function keptProperties(head: HeaderFields): HeaderFields {
  return Object.fromEntries(
    PROPERTIES.flatMap((name) => (head[name] === undefined ? [] : [[`x-ms-blob-${name}`, head[name]]])),
  )
}

/** 'http://[::1]:10000', without what stands before every path. */
function originName({ origin }: Endpoint): string {
  return endpointName({ origin, basePath: '' })
}

export async function openAzStore(location: string, options: Readonly<Record<string, unknown>> = {}): Promise<AzStore> {
  return new AzStore(await azConfig(location, options, process.env))
}
