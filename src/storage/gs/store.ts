import { randomBytes } from 'node:crypto'
import { oneOf, positiveInteger, show } from '../../checks.ts'
import { HeadraceError, throwIfAborted } from '../../errors.ts'
import { native } from '../../native.ts'
import { openHttpClient } from '../http/client.ts'
import type { HeaderFields, HttpHead, HttpRequest, HttpResponse, Method } from '../http/types.ts'
import { keepOrigin, originOf } from '../origin.ts'
import { checkRange } from '../range.ts'
import { checkContentType } from '../remote/content-type.ts'
import { endpointNames } from '../remote/endpoints.ts'
import { inOrder } from '../remote/in-order.ts'
import { ListingCheck } from '../remote/listing-check.ts'
import { checkObjectKey, checkObjectPrefix } from '../remote/object-key.ts'
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
  WriterOptions,
} from '../types.ts'
import { gsError } from './errors.ts'
import { infoOfHead, infoOfResource, OBJECT_FIELDS, readJson, readObjectPage } from './objects.ts'
import { type GsConfig, gsConfig } from './options.ts'
import { gsPartSize, type ResumableRequests, resumableTarget } from './upload.ts'
import { urlToSign } from './url-signing.ts'

/** The most that one page may hold. */
const PAGE = 1000
/** Seconds, a week: signatures allow no more. */
const MAX_PRESIGNED = 7 * 24 * 3600
/** Deletes under way at once. */
const DELETES = 32
/** Where buckets are made and listed. */
const BUCKETS = '/storage/v1/b'
/** What a copy takes over from its original unless it is said anew. */
const EDITABLE = [
  'contentType',
  'metadata',
  'cacheControl',
  'contentDisposition',
  'contentEncoding',
  'contentLanguage',
  'storageClass',
] as const
const DEFAULT_TYPE = 'application/octet-stream'

interface Call {
  readonly method: Method
  /** Encoded, from '/storage/v1' or '/upload/storage/v1' on. */
  readonly path: string
  readonly query?: Readonly<Record<string, string>>
  readonly headers?: HeaderFields
  readonly body?: readonly Uint8Array[]
  readonly place?: (head: HttpHead) => Uint8Array | undefined
  readonly maxBody?: number
  readonly idempotent: boolean
  /** The trace tells every time that it is sent. */
  readonly counted?: true
}

/** Objects of one bucket, under a prefix. */
export class GsStore implements Store {
  readonly url: string
  readonly spec: StoreSpec
  readonly endpoint: string
  readonly #config: GsConfig
  readonly #session: Session
  readonly #requests: ResumableRequests

