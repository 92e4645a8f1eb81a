import { HeadraceError } from '../errors.ts'

/**
 * The promise's result, unless `timeout` milliseconds (`late`, E_TIMEOUT) or the signal (E_CANCELLED) come first. Where
 * `late` gives no error, it is waited for as long again.
 */
export function within<T>(
  promise: Promise<T>,
  timeout: number | undefined,
  signal: AbortSignal | undefined,
  late: (timeout: number) => Error | undefined = noBatch,
): Promise<T> {
  if (timeout === undefined && signal === undefined) return promise
  return new Promise((resolve, reject) => {
    const cancel = () =>
      done(() => reject(new HeadraceError('E_CANCELLED', 'loading was cancelled', { cause: signal?.reason })))
    let timer: NodeJS.Timeout | undefined
    const wait = (ms: number) => {
      timer = setTimeout(() => {
        const error = late(ms)
        if (error === undefined) wait(ms)
        else done(() => reject(error))
      }, ms)
    }
    if (timeout !== undefined) wait(timeout)
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

function noBatch(timeout: number): HeadraceError {
  return new HeadraceError('E_TIMEOUT', `no batch within timeout (${timeout} ms)`)
}
