import { finiteNumber, knownOptions, positiveInteger } from '../../checks.ts'
import { HeadraceError, throwIfAborted } from '../../errors.ts'
import { Gate } from '../remote/gate.ts'
import type { CallOptions, GetOptions, ObjectBody, ObjectWriter, Store, WriterOptions } from '../types.ts'
import { ByteRate } from './byte-rate.ts'
import { copiesFrom, layer, wrappedSpec } from './layer.ts'

export interface LimitOptions {
  /** Calls under way at once; others wait, in their order. No bound where absent. */
  readonly concurrency?: number
  /** Of data that is read and written, together. No bound where absent. */
  readonly bytesPerSecond?: number
}

/** The share of a new size in the running mean, from which the size of the next get is guessed. */
const NEWEST = 0.2

/**
 * The same store with a bound on calls under way and on bytes a second. A get of unknown size is taken for as large as
 * those before, and what it was more or less is made up for by later calls: the rate holds over time, not for each. A
 * listing or a delete counts while it is asked for more, not while its entries are looked at. Where bytes are bounded
 * there is no `localPath`: what is mapped passes no bound.
 */
export function limited(store: Store, options: LimitOptions): Store {
  knownOptions('limited', options, ['concurrency', 'bytesPerSecond'])
  const { concurrency, bytesPerSecond } = options
  if (concurrency === undefined && bytesPerSecond === undefined)
    throw new HeadraceError('E_USAGE', 'limited needs a concurrency or bytesPerSecond')
  if (concurrency !== undefined) positiveInteger('concurrency', concurrency)
  if (bytesPerSecond !== undefined) finiteNumber('bytesPerSecond', bytesPerSecond, 1, Number.MAX_SAFE_INTEGER)
  const bounds = new Bounds(concurrency, bytesPerSecond)
  const { copy, createContainer, deleteContainer, listContainers } = store
  const spec = wrappedSpec(store, 'limited', { ...options })
  const bounded = layer(store, spec, {
    head: (key, call) => bounds.run(`head of ${key}`, call, () => store.head(key, call)),
    get: (key, call) => bounds.get(key, call, () => store.get(key, call)),
    put: (key, body, call) => bounds.run(`put of ${key}`, call, () => store.put(key, body, call), body.length),
    writer: (key, call) => new LimitedWriter(store.writer(key, call), bounds, key, call),
    list: (prefix, call) => bounds.iterate('list', call, () => store.list(prefix, call)),
    delete: (keys, call) => bounds.iterate('delete', call, () => store.delete(keys, call)),
    copy: copy && ((from, to, call) => bounds.run(`copy to ${to}`, call, () => copy.call(store, from, to, call))),
    copyFrom: copiesFrom(
      store,
      (across) => (from, to, call) => bounds.run(`copy to ${to}`, call, () => across(from, to, call)),
    ),
    createContainer:
      createContainer && ((call) => bounds.run('createContainer', call, () => createContainer.call(store, call))),
    deleteContainer:
      deleteContainer && ((call) => bounds.run('deleteContainer', call, () => deleteContainer.call(store, call))),
    listContainers:
      listContainers && ((call) => bounds.iterate('listContainers', call, () => listContainers.call(store, call))),
    close: async () => {
      bounds.close()
      await store.close()
    },
  })
  if (bytesPerSecond === undefined || bounded.localPath === undefined) return bounded
  const { localPath: _, ...without } = bounded
  return without
}

class Bounds {
  readonly #gate: Gate
  readonly #rate: ByteRate | undefined
  #usualGet = 0

  constructor(concurrency = Infinity, bytesPerSecond: number | undefined) {
    this.#gate = new Gate(concurrency)
    this.#rate = bytesPerSecond === undefined ? undefined : new ByteRate(bytesPerSecond)
  }

  async run<T>(doing: string, call: CallOptions | undefined, run: () => Promise<T>, bytes = 0): Promise<T> {
    await named(doing, call, this.#gate.enter(call?.signal))
    try {
      if (bytes > 0) await named(doing, call, this.#rate?.take(bytes, call?.signal))
      return await run()
    } finally {
      this.#gate.leave()
    }
  }

  async get(
    key: string,
    call: GetOptions | undefined,
    run: () => Promise<ObjectBody | undefined>,
  ): Promise<ObjectBody | undefined> {
    const doing = `get of ${key}`
    const rate = this.#rate
    if (rate === undefined) return this.run(doing, call, run)
    return this.run(doing, call, async () => {
      const guess = call?.range?.length ?? this.#usualGet
      let bytes = 0
      await named(doing, call, rate.take(guess, call?.signal))
      try {
        const body = await run()
        bytes = body?.data.length ?? 0
        return body
      } finally {
        rate.settle(bytes - guess)
        this.#usualGet += (bytes - this.#usualGet) * NEWEST
      }
    })
  }

  async *iterate<T>(doing: string, call: CallOptions | undefined, open: () => AsyncIterable<T>): AsyncGenerator<T> {
    const entries = open()[Symbol.asyncIterator]()
    try {
      for (;;) {
        const next = await this.run(doing, call, () => entries.next())
        if (next.done === true) return
        yield next.value
      }
    } finally {
      await entries.return?.()
    }
  }

  close(): void {
    this.#gate.close()
  }
}

/** A wait that the signal ended says of what. */
async function named(doing: string, call: CallOptions | undefined, wait: Promise<void> | undefined): Promise<void> {
  try {
    await wait
  } catch (error) {
    throwIfAborted(call?.signal, doing)
    throw error
  }
}

/** Each write is a call of its own: a writer that held its place until it is closed could wait for itself. */
class LimitedWriter implements ObjectWriter {
  readonly #writer: ObjectWriter
  readonly #bounds: Bounds
  readonly #doing: string
  readonly #options: WriterOptions | undefined
  #last: Promise<unknown> = Promise.resolve()

  constructor(writer: ObjectWriter, bounds: Bounds, key: string, options: WriterOptions | undefined) {
    this.#doing = `writing ${key}`
    this.#writer = writer
    this.#bounds = bounds
    this.#options = options
  }

  write(chunk: Uint8Array): Promise<void> {
    return this.#inTurn(() =>
      this.#bounds.run(this.#doing, this.#options, () => this.#writer.write(chunk), chunk.length),
    )
  }

  close() {
    return this.#inTurn(() => this.#bounds.run(this.#doing, this.#options, () => this.#writer.close()))
  }

  /** At once: what waits for its turn fails then. */
  abort(): Promise<void> {
    return this.#writer.abort()
  }

  /** Those who wait for their bytes must not be passed by those who do not. */
  #inTurn<T>(step: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(step)
    this.#last = turn.catch(() => {})
    return turn
  }
}
