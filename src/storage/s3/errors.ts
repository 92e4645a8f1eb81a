import { type ErrorCode, HeadraceError } from '../../errors.ts'
import type { HttpResponse } from '../http/types.ts'
import { childText, readXml } from '../remote/xml.ts'

/** What an answer says of a failure. Texts of servers are untrusted: short, one line. */
export interface ServerError {
  readonly status: number
  /** 'NoSuchKey'; undefined where the answer has no body that says so, as those to HEAD. */
  readonly code: string | undefined
  readonly message: string | undefined
  readonly requestId: string | undefined
  /** Of the bucket, where the answer names another. */
  readonly region: string | undefined
  /** Milliseconds. */
  readonly retryAfter: number | undefined
}

const MAX_MESSAGE = 300

const CODES: Readonly<Record<string, ErrorCode>> = {
  NoSuchKey: 'E_NOT_FOUND',
  NoSuchBucket: 'E_NOT_FOUND',
  NoSuchUpload: 'E_NOT_FOUND',
  NoSuchVersion: 'E_NOT_FOUND',
  AccessDenied: 'E_ACCESS',
  AllAccessDisabled: 'E_ACCESS',
  AccountProblem: 'E_ACCESS',
  MethodNotAllowed: 'E_UNSUPPORTED',
  NotImplemented: 'E_UNSUPPORTED',
  InvalidAccessKeyId: 'E_CREDENTIALS',
  SignatureDoesNotMatch: 'E_CREDENTIALS',
  ExpiredToken: 'E_CREDENTIALS',
  InvalidToken: 'E_CREDENTIALS',
  TokenRefreshRequired: 'E_CREDENTIALS',
  InvalidSecurity: 'E_CREDENTIALS',
  NotSignedUp: 'E_CREDENTIALS',
  AuthorizationHeaderMalformed: 'E_CREDENTIALS',
  MissingSecurityHeader: 'E_CREDENTIALS',
  RequestTimeTooSkewed: 'E_CREDENTIALS',
  // versitygw's word for an access key that it does not know, as a 404.
  XAdminUserNotFound: 'E_CREDENTIALS',
  SlowDown: 'E_THROTTLED',
  SlowDownRead: 'E_THROTTLED',
  SlowDownWrite: 'E_THROTTLED',
  Throttling: 'E_THROTTLED',
  ThrottlingException: 'E_THROTTLED',
  RequestLimitExceeded: 'E_THROTTLED',
  RequestThrottled: 'E_THROTTLED',
  TooManyRequests: 'E_THROTTLED',
  ServiceUnavailable: 'E_THROTTLED',
  Busy: 'E_THROTTLED',
  BandwidthLimitExceeded: 'E_THROTTLED',
  InternalError: 'E_SERVER',
  OperationAborted: 'E_SERVER',
  ConditionalRequestConflict: 'E_SERVER',
  RequestTimeout: 'E_TIMEOUT',
  // The body was cut off on its way.
  IncompleteBody: 'E_NETWORK',
  PreconditionFailed: 'E_STATE',
  BucketNotEmpty: 'E_STATE',
  InvalidObjectState: 'E_STATE',
  InvalidPart: 'E_STATE',
  InvalidPartOrder: 'E_STATE',
  BucketAlreadyExists: 'E_EXISTS',
  BucketAlreadyOwnedByYou: 'E_EXISTS',
  BadDigest: 'E_CHECKSUM',
  InvalidDigest: 'E_CHECKSUM',
  XAmzContentChecksumMismatch: 'E_CHECKSUM',
  XAmzContentSHA256Mismatch: 'E_CHECKSUM',
  EntityTooLarge: 'E_LIMIT',
  KeyTooLongError: 'E_LIMIT',
  TooManyBuckets: 'E_LIMIT',
  QuotaExceeded: 'E_NO_SPACE',
  InsufficientStorage: 'E_NO_SPACE',
  XMinioStorageFull: 'E_NO_SPACE',
}

const HINTS: Readonly<Record<string, string>> = {
  NoSuchBucket: 'check the name; `headrace mb` makes a bucket',
  InvalidAccessKeyId: 'check that the keys belong to this server',
  XAdminUserNotFound: 'check that the keys belong to this server',
  SignatureDoesNotMatch: 'check the secret key, and that nothing between changes host or path',
  ExpiredToken: 'get new temporary credentials',
  RequestTimeTooSkewed: "set this machine's clock",
  InvalidObjectState: 'the object is archived: restore it first',
  PermanentRedirect: 'give the region or endpoint of the bucket',
  AuthorizationHeaderMalformed: 'give the region of the bucket',
}

