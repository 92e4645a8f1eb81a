import { knownOptions, positiveInteger } from '../../checks.ts'
import { HeadraceError, throwIfAborted, userCallback } from '../../errors.ts'
import { checkRange, roomFor } from '../range.ts'
import { rangedGet } from '../remote/ranged-get.ts'
import { secretsOf } from '../secrets.ts'
import type { GetOptions, ObjectBody, ObjectInfo, PutOptions, Store } from '../types.ts'
import { layer, wrappedSpec } from '../wrappers/layer.ts'
import { Crew } from './crew.ts'
import type { MemberReport } from './member.ts'
import type { Operations, Room } from './messages.ts'
import { LARGEST_ROOM } from './shared-memory.ts'
import { threadedDelete, threadedList } from './threaded-list.ts'
import { ThreadedWriter } from './threaded-writer.ts'

export interface ThreadOptions {
  /** Worker threads, 1 to 64. Each has connections of its own, as many as the store's options say. */
  readonly workers: number
}

export interface ThreadReport {
  /** Of the threads that there are now. */
  readonly workers: readonly MemberReport[]
}

const MOST_WORKERS = 64
/** 16 MiB: more into the caller's memory comes in parts, by all threads. */
const LARGEST_GET = 16 * 2 ** 20
const PARTS = { partSize: 8 * 2 ** 20, partsInFlight: 4 } as const

/**
 * The same store with its transfers spread over worker threads: each call goes to the least busy one, which opens the
 * store from its spec, once. Threads are started when there is work for them. What a get without `into` reads comes
 * without a copy; into the caller's own memory, and out of it, bytes are copied once, but for SharedArrayBuffers, which
 * threads read and write in place. Shared memory: 64 MiB at most; a large get into memory of the caller's comes in parts
 * by all threads, all of one version: E_STATE where the object changes meanwhile. A writer and a listing stay on one
 * thread. Containers, copies between keys aside, are made, deleted and listed by the calling thread.
 *
 * Bounds and caches of wrappers inside are each thread's own, and what `measured` inside would see is not told: put
 * `limited` and `measured` around this. E_UNSUPPORTED for a store in memory, and for options that are functions. A thread
 * that dies fails its calls with E_SERVER; the next call starts another.
 */
export function threaded(store: Store, options: ThreadOptions): Store {
  knownOptions('threaded', options, ['workers'])
  const workers = positiveInteger('workers', options.workers, MOST_WORKERS)
  if (store.url.startsWith('mem:'))
    throw new HeadraceError('E_UNSUPPORTED', `${store.url} cannot have workers: each would have an empty store`)
  const secrets = secretsOf(store.spec)
  for (const [name, value] of Object.entries(secrets)) checkTravels(store.url, name, value)
  const crew = new Crew(store.spec, secrets, workers)
  const { copy } = store
  return {
    ...layer(store, wrappedSpec(store, 'threaded', { workers }), {
      head: async (key, call) => crew.member().call('head', { key }, call),
      get: (key, call = {}) => get(crew, key, call),
      put: (key, body, call = {}) => put(crew, key, body, call),
      writer: (key, call = {}) => {
        // It knows best what is no key.
        void store.writer(key).abort()
        return new ThreadedWriter(crew.member(), crew.memory, key, call)
      },
      list: (prefix, { onUnlisted, ...call } = {}) =>
        threadedList(crew, prefix, call, onUnlisted && userCallback(onUnlisted)),
      delete: (keys, call = {}) => threadedDelete(crew, keys, call),
      copy:
        copy &&
        (async (from, to, { signal, trace, ...given } = {}) =>
          crew
            .member()
            .call('copy', { from, to, options: given }, { ...(signal && { signal }), ...(trace && { trace }) })),
      close: async () => {
        await crew.close()
        await store.close()
      },
    }),
    report: (): ThreadReport => ({ workers: crew.report() }),
  }
}

