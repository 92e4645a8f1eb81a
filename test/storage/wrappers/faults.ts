import { type ErrorCode, HeadraceError } from '../../../src/errors.ts'
import type { DeleteResult, ListEntry, Store } from '../../../src/storage/types.ts'
import { layer } from '../../../src/storage/wrappers/layer.ts'

type Op = 'head' | 'get' | 'list' | 'put' | 'write' | 'close' | 'delete' | 'copy'

export interface FaultRule {
  readonly op: Op
  /** Of calls (of listings and deletes: of entries) that are hit; 1. */
  readonly chance?: number
  /** How many are hit at most. */
  readonly times?: number
  /** Before anything happens, or after all has happened; of a delete, of the key's own result. */
  readonly when?: 'before' | 'after' | 'result'
  readonly code?: ErrorCode
  readonly retryAfter?: number
  /** Milliseconds that pass first. */
  readonly delay?: number
}

export interface FaultyStore extends Store {
  /** Calls that came through, by name; of listings and deletes those that were begun. */
  readonly calls: Readonly<Record<Op, number>>
  readonly faults: number
}

/** mulberry32: the same faults for the same seed. */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let x = Math.imul(state ^ (state >>> 15), state | 1)
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61)
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32
  }
}

/** The same store, failing as the rules say. */
export function withFaults(store: Store, rules: readonly FaultRule[], seed = 1): FaultyStore {
  const random = randomFrom(seed)
  const left = rules.map(({ times = Infinity }) => times)
  const calls = { head: 0, get: 0, list: 0, put: 0, write: 0, close: 0, delete: 0, copy: 0 }
  let faults = 0
  const fault = async (op: Op, when: FaultRule['when']): Promise<HeadraceError | undefined> => {
    for (const [i, rule] of rules.entries()) {
      if (rule.op !== op || (rule.when ?? 'before') !== when || (left[i] ?? 0) <= 0) continue
      if (random() >= (rule.chance ?? 1)) continue
      left[i] = (left[i] ?? 0) - 1
      faults++
      if (rule.delay !== undefined) await new Promise((resolve) => setTimeout(resolve, rule.delay))
      if (rule.code === undefined) continue
      const details = rule.retryAfter === undefined ? {} : { retryAfter: rule.retryAfter }
      return new HeadraceError(rule.code, `${op} failed on purpose`, details)
    }
    return undefined
  }
  const around = async <T>(op: Op, run: () => Promise<T>): Promise<T> => {
    calls[op]++
    const before = await fault(op, 'before')
    if (before !== undefined) throw before
    const result = await run()
    const after = await fault(op, 'after')
    if (after !== undefined) throw after
    return result
  }
  const { copy } = store
  const faulty = layer(store, store.spec, {
    head: (key, call) => around('head', () => store.head(key, call)),
    get: (key, call) => around('get', () => store.get(key, call)),
    put: (key, body, call) => around('put', () => store.put(key, body, call)),
    copy: copy && ((from, to, call) => around('copy', () => copy.call(store, from, to, call))),
    writer: (key, call) => {
      const writer = store.writer(key, call)
      return {
        write: (chunk) => around('write', () => writer.write(chunk)),
        close: () => around('close', () => writer.close()),
        abort: () => writer.abort(),
      }
    },
    list: async function* (prefix, call): AsyncGenerator<ListEntry> {
      calls.list++
      for await (const entry of store.list(prefix, call)) {
        const before = await fault('list', 'before')
        if (before !== undefined) throw before
        yield entry
      }
    },
    delete: async function* (keys, call): AsyncGenerator<DeleteResult> {
      calls.delete++
      for await (const result of store.delete(keys, call)) {
        const before = await fault('delete', 'before')
        if (before !== undefined) throw before
        const error = await fault('delete', 'result')
        yield error === undefined ? result : { key: result.key, error }
      }
    },
  })
  return Object.defineProperties(
    { ...faulty, calls },
    { faults: { get: () => faults, enumerable: true } },
  ) as unknown as FaultyStore
}
