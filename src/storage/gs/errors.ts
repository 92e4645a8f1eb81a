import { type ErrorCode, HeadraceError } from '../../errors.ts'
import type { HttpResponse } from '../http/types.ts'
import type { GsCredentials } from './credentials.ts'

/** What a status of the JSON interface means here. Source: "HTTP status and error codes for JSON", Cloud Storage. */
const STATUSES: Readonly<Record<number, ErrorCode>> = {
  400: 'E_USAGE',
  401: 'E_CREDENTIALS',
  403: 'E_ACCESS',
  404: 'E_NOT_FOUND',
  408: 'E_TIMEOUT',
  409: 'E_EXISTS',
  410: 'E_STATE',
  412: 'E_STATE',
  413: 'E_LIMIT',
  416: 'E_USAGE',
  429: 'E_THROTTLED',
  503: 'E_THROTTLED',
}

const MAX_REASON = 200

/** `error.message` of the body, one line. */
function reasonIn({ body, headers }: HttpResponse): string | undefined {
  if (!headers['content-type']?.startsWith('application/json')) return undefined
  try {
    const document: unknown = JSON.parse(Buffer.from(body).toString('utf8'))
    const message = (document as { error?: { message?: unknown } } | null)?.error?.message
    return typeof message === 'string' ? message.replace(/\s+/g, ' ').slice(0, MAX_REASON) : undefined
  } catch {
    return undefined
  }
}

function retryAfter(value: string | undefined): number | undefined {
  return value !== undefined && /^\d{1,6}$/.test(value) ? Number(value) * 1000 : undefined
}

export interface GsFailure {
  readonly doing: string
  readonly url: string
  readonly key?: string
}

/** An object that is not there is no error by itself: what is said to be missing is the bucket. */
function hintOf(code: ErrorCode, { source }: GsCredentials): string | undefined {
  if (code === 'E_NOT_FOUND') return 'check the name; `headrace mb` makes a bucket'
  return code === 'E_CREDENTIALS' || code === 'E_ACCESS' ? `the credentials came from ${source}` : undefined
}

/** The error that an answer is. */
export function gsError(
  response: HttpResponse,
  credentials: GsCredentials,
  { doing, url, key }: GsFailure,
): HeadraceError {
  const { status, headers } = response
  const code = STATUSES[status] ?? 'E_SERVER'
  const reason = reasonIn(response)
  const wait = retryAfter(headers['retry-after'])
  const requestId = headers['x-guploader-uploadid']
  const hint = hintOf(code, credentials)
  return new HeadraceError(code, `cannot ${doing}: ${reason ?? 'an error'} (${status})`, {
    url,
    status,
    ...(key !== undefined && { key }),
    ...(requestId !== undefined && { requestId }),
    ...(wait !== undefined && { retryAfter: wait }),
    ...(hint !== undefined && { hint }),
  })
}
