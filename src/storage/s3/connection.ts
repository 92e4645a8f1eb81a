import { HeadraceError, isHeadraceError } from '../../errors.ts'
import type { HeaderFields, HttpHead, HttpRequest, HttpResponse, Method } from '../http/types.ts'
import { canonicalQuery, encodeKey } from '../remote/encoding.ts'
import { Again, type Endpoint, type Exchange, type SendOptions, type Session } from '../remote/types.ts'
import { awsEndpoint, hostHeader, type Target, targetOf } from './addressing.ts'
import type { Credentials } from './credentials.ts'
import { failureOf, readServerError, type ServerError } from './errors.ts'
import { quotedEtag } from './object-headers.ts'
import type { S3Config } from './options.ts'
import { type Redirect, redirectOf } from './redirect.ts'
import { amzDate, Signer, sha256Hex, UNSIGNED_PAYLOAD } from './signing.ts'

/** One request to S3 as plain data. */
export interface Operation<T> {
  readonly method: Method
  /** For messages: 'get'. */
  readonly doing: string
  /** As the caller knows it, for messages. */
  readonly key?: string
  /** The whole key in the bucket; without it the request is about the bucket, or without a bucket about the account. */
  readonly path?: string
  readonly bucket?: string
  readonly query?: Iterable<readonly [string, string]>
  /** Signed; names in lower case. */
  readonly headers?: HeaderFields
  /** Sent and not signed: what the server does not ask to be, so that requests cost less. */
  readonly plain?: HeaderFields
  readonly body?: readonly Uint8Array[]
  readonly place?: (head: HttpHead) => Uint8Array | undefined
  readonly maxBody?: number
  readonly idempotent: boolean
  /** The trace tells every time that it is sent, also again because a connection that was kept turned out to be dead. */
  readonly counted?: true
  /** Of an answer with 2xx. */
  read(response: HttpResponse): T
  /** What a failure means here: a value, an error of its own, or undefined where there is nothing special about it. */
  failed?(error: ServerError): { readonly value: T } | HeadraceError | undefined
}

/** What a request was built on. */
interface Assumptions {
  readonly region: string
  /** Milliseconds. */
  readonly skew: number
  readonly credentials: Credentials | undefined
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

const EMPTY_SHA256 = sha256Hex('')
/** Milliseconds that servers allow. */
const ALLOWED_SKEW = 15 * 60_000
/** Milliseconds: with less between the clocks, a server that complains does so for another reason. */
const LEAST_SKEW = 60_000
const EXPIRED: readonly string[] = ['ExpiredToken', 'TokenRefreshRequired']

/** Builds, signs and sends requests, and learns what answers teach: the region of the bucket, the time of the server. */
export class S3Connection {
  readonly config: S3Config
  readonly #session: Session
  readonly #warn: (message: string) => void
  #region: string
  /** Milliseconds that the server's clock is ahead of ours. */
  #skew = 0
  #signer: Signer | undefined
  #signerOf: Credentials | undefined
  #targets = new Map<Endpoint, Target>()
  /** The bucket's name makes a host for which there are no certificates. */
  readonly #dotted: boolean

  constructor(config: S3Config, session: Session, warn: (message: string) => void) {
    this.config = config
    const secure = config.endpoints?.some(({ origin }) => origin.protocol === 'https:') ?? true
    this.#dotted = secure && config.style === 'virtual' && config.bucket.includes('.')
    this.#session = session
    this.#warn = warn
    this.#region = config.region
  }

  get region(): string {
    return this.#region
  }

  get session(): Session {
    return this.#session
  }

  /** 's3://bucket/prefix/key'. */
  urlOf(key: string | undefined): string {
    return key === undefined ? this.config.url : `${this.config.url}/${key}`
  }

