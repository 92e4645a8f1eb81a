/** What went wrong, for programs. The message is for people; the code never changes meaning. */
export type ErrorCode =
  | 'E_USAGE'
  | 'E_CONFIG'
  | 'E_NOT_FOUND'
  | 'E_EXISTS'
  | 'E_ACCESS'
  | 'E_CREDENTIALS'
  | 'E_NETWORK'
  | 'E_TIMEOUT'
  | 'E_THROTTLED'
  | 'E_SERVER'
  | 'E_CHECKSUM'
  | 'E_CORRUPT'
  | 'E_UNSUPPORTED'
  | 'E_LIMIT'
  | 'E_NO_SPACE'
  | 'E_CANCELLED'
  | 'E_STATE'
  | 'E_PEER'

/** Where it went wrong: every field that is known, none that is not. */
export interface ErrorDetails {
  readonly url?: string
  readonly key?: string
  readonly path?: string
  readonly sample?: number
  readonly field?: string
  readonly offset?: number
  /** Ranks of a job: those that it is about. */
  readonly ranks?: readonly number[]
  /** Of the answer that said so. */
  readonly status?: number
  readonly requestId?: string
  /** Milliseconds that a server asked to wait. */
  readonly retryAfter?: number
  /** What the user can do about it, one line. */
  readonly hint?: string
  readonly cause?: unknown
}

/** The one error class of this package. `message` names the thing and quotes the value. */
export class HeadraceError extends Error {
  override readonly name = 'HeadraceError'
  readonly code: ErrorCode
  readonly details: ErrorDetails

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.code = code
    this.details = details
  }
}

export function isHeadraceError(error: unknown, code?: ErrorCode): error is HeadraceError {
  return error instanceof HeadraceError && (code === undefined || error.code === code)
}

const SYSTEM_CODES: Readonly<Record<string, ErrorCode>> = {
  ENOENT: 'E_NOT_FOUND',
  ENOTDIR: 'E_NOT_FOUND',
  EEXIST: 'E_EXISTS',
  ENOTEMPTY: 'E_EXISTS',
  EACCES: 'E_ACCESS',
  EPERM: 'E_ACCESS',
  EROFS: 'E_ACCESS',
  ENOSPC: 'E_NO_SPACE',
  EDQUOT: 'E_NO_SPACE',
  EMFILE: 'E_LIMIT',
  ENFILE: 'E_LIMIT',
  ENAMETOOLONG: 'E_USAGE',
  ABORT_ERR: 'E_CANCELLED',
}

/** What callbacks of the user threw: it leaves every call as it is, since it is about nothing of ours. */
const thrownByUser = new WeakSet<object>()

/** A callback of the user's whose errors are told from ours. */
export function userCallback<T>(callback: (value: T) => void): (value: T) => void {
  return (value) => {
    try {
      callback(value)
    } catch (error) {
      if (typeof error === 'object' && error !== null) thrownByUser.add(error)
      throw error
    }
  }
}

/**
 * Turns a Node system error into ours, keeping it as the cause. Errors that are ours already pass through; one of a
 * user's callback is thrown as it is.
 */
export function fromSystemError(error: unknown, doing: string, details: ErrorDetails = {}): HeadraceError {
  if (error instanceof HeadraceError) return error
  if (thrownByUser.has(error as object)) throw error
  const system = error as NodeJS.ErrnoException
  const code = SYSTEM_CODES[system?.code ?? ''] ?? 'E_SERVER'
  const message = error instanceof Error ? error.message : String(error)
  // "EACCES: permission denied, open '/x'": once is enough
  const twice = typeof system?.path === 'string' && doing.includes(system.path)
  const reason = twice ? message.replace(/, \w+ '.*'$/s, '') : message
  return new HeadraceError(code, `${doing}: ${reason}`, { ...details, cause: error })
}

/** What an error says of a sample, without the sample's path before it: what tells it names the path itself. */
export function reasonOf(error: unknown, key: string): string {
  const message = error instanceof Error ? error.message : String(error)
  return message.startsWith(key) ? message.slice(key.length).replace(/^[:\s]+/, '') : message
}

/** Throws E_CANCELLED if the signal has fired. */
export function throwIfAborted(signal: AbortSignal | undefined, doing: string): void {
  if (signal?.aborted) throw new HeadraceError('E_CANCELLED', `${doing} was cancelled`, { cause: signal.reason })
}
