import { HeadraceError } from '../errors.ts'

/** The promise's result, unless `timeout` milliseconds (E_TIMEOUT) or the signal (E_CANCELLED) come first. */
export function within<T>(
  promise: Promise<T>,
  timeout: number | undefined,
  signal: AbortSignal | undefined,
): Promise<T> {
  if (timeout === undefined && signal === undefined) return promise
  return new Promise((resolve, reject) => {
    const cancel = () =>
      done(() => reject(new HeadraceError('E_CANCELLED', 'loading was cancelled', { cause: signal?.reason })))
    const timer =
      timeout === undefined
        ? undefined
        : setTimeout(
            () => done(() => reject(new HeadraceError('E_TIMEOUT', `no batch within timeout (${timeout} ms)`))),
            timeout,
          )
    const done = (settle: () => void) => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', cancel)
      settle()
    }
    signal?.addEventListener('abort', cancel, { once: true })
    promise.then(
      (value) => done(() => resolve(value)),
      (error) => done(() => reject(error)),
    )
  })
}
