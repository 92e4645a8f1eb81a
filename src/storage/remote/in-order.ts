import { throwIfAborted } from '../../errors.ts'

/** Runs `step` for every key, up to `together` at once, and yields the results in the order of the keys. */
export async function* inOrder<T>(
  keys: Iterable<string>,
  together: number,
  step: (key: string) => Promise<T>,
  signal?: AbortSignal,
): AsyncGenerator<T> {
  const pending: Promise<T>[] = []
  try {
    for (const key of keys) {
      throwIfAborted(signal, 'delete')
      pending.push(step(key))
      const first = pending.length < together ? undefined : pending.shift()
      if (first !== undefined) yield await first
    }
    for (let first = pending.shift(); first !== undefined; first = pending.shift()) yield await first
  } finally {
    await Promise.allSettled(pending)
  }
}
