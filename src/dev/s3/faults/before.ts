import { type Answer, errorDocument } from '../answer.ts'
import { Refusal } from '../refusal.ts'
import type { S3Request } from '../request/request.ts'
import type { Fault } from './rules.ts'

/** What a fault does to the request before it is carried out. */
export type Before =
  | { readonly act: 'go-on' }
  /** The answer, in the place of the operation; `early`: before its body was read. */
  | { readonly act: 'answer'; readonly answer: Answer; readonly early: boolean }
  /** The answer to a batch: the same error for each of its keys. */
  | { readonly act: 'refuse-keys'; readonly code: string; readonly message: string }
  | { readonly act: 'end'; readonly by: 'rst' | 'fin' }
  | { readonly act: 'garbage' }

function errorAnswer(
  status: number,
  error: { readonly code: string; readonly message: string; readonly fields?: Readonly<Record<string, string>> },
  headers: Readonly<Record<string, string>>,
  request: S3Request,
  requestId: string,
): Answer {
  const body = errorDocument({ fields: {}, ...error }, request.path, requestId)
  return { status, headers: { 'content-type': 'application/xml', ...headers }, body }
}

export function beforeOperation(fault: Fault, request: S3Request, requestId: string): Before {
  switch (fault.kind) {
    case 'slow-down': {
      const headers: Record<string, string> =
        fault.retryAfter === undefined ? {} : { 'retry-after': String(fault.retryAfter) }
      const error = { code: 'SlowDown', message: 'Please reduce your request rate.' }
      return { act: 'answer', answer: errorAnswer(503, error, headers, request, requestId), early: fault.early }
    }
    case 'error': {
      const error = { code: fault.code, message: 'This error was asked for by a fault rule.' }
      return { act: 'answer', answer: errorAnswer(fault.status, error, {}, request, requestId), early: fault.early }
    }
    case 'redirect': {
      const { status, region, location } = fault
      const permanent = status === 301
      const endpoint = location === undefined ? `s3.${region}.amazonaws.com` : new URL(location).host
      const error = {
        code: permanent ? 'PermanentRedirect' : 'TemporaryRedirect',
        message: permanent
          ? 'The bucket you are attempting to access must be addressed using the specified endpoint. Please send all future requests to this endpoint.'
          : 'Please re-send this request to the specified temporary endpoint. Continue to use the original request endpoint for future requests.',
        fields: { Bucket: request.bucket ?? '', Endpoint: endpoint },
      }
      const headers = { 'x-amz-bucket-region': region, ...(location === undefined ? {} : { location }) }
      return { act: 'answer', answer: errorAnswer(status, error, headers, request, requestId), early: true }
    }
    case 'error-in-200': {
      // As S3 does it while an operation takes long: the status is sent before the error is known.
      const error = { code: fault.code, message: 'We encountered an internal error. Please try again.' }
      if (request.query.has('delete')) return { act: 'refuse-keys', ...error }
      return { act: 'answer', answer: errorAnswer(200, error, {}, request, requestId), early: false }
    }
    case 'etag-change':
      if (!fault.honourIfMatch || !request.headers.has('if-match')) return { act: 'go-on' }
      throw new Refusal('PreconditionFailed', 'At least one of the pre-conditions you specified did not hold', {
        Condition: 'If-Match',
      })
    case 'reset':
      return fault.when === 'before-head' ? { act: 'end', by: fault.by } : { act: 'go-on' }
    case 'garbage':
      return { act: 'garbage' }
    default:
      return { act: 'go-on' }
  }
}
