import { type ErrorCode, type ErrorDetails, HeadraceError } from '../../errors.ts'

/** An error as plain data: on the way to another thread it would lose its class. */
export interface FailureData {
  readonly name: string
  readonly message: string
  /** Ours or the system's. */
  readonly code?: string
  /** Of ours, but for the cause. */
  readonly details?: Omit<ErrorDetails, 'cause'>
  readonly stack?: string
  readonly cause?: FailureData
}

/** A chain of causes may be a ring. */
const MOST_CAUSES = 8

function plain(error: unknown, causes: number): FailureData {
  if (!(error instanceof Error)) return { name: 'Error', message: String(error) }
  const { name, message, stack } = error
  const cause = error.cause === undefined || causes === 0 ? {} : { cause: plain(error.cause, causes - 1) }
  if (error instanceof HeadraceError) {
    const { cause: _, ...details } = error.details
    return { name, message, code: error.code, details, ...(stack && { stack }), ...cause }
  }
  const { code } = error as NodeJS.ErrnoException
  return { name, message, ...(typeof code === 'string' && { code }), ...(stack && { stack }), ...cause }
}

export function failureData(error: unknown): FailureData {
  return plain(error, MOST_CAUSES)
}

/** The error again: one of ours with its code and details, another one with its name, message and code. */
export function failureOf(data: FailureData): Error {
  const { name, message, code, details, stack } = data
  const cause = data.cause && failureOf(data.cause)
  const error =
    details === undefined
      ? Object.assign(new Error(message, cause && { cause }), { name, ...(code !== undefined && { code }) })
      : new HeadraceError(code as ErrorCode, message, { ...details, ...(cause && { cause }) })
  if (stack !== undefined) error.stack = stack
  return error
}