function ofStatus(status: number): ErrorCode {
  switch (status) {
    case 401:
      return 'E_CREDENTIALS'
    case 403:
      return 'E_ACCESS'
    case 404:
      return 'E_NOT_FOUND'
    case 405:
    case 501:
      return 'E_UNSUPPORTED'
    case 408:
      return 'E_TIMEOUT'
    case 409:
    case 412:
      return 'E_STATE'
    case 413:
      return 'E_LIMIT'
    case 429:
    case 503:
      return 'E_THROTTLED'
    case 507:
      return 'E_NO_SPACE'
    default:
      return status >= 500 ? 'E_SERVER' : status >= 300 && status < 400 ? 'E_CONFIG' : 'E_USAGE'
  }
}

function oneLine(text: string | undefined): string | undefined {
  const line = text
    ?.replace(/\s+/g, ' ')
    .replace(/\p{Cc}/gu, '')
    .trim()
    .slice(0, MAX_MESSAGE)
  return line === '' ? undefined : line
}

/** Seconds, or a date. */
function retryAfterOf(value: string | undefined, now: number): number | undefined {
  if (value === undefined) return undefined
  const milliseconds = /^\d{1,9}$/.test(value) ? Number(value) * 1000 : Date.parse(value) - now
  return milliseconds >= 0 ? milliseconds : undefined
}

const REGION = /^[a-z0-9-]{1,64}$/

/** What a failed answer says, also one whose body is not what S3 would send. */
export function readServerError({ status, headers, body }: HttpResponse): ServerError {
  let code = oneLine(headers['x-minio-error-code'])
  let message = oneLine(headers['x-minio-error-desc'])
  let region = headers['x-amz-bucket-region']
  let requestId = headers['x-amz-request-id']
  if (body.length > 0 && body.length <= 2 ** 16) {
    try {
      const root = readXml(body, 'Error', 'ErrorResponse')
      const error = root.name === 'Error' ? root : (root.children.find(({ name }) => name === 'Error') ?? root)
      code = oneLine(childText(error, 'Code')) ?? code
      message = oneLine(childText(error, 'Message')) ?? message
      region ??= childText(error, 'Region')
      requestId ??= childText(error, 'RequestId')
    } catch {
      // A proxy's own page: the status has to do.
    }
  }
  return {
    status,
    code,
    message,
    requestId: oneLine(requestId),
    region: region !== undefined && REGION.test(region) ? region : undefined,
    retryAfter: retryAfterOf(headers['retry-after'], Date.now()),
  }
}

function errorCode({ status, code }: ServerError): ErrorCode {
  const known = code !== undefined && Object.hasOwn(CODES, code) ? CODES[code] : undefined
  // A code that nobody knows, with a status that says to come again.
  return known ?? ofStatus(status === 200 ? 500 : status)
}

export interface FailedCall {
  /** 'get s3://bucket/key'. */
  readonly doing: string
  readonly url: string
  readonly key?: string | undefined
  /** Of the credentials; undefined: the request was not signed. */
  readonly source: string | undefined
}

/** The error that a user sees: 'cannot get s3://bucket/key: AccessDenied: … (403)'. */
export function failureOf(error: ServerError, { doing, url, key, source }: FailedCall): HeadraceError {
  const code = errorCode(error)
  const said = [error.code, error.message].filter((each) => each !== undefined).join(': ')
  const what = said === '' ? `the server answered ${error.status} and nothing more` : `${said} (${error.status})`
  const refused = code === 'E_CREDENTIALS' || code === 'E_ACCESS'
  const who = !refused ? '' : source === undefined ? ', without credentials' : `, with the credentials from ${source}`
  const hint = error.code !== undefined && Object.hasOwn(HINTS, error.code) ? HINTS[error.code] : undefined
  return new HeadraceError(code, `cannot ${doing}${who}: ${what}`, {
    url,
    status: error.status,
    ...(key !== undefined && { key }),
    ...(error.requestId !== undefined && { requestId: error.requestId }),
    ...(error.retryAfter !== undefined && { retryAfter: error.retryAfter }),
    ...(hint !== undefined && { hint }),
  })
}
