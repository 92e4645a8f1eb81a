/** Items of a source that runs ahead of who takes them, by at most `limit`. */
export async function* ahead<T>(source: AsyncIterable<T>, limit: number): AsyncGenerator<T> {
  let ready: T[] = []
  let ended = false
  let left = false
  let failure: { readonly error: unknown } | undefined
  let wake = () => {}
  let proceed = () => {}
  const reading = (async () => {
    try {
      for await (const item of source) {
        ready.push(item)
        wake()
        while (ready.length >= limit && !left) await new Promise<void>((resolve) => (proceed = resolve))
        if (left) return
      }
    } catch (error) {
      failure = { error }
    } finally {
      ended = true
      wake()
    }
  })()
  try {
    for (;;) {
      const items = ready
      ready = []
      proceed()
      for (const item of items) yield item
      if (items.length > 0) continue
      if (failure !== undefined) throw failure.error
      if (ended) return
      await new Promise<void>((resolve) => (wake = resolve))
    }
  } finally {
    left = true
    proceed()
    await reading
  }
}

/**
 * Does work for every item, for at most `count` at once. The first failure is thrown, once all that is under way has
 * ended; nothing new is begun then.
 */
export async function inLanes<T>(
  items: AsyncIterable<T>,
  count: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const iterator = items[Symbol.asyncIterator]()
  let failure: { readonly error: unknown } | undefined
  let ended = false
  // Generators answer one call after the other; other iterators need not.
  let turn: Promise<unknown> = Promise.resolve()
  const next = (): Promise<IteratorResult<T>> => {
    const asked = turn.then(() => (ended ? { done: true as const, value: undefined } : iterator.next()))
    turn = asked.catch(() => undefined)
    return asked
  }
  const lane = async (): Promise<void> => {
    while (!ended) {
      try {
        const { done, value } = await next()
        if (done === true) ended = true
        else await work(value)
      } catch (error) {
        failure ??= { error }
        ended = true
      }
    }
  }
  await Promise.all(Array.from({ length: count }, lane))
  await iterator.return?.()
  if (failure !== undefined) throw failure.error
}
