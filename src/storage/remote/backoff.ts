import { type ErrorCode, HeadraceError, isHeadraceError } from '../../errors.ts'

/** Milliseconds: a server that asks for a longer wait gets an error to the user instead, who would see nothing happen. */
const MAX_RETRY_AFTER = 120_000

const MAY_PASS: ReadonlySet<ErrorCode> = new Set([
  'E_NETWORK',
  'E_TIMEOUT',
  'E_THROTTLED',
  'E_SERVER',
  'E_CHECKSUM',
  'E_CORRUPT',
])

/** Whether an error is of the kind that may be gone at the next attempt: a fault on the way, not an answer. */
export function mayPass(error: unknown): error is HeadraceError {
  return isHeadraceError(error) && MAY_PASS.has(error.code)
}

export interface Backoff {
  /** Milliseconds. */
  readonly baseDelay: number
  readonly maxDelay: number
}

/**
 * Milliseconds to wait before the n-th retry (from 0): drawn from 0 to min(maxDelay, baseDelay x 2^n), after what the
 * server asked for. undefined: it asked for too long.
 */
export function retryDelay(
  { baseDelay, maxDelay }: Backoff,
  retry: number,
  retryAfter: number | undefined,
  random: () => number,
): number | undefined {
  if (retryAfter !== undefined && retryAfter > MAX_RETRY_AFTER) return undefined
  return (retryAfter ?? 0) + random() * Math.min(maxDelay, baseDelay * 2 ** retry)
}

/** Resolves after `milliseconds`; E_CANCELLED as soon as one of the signals fires. */
export function pause(milliseconds: number, ...signals: readonly (AbortSignal | undefined)[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (settle: () => void) => {
      clearTimeout(timer)
      for (const signal of signals) signal?.removeEventListener('abort', onAbort)
      settle()
    }
    const onAbort = () => {
      const cause = signals.find((signal) => signal?.aborted)?.reason
      stop(() => reject(new HeadraceError('E_CANCELLED', 'the wait for another attempt was cancelled', { cause })))
    }
    const timer = setTimeout(() => stop(resolve), milliseconds)
    for (const signal of signals) signal?.addEventListener('abort', onAbort, { once: true })
    if (signals.some((signal) => signal?.aborted)) onAbort()
  })
}