  async send<T>(operation: Operation<T>, options?: SendOptions): Promise<T> {
    const url = this.urlOf(operation.key)
    let used: Credentials | undefined
    let region = this.#region
    let skew = this.#skew
    let redirect: Redirect | undefined
    let sent: HttpRequest | undefined
    const built = (endpoint: Endpoint, credentials: Credentials | undefined): HttpRequest => {
      used = credentials
      region = this.#region
      skew = this.#skew
      sent = this.#build(operation, endpoint, credentials, redirect)
      return sent
    }
    const exchange: Exchange<T> = {
      doing: `${operation.doing} ${url}`,
      url,
      ...(operation.key !== undefined && { key: operation.key }),
      idempotent: operation.idempotent,
      build: (endpoint) => {
        const credentials = this.config.credentials?.current()
        if (credentials instanceof Promise) return credentials.then((found) => built(endpoint, found))
        return built(endpoint, credentials)
      },
      read: (response) => {
        if (response.status >= 200 && response.status < 300) return operation.read(response)
        const error = hidden(readServerError(response), used)
        const meant = operation.failed?.(error)
        if (meant instanceof HeadraceError) throw meant
        if (meant !== undefined) return meant.value
        this.#learn(error, response, { region, skew, credentials: used })
        if (sent !== undefined) {
          redirect = redirectOf(response, sent.origin, `${operation.doing} ${url}`) ?? redirect
          if (redirect !== undefined && error.status < 400) throw new Again('the server redirects')
        }
        throw this.failure(operation, error, used)
      },
    }
    if (!this.#dotted) return this.#session.send(exchange, options)
    try {
      return await this.#session.send(exchange, options)
    } catch (error) {
      if (!isHeadraceError(error, 'E_NETWORK') || !isOfAnotherName(error.details.cause)) throw error
      const hint = 'no certificate fits a bucket whose name has dots: give the option style=path'
      throw new HeadraceError(error.code, error.message, { ...error.details, hint })
    }
  }

  /** What a failed answer, or one inside a 200, is to the user. */
  failure(operation: Pick<Operation<unknown>, 'doing' | 'key'>, error: ServerError, used?: Credentials): HeadraceError {
    const url = this.urlOf(operation.key)
    return failureOf(error, { doing: `${operation.doing} ${url}`, url, key: operation.key, source: used?.source })
  }

  /** Headers of a copy out of this bucket, as long as the source has this etag. */
  copySource(path: string, etag: string): HeaderFields {
    return {
      'x-amz-copy-source': `/${this.config.bucket}/${encodeKey(path)}`,
      'x-amz-copy-source-if-match': quotedEtag(etag),
    }
  }

  /** A URL that anybody may use for so many seconds. */
  async presign(method: 'GET' | 'PUT', path: string, seconds: number): Promise<string> {
    const credentials = await this.config.credentials?.current()
    const endpoint = this.config.endpoints?.[0] ?? awsEndpoint(this.#region)
    const target = this.#target(endpoint, undefined)
    const encoded = `${target.path}/${encodeKey(path)}`
    const url = `${target.origin.protocol}//${target.host}${encoded}`
    if (credentials === undefined) return url
    const request = { method, path: encoded, headers: { host: target.host }, payload: UNSIGNED_PAYLOAD }
    return `${url}?${this.#signerFor(credentials).presign(request, [], amzDate(Date.now() + this.#skew), seconds)}`
  }

  #build<T>(
    operation: Operation<T>,
    endpoint: Endpoint,
    credentials: Credentials | undefined,
    redirect: Redirect | undefined,
  ): HttpRequest {
    const target = this.#target(endpoint, operation.bucket)
    const path =
      operation.path === undefined
        ? target.path === ''
          ? '/'
          : target.path
        : `${target.path}/${encodeKey(operation.path)}`
    const query = operation.query === undefined ? '' : canonicalQuery(operation.query)
    const { method, plain, body, place, maxBody } = operation
    const idempotent = operation.idempotent && operation.counted !== true
    const [host, origin, asked] =
      redirect === undefined
        ? [target.host, target.origin, query === '' ? path : `${path}?${query}`]
        : [hostHeader(redirect.origin), redirect.origin, redirect.target]
    const headers: Record<string, string> = { host, ...operation.headers }
    // Another host gets no signature: it was not the one that the user trusts with it.
    if (credentials !== undefined && redirect?.trusted !== false) {
      const payload = this.#payload(body)
      headers['x-amz-content-sha256'] = payload
      headers['x-amz-date'] = amzDate(Date.now() + this.#skew)
      if (credentials.sessionToken !== undefined) headers['x-amz-security-token'] = credentials.sessionToken
      const [signedPath = '', signedQuery = ''] = redirect === undefined ? [path, query] : asked.split('?')
      const signed = { method, path: signedPath, query: signedQuery, headers, payload }
      headers.authorization = this.#signerFor(credentials).authorize(signed)
    }
    if (plain !== undefined) for (const name in plain) headers[name] = plain[name] ?? ''
    const request: Mutable<HttpRequest> = { method, origin, target: asked, headers, idempotent }
    if (body !== undefined) request.body = body
    if (place !== undefined) request.place = place
    if (maxBody !== undefined) request.maxBody = maxBody
    return request
  }

  #payload(body: readonly Uint8Array[] | undefined): string {
    if (!this.config.signPayload) return UNSIGNED_PAYLOAD
    if (body === undefined || body.length === 0) return EMPTY_SHA256
    return sha256Hex(body.length === 1 && body[0] !== undefined ? body[0] : Buffer.concat(body))
  }

  #signerFor(credentials: Credentials): Signer {
    if (this.#signer === undefined || this.#signerOf !== credentials) {
      this.#signer = new Signer(credentials, this.#region)
      this.#signerOf = credentials
    }
    return this.#signer
  }

