import { type ErrorDetails, fromSystemError } from '../errors.ts'
import type { Message } from './types.ts'

/** What of an error's details is JSON. */
const TOLD = [
  'url',
  'key',
  'path',
  'sample',
  'field',
  'offset',
  'ranks',
  'status',
  'requestId',
  'retryAfter',
] as const satisfies readonly (keyof ErrorDetails)[]

/** An error as the other side is told of it. */
export function failureOf(error: unknown, doing: string): Message {
  const { code, message, details } = fromSystemError(error, doing)
  const told = TOLD.filter((name) => details[name] !== undefined).map((name) => [name, details[name]])
  return {
    code,
    message,
    ...(details.hint === undefined ? {} : { hint: details.hint }),
    ...(told.length === 0 ? {} : { details: Object.fromEntries(told) }),
  }
}
