import { type AnswerHead, corrupt, excerpt, hasToken } from './head.ts'
import type { Method } from './types.ts'

/** How long the body of an answer is: bytes, or one of the two below (RFC 9112, 6.3). */
export type BodyLength = number

export const CHUNKED = -1
/** Everything that comes until the server closes. */
export const UNTIL_CLOSE = -2

/**
 * E_CORRUPT where there are two answers to the question: whoever sits between us and the server may have taken the
 * other one, and then what follows on the connection is not ours.
 */
export function bodyLength(method: Method, head: AnswerHead): BodyLength {
  const coding = head.headers['transfer-encoding']
  const length = head.headers['content-length']
  if (coding !== undefined) checkCoding(coding, length, head)
  else if (length !== undefined && !/^[0-9]{1,15}$/.test(length))
    throw corrupt(`the answer's content-length is no number: ${excerpt(length)}`)
  if (hasNoBody(method, head.status)) return 0
  if (coding !== undefined) return CHUNKED
  return length === undefined ? UNTIL_CLOSE : Number(length)
}

/** Whatever such an answer's fields say: they speak of another answer's body. */
export function hasNoBody(method: Method, status: number): boolean {
  return method === 'HEAD' || status === 204 || status === 304 || status < 200
}

/** Whether the server leaves the connection open after this answer. */
export function staysOpen(head: AnswerHead, length: BodyLength): boolean {
  const connection = head.headers.connection
  if (head.version === '1.0' || length === UNTIL_CLOSE) return false
  return connection === undefined || connection === 'keep-alive' || !hasToken(connection, 'close')
}

function checkCoding(coding: string, length: string | undefined, head: AnswerHead): void {
  if (length !== undefined)
    throw corrupt(
      `the answer has both a transfer-encoding (${excerpt(coding)}) and a content-length (${excerpt(length)})`,
    )
  if (coding.toLowerCase() !== 'chunked')
    throw corrupt(`the answer's transfer-encoding must be "chunked", but is ${excerpt(coding)}`)
  if (head.version === '1.0') throw corrupt('an answer of HTTP/1.0 cannot be chunked')
}