  #target(endpoint: Endpoint, other: string | undefined): Target {
    if (other !== undefined) return targetOf(this.config, this.#region, endpoint, other)
    let target = this.#targets.get(endpoint)
    if (target === undefined) {
      target = targetOf(this.config, this.#region, endpoint, this.config.bucket)
      this.#targets.set(endpoint, target)
    }
    return target
  }

  /** Throws Again where the next attempt will be built better, by this answer or by that to another request meanwhile. */
  #learn(error: ServerError, response: HttpResponse, assumed: Assumptions): void {
    const { status, code, region } = error
    if (region !== undefined && region !== assumed.region && status < 404) {
      if (region !== this.#region) {
        this.#region = region
        this.#signer = undefined
        this.#targets = new Map()
      }
      throw new Again(`the bucket lies in ${region}`)
    }
    const { credentials, skew } = assumed
    if (credentials === undefined) return
    if (status === 403) this.#learnTime(code, response, skew)
    if (EXPIRED.includes(code ?? '') && this.config.credentials?.reject(credentials))
      throw new Again('the credentials have expired')
  }

  /** An answer to HEAD has no body that names the reason, but the time. */
  #learnTime(code: string | undefined, { headers }: HttpResponse, assumed: number): void {
    const named = code === 'RequestTimeTooSkewed'
    if (!named && code !== undefined && code !== 'AccessDenied') return
    const skew = Date.parse(headers.date ?? '') - Date.now()
    const least = named ? LEAST_SKEW : ALLOWED_SKEW
    if (Number.isNaN(skew) || Math.abs(skew - assumed) < least) return
    if (Math.abs(skew - this.#skew) >= least) this.#setTime(skew)
    throw new Again('the clocks differ')
  }

  #setTime(skew: number): void {
    this.#skew = skew
    const minutes = Math.round(Math.abs(skew) / 60_000)
    const which = skew > 0 ? 'behind' : 'ahead of'
    this.#warn(
      `this machine's clock is ${minutes} minutes ${which} that of ${this.config.url}: requests are signed with the server's time`,
    )
  }
}

function isOfAnotherName(cause: unknown): boolean {
  for (let each = cause; each instanceof Error; each = each.cause)
    if ((each as NodeJS.ErrnoException).code === 'ERR_TLS_CERT_ALTNAME_INVALID') return true
  return false
}

/** What a server repeats of the credentials is no user's business, nor that of a log. */
function hidden(error: ServerError, used: Credentials | undefined): ServerError {
  if (used === undefined || error.message === undefined) return error
  let { message } = error
  for (const secret of [used.secretAccessKey, used.sessionToken, used.accessKeyId])
    if (secret !== undefined && secret !== '') message = message.replaceAll(secret, '***')
  return { ...error, message }
}
