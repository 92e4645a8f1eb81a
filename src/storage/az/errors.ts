import { type ErrorCode, HeadraceError } from '../../errors.ts'
import type { HttpResponse } from '../http/types.ts'
import type { AzCredentials } from './credentials.ts'

/** What the Blob service's error codes mean here. Source: "Blob service error codes", Azure Storage REST API reference. */
const CODES: Readonly<Record<string, ErrorCode>> = {
  BlobNotFound: 'E_NOT_FOUND',
  ContainerNotFound: 'E_NOT_FOUND',
  ResourceNotFound: 'E_NOT_FOUND',
  CannotVerifyCopySource: 'E_NOT_FOUND',
  BlobAlreadyExists: 'E_EXISTS',
  ContainerAlreadyExists: 'E_EXISTS',
  ConditionNotMet: 'E_STATE',
  TargetConditionNotMet: 'E_STATE',
  LeaseIdMissing: 'E_STATE',
  ContainerBeingDeleted: 'E_STATE',
  AuthenticationFailed: 'E_CREDENTIALS',
  InvalidAuthenticationInfo: 'E_CREDENTIALS',
  NoAuthenticationInformation: 'E_CREDENTIALS',
  AuthorizationFailure: 'E_ACCESS',
  AuthorizationPermissionMismatch: 'E_ACCESS',
  InsufficientAccountPermissions: 'E_ACCESS',
  AccountIsDisabled: 'E_ACCESS',
  PublicAccessNotPermitted: 'E_ACCESS',
  ServerBusy: 'E_THROTTLED',
  OperationTimedOut: 'E_TIMEOUT',
  InternalError: 'E_SERVER',
  Md5Mismatch: 'E_CHECKSUM',
  Crc64Mismatch: 'E_CHECKSUM',
  RequestBodyTooLarge: 'E_LIMIT',
  InvalidRange: 'E_USAGE',
}

const STATUSES: Readonly<Record<number, ErrorCode>> = {
  400: 'E_USAGE',
  401: 'E_CREDENTIALS',
  403: 'E_ACCESS',
  404: 'E_NOT_FOUND',
  409: 'E_STATE',
  412: 'E_STATE',
  413: 'E_LIMIT',
  416: 'E_USAGE',
  429: 'E_THROTTLED',
  503: 'E_THROTTLED',
}

/** What the service says is wrong: from its header, or from the body where a proxy dropped that. */
export function azErrorCode(response: HttpResponse): string | undefined {
  const named = response.headers['x-ms-error-code']
  if (named !== undefined) return named
  const text = Buffer.from(response.body.buffer, response.body.byteOffset, Math.min(response.body.length, 4096))
  return /<Code>([A-Za-z0-9]{1,64})<\/Code>/.exec(text.toString('latin1'))?.[1]
}

/** Seconds, or a date. */
function retryAfter(value: string | undefined, now: number): number | undefined {
  if (value === undefined) return undefined
  const wait = /^\d{1,6}$/.test(value) ? Number(value) * 1000 : Date.parse(value) - now
  return Number.isFinite(wait) && wait > 0 ? wait : undefined
}

const HINTS: Partial<Record<ErrorCode, (credentials: AzCredentials) => string>> = {
  E_CREDENTIALS: ({ source }) =>
    `the credentials came from ${source}; is the key of this account, and is the clock right?`,
  E_ACCESS: ({ source }) => `the credentials from ${source} do not allow this`,
}

export interface AzFailure {
  readonly doing: string
  readonly url: string
  readonly key?: string
}

/** The error that an answer is. */
export function azError(
  response: HttpResponse,
  credentials: AzCredentials,
  { doing, url, key }: AzFailure,
): HeadraceError {
  const { status, headers } = response
  const name = azErrorCode(response)
  const code = CODES[name ?? ''] ?? STATUSES[status] ?? 'E_SERVER'
  const requestId = headers['x-ms-request-id']
  const wait = retryAfter(headers['retry-after'], Date.now())
  const hint =
    name === 'ContainerNotFound' ? 'check the name; `headrace mb` makes a container' : HINTS[code]?.(credentials)
  return new HeadraceError(code, `cannot ${doing}: ${name ?? 'an error'} (${status})`, {
    url,
    status,
    ...(key !== undefined && { key }),
    ...(requestId !== undefined && { requestId }),
    ...(wait !== undefined && { retryAfter: wait }),
    ...(hint !== undefined && { hint }),
  })
}