/** Nothing of the value is told: it may be a secret, also as the text of a function. */
function checkTravels(url: string, name: string, value: unknown): void {
  try {
    structuredClone(value)
  } catch {
    throw new HeadraceError('E_UNSUPPORTED', `the option ${name} of ${url} cannot be given to worker threads`, {
      url,
      hint: 'a function stays in its thread: give credentials as plain data, by the environment or in a profile, or no workers',
    })
  }
}

type GetAsks = Operations['get']['asks']

async function get(crew: Crew, key: string, options: GetOptions): Promise<ObjectBody | undefined> {
  const { range, into, ifMatch, parts, pageCache, signal, trace } = options
  checkRange(range)
  const call = { ...(signal && { signal }), ...(trace && { trace }) }
  const asks: GetAsks = {
    key,
    ...(range && { range: { offset: range.offset, ...(range.length !== undefined && { length: range.length }) } }),
    ...(ifMatch !== undefined && { ifMatch }),
    ...(parts && { parts: { size: parts.size, inflight: parts.inflight } }),
    ...(pageCache && { pageCache }),
  }
  if (into === undefined) {
    const body = await crew.member().call('get', asks, call)
    return body && { info: body.info, data: body.bytes as Uint8Array }
  }
  if (into.buffer instanceof SharedArrayBuffer) {
    const body = await crew.member().call('get', { ...asks, into }, call)
    return body && { info: body.info, data: into.subarray(0, body.bytes as number) }
  }
  const most = Math.min(range?.length ?? Infinity, into.length)
  if (most <= LARGEST_GET) return landed(crew, { ...asks, into: { at: 0, length: most } }, call, () => into)
  return rangedGet(key, options, PARTS, async ({ offset, length, ifMatch: version, place, signal, trace }) => {
    const part = {
      key,
      range: { offset, length },
      into: { at: 0, length },
      ...(pageCache && { pageCache }),
      ...(version !== undefined && { ifMatch: version }),
    }
    const call = { ...(signal && { signal }), ...(trace && { trace }) }
    const body = await landed(crew, part, call, ({ info, count }) =>
      count === 0 ? new Uint8Array() : place({ info, offset, length: count }),
    )
    return body && { info: body.info, offset, length: body.data.length }
  })
}

/** By way of shared memory into what `place` gives, once it is known how much there is. */
async function landed(
  crew: Crew,
  asks: GetAsks & { readonly into: Room },
  call: Pick<GetOptions, 'signal' | 'trace'>,
  place: (body: { readonly info: ObjectInfo; readonly count: number }) => Uint8Array,
): Promise<ObjectBody | undefined> {
  const { memory } = crew
  const into = await memory.take(asks.into.length, call.signal, 'get')
  try {
    const body = await crew.member().call('get', { ...asks, into }, call)
    if (body === undefined) return undefined
    const count = body.bytes as number
    const data = roomFor(place({ info: body.info, count }), count, asks.key)
    data.set(memory.bytes({ at: into.at, length: count }))
    return { info: body.info, data }
  } finally {
    memory.give(into)
  }
}

async function put(crew: Crew, key: string, body: Uint8Array, options: PutOptions): Promise<ObjectInfo> {
  const { signal, trace, ...given } = options
  const call = { ...(signal && { signal }), ...(trace && { trace }) }
  if (body.buffer instanceof SharedArrayBuffer) return crew.member().call('put', { key, body, options: given }, call)
  if (body.length > LARGEST_ROOM) return putPieces(crew, key, body, options)
  const { memory } = crew
  const room = await memory.take(body.length, signal, 'put')
  try {
    memory.bytes(room).set(body)
    return await crew.member().call('put', { key, body: room, options: given }, call)
  } finally {
    memory.give(room)
  }
}

async function putPieces(crew: Crew, key: string, body: Uint8Array, options: PutOptions): Promise<ObjectInfo> {
  throwIfAborted(options.signal, 'put')
  const writer = new ThreadedWriter(crew.member(), crew.memory, key, { ...options, size: body.length })
  try {
    await writer.write(body)
    return await writer.close()
  } catch (error) {
    await writer.abort()
    throw error
  }
}
