import { finiteNumber, knownOptions, positiveInteger } from '../../checks.ts'
import { HeadraceError } from '../../errors.ts'
import { type Backoff, mayPass, pause, retryDelay } from '../remote/backoff.ts'
import type { CallOptions, DeleteResult, ListEntry, ListOptions, Store } from '../types.ts'
import { copiesFrom, layer, wrappedSpec } from './layer.ts'

export interface RetryOptions {
  /** Attempts of one call, the first among them; 5. */
  readonly attempts?: number
  /** Milliseconds. A wait is drawn from 0 to min(maxDelay, baseDelay x 2^n), after what a server asked for; 100. */
  readonly baseDelay?: number
  /** Milliseconds; 20,000. */
  readonly maxDelay?: number
}

interface Policy extends Backoff {
  readonly attempts: number
}

/**
 * The same store, trying again what failed in a way that may pass (E_NETWORK, E_TIMEOUT, E_THROTTLED, E_SERVER,
 * E_CHECKSUM, E_CORRUPT) and may be repeated: head, get, list (which goes on behind the last entry), delete, and put and
 * copy without `ifNoneMatch`. Writers are as they were, for what was written is gone. Stores behind HTTP retry single
 * requests themselves; this is for those that do not, and for outages that outlast their attempts.
 */
export function withRetry(store: Store, options: RetryOptions = {}): Store {
  knownOptions('withRetry', options, ['attempts', 'baseDelay', 'maxDelay'])
  const policy: Policy = {
    attempts: positiveInteger('attempts', options.attempts ?? 5, 1000),
    baseDelay: finiteNumber('baseDelay', options.baseDelay ?? 100, 0, 2 ** 31 - 1),
    maxDelay: finiteNumber('maxDelay', options.maxDelay ?? 20_000, 0, 2 ** 31 - 1),
  }
  const { copy } = store
  return layer(store, wrappedSpec(store, 'withRetry', { ...policy }), {
    head: (key, call) => repeated(policy, call, () => store.head(key, call)),
    get: (key, call) => repeated(policy, call, () => store.get(key, call)),
    put: (key, body, call) =>
      call?.ifNoneMatch === undefined
        ? repeated(policy, call, () => store.put(key, body, call))
        : store.put(key, body, call),
    copy:
      copy &&
      ((from, to, call) =>
        call?.ifNoneMatch === undefined
          ? repeated(policy, call, () => copy.call(store, from, to, call))
          : copy.call(store, from, to, call)),
    copyFrom: copiesFrom(
      store,
      (across) => (from, to, call) =>
        call?.ifNoneMatch === undefined ? repeated(policy, call, () => across(from, to, call)) : across(from, to, call),
    ),
    list: (prefix, call) => listAgain(store, policy, prefix, call),
    delete: (keys, call) => deleteAgain(store, policy, keys, call),
  })
}

/** Counts attempts that failed one after the other, and waits between them. */
class Attempts {
  readonly #policy: Policy
  readonly #signal: AbortSignal | undefined
  #failed = 0
  /** Of all, for the trace. */
  retries = 0

  constructor(policy: Policy, call: CallOptions | undefined) {
    this.#policy = policy
    this.#signal = call?.signal
  }

  succeeded(): void {
    this.#failed = 0
  }

  /** Returns when the next attempt may begin; throws where there is none. */
  async failed(error: unknown): Promise<void> {
    if (!mayPass(error)) throw error
    this.#failed++
    const delay = retryDelay(this.#policy, this.#failed - 1, error.details.retryAfter, Math.random)
    if (this.#failed >= this.#policy.attempts || delay === undefined) throw this.#told(error)
    this.retries++
    await pause(delay, this.#signal)
  }

  #told(error: HeadraceError): HeadraceError {
    if (this.#failed === 1) return error
    return new HeadraceError(error.code, `${error.message}, ${this.#failed} times in a row`, {
      ...error.details,
      cause: error,
    })
  }
}

async function repeated<T>(policy: Policy, call: CallOptions | undefined, run: () => Promise<T>): Promise<T> {
  let attempts: Attempts | undefined
  for (;;) {
    try {
      const result = await run()
      if (attempts !== undefined && call?.trace !== undefined)
        call.trace.retries = (call.trace.retries ?? 0) + attempts.retries
      return result
    } catch (error) {
      attempts ??= new Attempts(policy, call)
      await attempts.failed(error)
    }
  }
}

async function* listAgain(
  store: Store,
  policy: Policy,
  prefix: string,
  call: ListOptions = {},
): AsyncGenerator<ListEntry> {
  const attempts = new Attempts(policy, call)
  let options = call
  let last: string | undefined
  for (;;) {
    try {
      for await (const entry of store.list(prefix, options)) {
        const name = entry.kind === 'object' ? entry.key : entry.prefix
        // Behind a common prefix there is that prefix again: its keys sort after it.
        if (name === last) continue
        last = name
        attempts.succeeded()
        yield entry
      }
      return
    } catch (error) {
      await attempts.failed(error)
      if (last !== undefined) options = { ...call, startAfter: last }
    }
  }
}

async function* deleteAgain(
  store: Store,
  policy: Policy,
  keys: Iterable<string>,
  call?: CallOptions,
): AsyncGenerator<DeleteResult> {
  const attempts = new Attempts(policy, call)
  /** Taken by the store inside and not answered yet. */
  let open: string[] = []
  const rest = keys[Symbol.iterator]()
  function* remaining(): Generator<string> {
    const again = open
    open = []
    for (const key of again) {
      open.push(key)
      yield key
    }
    for (let next = rest.next(); next.done !== true; next = rest.next()) {
      open.push(next.value)
      yield next.value
    }
  }
  for (;;) {
    try {
      for await (const result of store.delete(remaining(), call)) {
        open.shift()
        attempts.succeeded()
        yield mayPass(result.error) ? await deleteOne(store, policy, result, call) : result
      }
      return
    } catch (error) {
      await attempts.failed(error)
    }
  }
}

async function deleteOne(
  store: Store,
  policy: Policy,
  first: DeleteResult,
  call: CallOptions | undefined,
): Promise<DeleteResult> {
  let failure = first.error
  try {
    await repeated(policy, call, async () => {
      const error = failure
      failure = undefined
      if (error !== undefined) throw error
      for await (const result of store.delete([first.key], call)) if (result.error !== undefined) throw result.error
    })
    return { key: first.key }
  } catch (error) {
    return { key: first.key, error: error instanceof Error ? error : new Error(String(error)) }
  }
}