  constructor(config: GsConfig) {
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
      putWhole: (key, pieces, options) => this.#putWhole(key, pieces, options),
      openUpload: (key, options) => this.#openUpload(key, options),
      sendChunk: (key, session, chunk, options) => this.#sendChunk(key, session, chunk, options),
      cancelUpload: (key, session) => this.#cancelUpload(key, session),
      removeGeneration: (key, generation) => this.#delete(key, { generation }, {}),
    }
  }

  async head(key: string, options: CallOptions = {}): Promise<ObjectInfo | undefined> {
    checkObjectKey(key)
    throwIfAborted(options.signal, 'head')
    const call: Call = { method: 'GET', path: this.#pathOf(key), query: { fields: OBJECT_FIELDS }, idempotent: true }
    return this.#send('look up', key, call, options, (response) => {
      if (response.status === 404) return this.#absent(response, key)
      this.#expect(response, 'look up', key)
      return infoOfResource(key, readJson(response.body))
    })
  }

  async get(key: string, options: GetOptions = {}): Promise<ObjectBody | undefined> {
    checkObjectKey(key)
    checkRange(options.range)
    const { ifMatch } = options
    if (ifMatch !== undefined && !/^\d{1,20}$/.test(ifMatch))
      throw new HeadraceError('E_STATE', `${key} has changed: its etag is not ${show(ifMatch)} any more`, {
        url: this.url,
        key,
      })
    const body = await rangedGet(key, options, this.#config.remote, this.#fetchRange(key))
    if (body === undefined) return undefined
    const { info, data } = body
    const whole = data.length === info.size && info.checksum?.algorithm === 'crc32c'
    if (whole && this.#config.checksums !== 'off') {
      const found = native.crc32c(data).toString(16).padStart(8, '0')
      if (found !== info.checksum?.value)
        throw new HeadraceError(
          'E_CHECKSUM',
          `cannot read ${show(key)}: its crc32c is ${info.checksum?.value}, but that of what came is ${found}`,
          { url: this.url, key },
        )
    }
    return body
  }

  list(prefix: string, options: ListOptions = {}): AsyncIterable<ListEntry> {
    return listing((each, how) => this.#list(each, how), prefix, options)
  }

  #list(prefix: string, options: ListOptions): AsyncGenerator<ListEntry> {
    checkObjectPrefix(prefix)
    const { delimiter, startAfter = '', trace } = options
    const { root } = this.#config
    const whole = root + prefix
    const fetchPage = (token: string | undefined, signal: AbortSignal) => {
      const query: Record<string, string> = {
        prefix: whole,
        maxResults: String(PAGE),
        fields: `items(${OBJECT_FIELDS}),prefixes,nextPageToken`,
      }
      if (delimiter !== undefined) query.delimiter = delimiter
      if (startAfter !== '') query.startOffset = root + beginningOf(startAfter, prefix, delimiter)
      if (token !== undefined) query.pageToken = token
      const call: Call = {
        method: 'GET',
        path: `${this.#bucketPath()}/o`,
        query,
        maxBody: 64 * 2 ** 20,
        idempotent: true,
      }
      return this.#send('list', prefix, call, { signal, ...(trace && { trace }) }, (response) => {
        this.#expect(response, 'list', prefix)
        return readObjectPage(response.body, root)
      })
    }
    const hasAfter = (within: string) => this.#hasAfter(within, options)
    return pagedList({ url: this.url, prefix, options, fetchPage, hasAfter })
  }

  async put(key: string, body: Uint8Array, options: PutOptions = {}): Promise<ObjectInfo> {
    checkObjectKey(key)
    throwIfAborted(options.signal, 'put')
    return this.#putWhole(key, [body], options)
  }

  writer(key: string, options: WriterOptions = {}): ObjectWriter {
    checkObjectKey(key)
    const { size, signal, ...put } = options
    const target = resumableTarget(this.#requests, key, put, this.#config.checksums !== 'off')
    // The service takes the parts of an upload one after the other.
    const partSize = gsPartSize(this.#config.remote.partSize)
    return new PartsWriter(target, { key, partSize, partsInFlight: 1, size, signal })
  }

  delete(keys: Iterable<string>, options: CallOptions = {}): AsyncIterable<DeleteResult> {
    const remove = async (key: string): Promise<DeleteResult> => {
      try {
        checkObjectKey(key)
        await this.#delete(key, {}, options)
        return { key }
      } catch (error) {
        return { key, error: error instanceof Error ? error : new Error(String(error)) }
      }
    }
    return inOrder(keys, DELETES, remove, options.signal)
  }

  copy(from: string, to: string, options: PutOptions = {}): Promise<ObjectInfo> {
    return this.#copy(this, from, to, options)
  }

  async copyFrom(source: Store): Promise<CopyAcross | undefined> {
    const other = originOf(source.spec)
    if (!(other instanceof GsStore) || other.endpoint !== this.endpoint) return undefined
    // One process has one set of application default credentials.
    const { credentials: mine, given } = this.#config
    const { credentials: theirs, given: givenThere } = other.#config
    if (mine.kind !== theirs.kind || given.keyFile !== givenThere.keyFile) return undefined
    return (from, to, options = {}) => this.#copy(other, from, to, options)
  }

  async #copy(source: GsStore, from: string, to: string, options: PutOptions): Promise<ObjectInfo> {
    checkObjectKey(from)
    checkObjectKey(to)
    throwIfAborted(options.signal, 'copy')
    const path = `${source.#pathOf(from)}/rewriteTo${this.#bucketPath().replace('/storage/v1', '')}/o/${encodeURIComponent(this.#config.root + to)}`
    // Some servers pass over the condition.
    if (options.ifNoneMatch !== undefined && (await this.head(to, options)) !== undefined)
      throw new HeadraceError('E_EXISTS', `${to} is there already`, { url: this.url, key: to })
    const said = await source.#copiedResource(from, options)
    let token: string | undefined
    for (;;) {
      const query: Record<string, string> = {
        ...conditions(options),
        ...(said !== undefined && { ifSourceGenerationMatch: said.generation }),
        ...(token !== undefined && { rewriteToken: token }),
      }
      const call: Call = {
        method: 'POST',
        path,
        query,
        idempotent: options.ifNoneMatch === undefined,
        ...(said !== undefined && {
          headers: { 'content-type': 'application/json; charset=UTF-8' },
          body: [Buffer.from(JSON.stringify(said.resource))],
        }),
      }
      const state = await this.#send('copy to', to, call, options, (response) => {
        if (response.status === 404) {
          source.#absent(response, from)
          throw new HeadraceError('E_NOT_FOUND', `cannot copy ${show(from)}: it is not there`, {
            url: source.url,
            key: from,
          })
        }
        this.#refuseExisting(response, to, options)
        if (response.status === 412) throw source.#changed(from, said?.generation)
        this.#expect(response, 'copy to', to)
        return readJson(response.body)
      })
      if (state.done === true) return infoOfResource(to, (state.resource ?? {}) as Record<string, unknown>)
      if (typeof state.rewriteToken !== 'string')
        throw new HeadraceError(
          'E_CORRUPT',
          `cannot copy to ${show(to)}: the answer says neither done nor how to go on`,
          { url: this.url, key: to },
        )
      token = state.rewriteToken
    }
  }

  async createContainer(options: CallOptions = {}): Promise<void> {
    const { bucket, project } = this.#config
    const body = [Buffer.from(JSON.stringify({ name: bucket }))]
    const headers = { 'content-type': 'application/json' }
    const query = project === undefined ? {} : { project }
    const call: Call = { method: 'POST', path: BUCKETS, query, headers, body, idempotent: false }
    await this.#send('make', undefined, call, options, (response) => this.#expect(response, 'make'))
  }

  async deleteContainer(options: CallOptions = {}): Promise<void> {
    const call: Call = { method: 'DELETE', path: this.#bucketPath(), idempotent: true }
    await this.#send('delete', undefined, call, options, (response) => {
      if (response.status === 409 || response.status === 412)
        throw new HeadraceError('E_STATE', `cannot ${this.#what('delete')}: it is not empty`, {
          url: this.url,
        })
      this.#expect(response, 'delete')
    })
  }

  async *listContainers(options: CallOptions = {}): AsyncGenerator<ContainerInfo> {
    const { project } = this.#config
    const check = new ListingCheck('', this.url)
    let token: string | undefined
    do {
      const query: Record<string, string> = {
        ...(project !== undefined && { project }),
        ...(token !== undefined && { pageToken: token }),
      }
      const page = await this.#send(
        'list the buckets of',
        undefined,
        { method: 'GET', path: BUCKETS, query, idempotent: true },
        options,
        (response) => {
          this.#expect(response, 'list the buckets of')
          return readJson(response.body)
        },
      )
      for (const each of Array.isArray(page.items) ? (page.items as Record<string, unknown>[]) : []) {
        const created = Date.parse(String(each.timeCreated))
        if (typeof each.name === 'string') yield { name: each.name, ...(!Number.isNaN(created) && { created }) }
      }
      token = typeof page.nextPageToken === 'string' && page.nextPageToken !== '' ? page.nextPageToken : undefined
      check.goesOn(token)
    } while (token !== undefined)
  }

  async presign(key: string, { method = 'GET', expires = 3600 }: PresignOptions = {}): Promise<string> {
    checkObjectKey(key)
    oneOf('method', method, ['GET', 'PUT'])
    positiveInteger('expires', expires, MAX_PRESIGNED)
    const { credentials, bucket, root, endpoints } = this.#config
    const [endpoint] = endpoints
    if (credentials.kind !== 'token' || endpoint === undefined)
      throw new HeadraceError('E_UNSUPPORTED', `cannot ${this.#what('presign', key)}: that takes a service account`, {
        url: this.url,
        key,
      })
    const { email, sign } = await credentials.signer()
    const { text, url } = urlToSign({ endpoint, method, bucket, name: root + key, expires, email, now: new Date() })
    const signature = Buffer.from(await sign(text), 'base64').toString('hex')
    return `${url}&X-Goog-Signature=${signature}`
  }

  report(): SessionReport {
    return this.#session.report()
  }

  close(): Promise<void> {
    return this.#session.close()
  }

  #fetchRange(key: string): FetchRange {
    return async ({ offset, length, ifMatch, place, signal, trace }) => {
      const query: Record<string, string> = {
        alt: 'media',
        ...(ifMatch !== undefined && { ifGenerationMatch: ifMatch }),
      }
      // Objects stored compressed are delivered as they are: their sizes are those of the stored bytes.
      const headers = { range: rangeText(offset, length), 'accept-encoding': 'gzip' }
      const checked = (head: HttpHead) => {
        const found = rangeHeadOf(key, head, infoOfHead)
        // Some servers pass over the condition.
        if (ifMatch !== undefined && found.info.etag !== ifMatch) throw this.#changed(key, ifMatch)
        return found
      }
      const call: Call = {
        method: 'GET',
        path: this.#pathOf(key),
        query,
        headers,
        idempotent: true,
        place: placing(place, checked),
      }
      const sending = { ...(signal && { signal }), ...(trace && { trace }) }
      const answer = await this.#send('read', key, call, sending, (response) => {
        if (response.status === 404) return this.#absent(response, key) ?? 'absent'
        if (response.status === 416) return 'behind'
        if (response.status === 412) throw this.#changed(key, ifMatch)
        this.#expect(response, 'read', key)
        return checked(response)
      })
      if (answer === 'absent') return undefined
      if (answer !== 'behind') return answer
      const info = await this.head(key, sending)
      if (info !== undefined && ifMatch !== undefined && info.etag !== ifMatch) throw this.#changed(key, ifMatch)
      return info === undefined ? undefined : { info, offset, length: 0 }
    }
  }

  #changed(key: string, etag: string | undefined): HeadraceError {
    return new HeadraceError('E_STATE', `${key} has changed: its etag is not ${show(etag)} any more`, {
      url: this.url,
      key,
    })
  }

  /**
   * What a copy is to say of itself where that is not all the same as of the original: what is not given anew has to be
   * repeated. undefined where nothing is given.
   */
  async #copiedResource(from: string, options: PutOptions) {
    const { contentType, metadata } = options
    if (contentType === undefined && metadata === undefined) return undefined
    const query = { fields: ['generation', ...EDITABLE].join(',') }
    const found = await this.#send(
      'look up',
      from,
      { method: 'GET', path: this.#pathOf(from), query, idempotent: true },
      options,
      (response) => {
        if (response.status === 404) {
          this.#absent(response, from)
          throw new HeadraceError('E_NOT_FOUND', `cannot copy ${show(from)}: it is not there`, {
            url: this.url,
            key: from,
          })
        }
        this.#expect(response, 'look up', from)
        return readJson(response.body)
      },
    )
    const kept = EDITABLE.flatMap((name) => (found[name] === undefined ? [] : [[name, found[name]]]))
    const resource = {
      ...Object.fromEntries(kept),
      ...(contentType !== undefined && { contentType: checkContentType(contentType) }),
      ...(metadata !== undefined && { metadata }),
    }
    return { generation: String(found.generation), resource }
  }

  /** Metadata and bytes in one request, so that the service compares the checksum before it keeps anything. */
  async #putWhole(key: string, pieces: readonly Uint8Array[], options: PutOptions): Promise<ObjectInfo> {
    const boundary = randomBytes(16).toString('hex')
    let crc = 0
    if (this.#config.checksums !== 'off') for (const piece of pieces) crc = native.crc32c(piece, crc)
    const sum = Buffer.allocUnsafe(4)
    sum.writeUInt32BE(crc >>> 0)
    const resource = {
      ...this.#resource(key, options),
      ...(this.#config.checksums !== 'off' && { crc32c: sum.toString('base64') }),
    }
    const type = typeOf(options)
    const head = `--${boundary}\r\ncontent-type: application/json; charset=UTF-8\r\n\r\n${JSON.stringify(resource)}\r\n--${boundary}\r\ncontent-type: ${type}\r\n\r\n`
    const body = [Buffer.from(head), ...pieces, Buffer.from(`\r\n--${boundary}--\r\n`)]
    const call: Call = {
      method: 'POST',
      path: `/upload${this.#bucketPath()}/o`,
      query: { uploadType: 'multipart', fields: OBJECT_FIELDS, ...conditions(options) },
      headers: { 'content-type': `multipart/related; boundary=${boundary}` },
      body,
      idempotent: true,
    }
    const write = (sending: SendOptions, counted?: true) =>
      this.#send('write', key, { ...call, ...(counted && { counted }) }, sending, (response) => {
        this.#refuseExisting(response, key, options)
        this.#expect(response, 'write', key)
        return infoOfResource(key, readJson(response.body))
      })
    if (options.ifNoneMatch === undefined) return write(options)
    const { signal, trace: given } = options
    const sending = signal === undefined ? {} : { signal }
    return orOwnWrite(given, {
      write: (trace) => write({ ...sending, trace }, true),
      found: async () => {
        const info = await this.head(key, sending)
        const sent = pieces.reduce((sum, piece) => native.crc32c(piece, sum), 0)
        const same = info?.checksum?.value === (sent >>> 0).toString(16).padStart(8, '0')
        return same && info?.size === pieces.reduce((sum, piece) => sum + piece.length, 0) ? info : undefined
      },
    })
  }

  async #openUpload(key: string, options: PutOptions): Promise<string> {
    const body = [Buffer.from(JSON.stringify(this.#resource(key, options)))]
    const call: Call = {
      method: 'POST',
      path: `/upload${this.#bucketPath()}/o`,
      query: { uploadType: 'resumable', name: this.#config.root + key, fields: OBJECT_FIELDS, ...conditions(options) },
      headers: {
        'content-type': 'application/json; charset=UTF-8',
        'x-upload-content-type': typeOf(options),
      },
      body,
      // One that nobody knows of holds nothing and ends after a week.
      idempotent: true,
    }
    return this.#send('write', key, call, options, (response) => {
      this.#refuseExisting(response, key, options)
      this.#expect(response, 'write', key)
      const { location } = response.headers
      // Only its path and query are taken: bytes and token go to the endpoint that was asked, whatever host stands there.
      const session = location === undefined ? undefined : safeUrl(location)
      if (session === undefined)
        throw new HeadraceError('E_CORRUPT', `cannot write ${show(key)}: the answer names no upload`, {
          url: this.url,
          key,
        })
      return `${session.pathname}${session.search}`
    })
  }

  async #sendChunk(
    key: string,
    session: string,
    {
      pieces,
      offset,
      total,
    }: { readonly pieces: readonly Uint8Array[]; readonly offset: number; readonly total: number | undefined },
    options: PutOptions,
  ): Promise<{ readonly info: ObjectInfo } | { readonly kept: number }> {
    const bytes = pieces.reduce((sum, piece) => sum + piece.length, 0)
    const range = bytes === 0 ? '*' : `${offset}-${offset + bytes - 1}`
    const headers = { 'content-range': `bytes ${range}/${total ?? '*'}` }
    const call: Call = { method: 'PUT', path: session, headers, body: pieces, idempotent: true }
    return this.#send('write', key, call, options, (response) => {
      if (response.status === 308) {
        const [, last] = /^bytes=0-(\d{1,16})$/.exec(response.headers.range ?? '') ?? []
        return { kept: last === undefined ? 0 : Number(last) + 1 }
      }
      this.#refuseExisting(response, key, options)
      this.#expect(response, 'write', key)
      return { info: infoOfResource(key, readJson(response.body)) }
    })
  }

  async #cancelUpload(key: string, session: string): Promise<void> {
    await this.#send(
      'drop the upload of',
      key,
      { method: 'DELETE', path: session, idempotent: true },
      {},
      (response) => {
        // 499: it is cancelled. 404, 410: it was already.
        if (![499, 404, 410].includes(response.status)) this.#expect(response, 'drop the upload of', key)
      },
    )
  }

  async #delete(key: string, query: Readonly<Record<string, string>>, options: SendOptions): Promise<void> {
    const call: Call = { method: 'DELETE', path: this.#pathOf(key), query, idempotent: true }
    await this.#send('delete', key, call, options, (response) => {
      if (response.status === 404) this.#absent(response, key)
      else this.#expect(response, 'delete', key)
    })
  }

  #resource(key: string, options: PutOptions) {
    const { metadata } = options
    return {
      name: this.#config.root + key,
      contentType: typeOf(options),
      ...(metadata !== undefined && { metadata }),
    }
  }

  #bucketPath(): string {
    return `/storage/v1/b/${this.#config.bucket}`
  }

  #pathOf(key: string): string {
    return `${this.#bucketPath()}/o/${encodeURIComponent(this.#config.root + key)}`
  }

  /** A 404 is about the object, unless it names the bucket. */
  #absent(response: HttpResponse, key: string): undefined {
    const text = Buffer.from(
      response.body.buffer,
      response.body.byteOffset,
      Math.min(response.body.length, 4096),
    ).toString('latin1')
    if (/specified bucket does not exist/i.test(text))
      throw gsError(response, this.#config.credentials, {
        doing: this.#what('find the bucket of', key),
        url: this.url,
        key,
      })
    return undefined
  }

  async #hasAfter(prefix: string, { startAfter, signal }: ListOptions): Promise<boolean> {
    const options = { ...(startAfter !== undefined && { startAfter }), ...(signal && { signal }) }
    for await (const _ of this.#list(prefix, options)) return true
    return false
  }

  #refuseExisting(response: HttpResponse, key: string, { ifNoneMatch }: PutOptions): void {
    if (response.status === 412 && ifNoneMatch !== undefined)
      throw new HeadraceError('E_EXISTS', `${key} is there already`, { url: this.url, key })
  }

  /** 'write gs://bucket/key'; without a key it is about the bucket, or the account where there is none. */
  #what(doing: string, key?: string): string {
    const { bucket, project } = this.#config
    if (key === undefined) return bucket === '' ? `${doing} ${project ?? 'gs://'}` : `${doing} gs://${bucket}`
    return `${doing} ${this.url}${key === '' ? '' : `/${key}`}`
  }

  #expect(response: HttpResponse, doing: string, key?: string): void {
    if (response.status >= 200 && response.status < 300) return
    const what = this.#what(doing, key)
    throw gsError(response, this.#config.credentials, { doing: what, url: this.url, ...(key !== undefined && { key }) })
  }

  #send<T>(
    doing: string,
    key: string | undefined,
    call: Call,
    { signal, trace }: SendOptions,
    read: (response: HttpResponse) => T,
  ): Promise<T> {
    if (this.#config.bucket === '' && call.path !== BUCKETS)
      throw new HeadraceError('E_USAGE', `${this.url} names no bucket, so it has no objects`, { url: this.url })
    return this.#session.send(
      {
        doing: this.#what(doing, key),
        url: this.url,
        idempotent: call.idempotent,
        ...(key !== undefined && { key }),
        build: (endpoint) => this.#build(endpoint, call),
        read,
      },
      { ...(signal && { signal }), ...(trace && { trace }) },
    )
  }

  async #build(endpoint: Endpoint, { path, query = {}, headers, counted, ...rest }: Call): Promise<HttpRequest> {
    const { credentials } = this.#config
    const pairs = Object.entries(query).map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
    const asking = pairs.length === 0 ? '' : `${path.includes('?') ? '&' : '?'}${pairs.join('&')}`
    const authorization = credentials.kind === 'token' ? { authorization: `Bearer ${await credentials.token()}` } : {}
    return {
      ...rest,
      idempotent: rest.idempotent && counted !== true,
      origin: endpoint.origin,
      target: `${endpoint.basePath}${path}${asking}`,
      headers: { ...headers, ...authorization },
    }
  }
}

function safeUrl(text: string): URL | undefined {
  try {
    return new URL(text)
  } catch {
    return undefined
  }
}

/** A rolled-up prefix begins before the keys in it, and some servers leave it out by that. */
function beginningOf(startAfter: string, prefix: string, delimiter: string | undefined): string {
  if (delimiter === undefined || !startAfter.startsWith(prefix)) return startAfter
  const cut = startAfter.indexOf(delimiter, prefix.length)
  return cut < 0 ? startAfter : startAfter.slice(0, cut + 1)
}

function typeOf({ contentType }: PutOptions): string {
  return contentType === undefined ? DEFAULT_TYPE : checkContentType(contentType)
}

function conditions({ ifNoneMatch }: PutOptions): Readonly<Record<string, string>> {
  return ifNoneMatch === undefined ? {} : { ifGenerationMatch: '0' }
}

export async function openGsStore(location: string, options: Readonly<Record<string, unknown>> = {}): Promise<GsStore> {
  return new GsStore(await gsConfig(location, options, process.env))
}
