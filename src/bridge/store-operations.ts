import { HeadraceError } from '../errors.ts'
import { contentOf } from '../generate/content.ts'
import type { DataSetSpec } from '../generate/index.ts'
import {
  type CallOptions,
  copyObjects,
  type ListEntry,
  type ObjectInfo,
  type ObjectWriter,
  type PutOptions,
  removeObjects,
} from '../storage/index.ts'
import { countField, type Fields, optionalText, tableField, textField, textsField, textTable } from './store-fields.ts'
import { MAX_BODY } from './store-frames.ts'
import type { OpenPlace, StorePlaces } from './store-place.ts'

export interface Answer {
  /** Plain data. */
  readonly value?: unknown
  readonly body?: Uint8Array
}

/** What a connection has open, by the numbers that its client gave. */
export interface StoreState {
  readonly places: StorePlaces
  readonly writers: Map<number, ObjectWriter>
  readonly listings: Map<number, AsyncIterator<ListEntry>>
}

type Operation = (state: StoreState, fields: Fields, body: Uint8Array, call: CallOptions) => Promise<Answer>

/** Bytes of an object that are answered where the request does not say how many: one part, hence one request. */
const FIRST_PART = 8 * 2 ** 20
/** Entries of one answer to `list.next`. */
const MAX_ENTRIES = 10_000
const MAX_OBJECT = 2 ** 53 - 1
/** Writers and listings that one client may have open. */
const MAX_OPEN = 1024
/** Bytes of generated content that are in memory at once. */
const CONTENT_PIECE = 8 * 2 ** 20

function absent({ store, key }: OpenPlace): HeadraceError {
  const url = `${store.url.replace(/\/$/, '')}/${key}`
  return new HeadraceError('E_NOT_FOUND', `there is no ${url}`, { url, key })
}

function putOptions(fields: Fields): PutOptions {
  const contentType = optionalText(fields, 'contentType')
  const metadata = textTable(fields, 'metadata')
  const storageClass = optionalText(fields, 'storageClass')
  return {
    ...(contentType !== undefined && { contentType }),
    ...(metadata !== undefined && { metadata }),
    ...(storageClass !== undefined && { storageClass }),
    ...(fields.ifNoneMatch === '*' && { ifNoneMatch: '*' as const }),
  }
}

/** Objects as lists, for a page of them is mostly names otherwise: key, bytes, etag, ms since 1970, storage class. */
function entryOf(entry: ListEntry): readonly unknown[] | string {
  if (entry.kind === 'prefix') return entry.prefix
  const { key, size, etag, modified, storageClass } = entry
  return storageClass === undefined ? [key, size, etag, modified] : [key, size, etag, modified, storageClass]
}

function opened<T>(of: Map<number, T>, what: string, fields: Fields): T {
  const number = countField(fields, what, undefined, MAX_OBJECT)
  const found = of.get(number)
  if (found !== undefined) return found
  throw new HeadraceError('E_STATE', `${what} ${number} is closed, or was never opened`)
}

function open<T>(of: Map<number, T>, what: string, fields: Fields, value: () => T): void {
  const number = countField(fields, what, undefined, MAX_OBJECT)
  if (of.has(number)) throw new HeadraceError('E_USAGE', `${what} ${number} is open already`)
  if (of.size >= MAX_OPEN) throw new HeadraceError('E_LIMIT', `a connection may have ${MAX_OPEN} of ${what} open`)
  of.set(number, value())
}

function contentSpec(size: number, fields: Fields): DataSetSpec {
  return {
    url: 'mem://content',
    format: 'npy',
    filesTrain: countField(fields, 'objects', 1, 2 ** 31),
    filesValid: 0,
    subfoldersTrain: 0,
    subfoldersValid: 0,
    samplesPerFile: 1,
    naming: 'dlio',
    prefix: 'object',
    record: { kind: 'dims', dims: [size], dtype: 'uint8' },
    options: {},
    seed: countField(fields, 'seed', 0, 2 ** 32 - 1),
    sizesSeed: 0,
    dedup: Math.max(1, countField(fields, 'dedup', 1, 2 ** 20)),
    compress: Math.max(1, countField(fields, 'compress', 1, 2 ** 10)),
  }
}

export const OPERATIONS: Readonly<Record<string, Operation>> = {
  /** Answers the bytes, and of the object its size, so that the client can ask for the rest. */
  get: async ({ places }, fields, _, call) => {
    const place = await places.at(fields)
    const offset = countField(fields, 'offset', 0, MAX_OBJECT)
    const length = countField(fields, 'length', FIRST_PART, MAX_BODY)
    const ifMatch = optionalText(fields, 'ifMatch')
    const range = { offset, length }
    const found = await place.store.get(place.key, { ...call, range, ...(ifMatch !== undefined && { ifMatch }) })
    if (found === undefined) throw absent(place)
    return { value: found.info, body: found.data }
  },
  head: async ({ places }, fields, _, call) => {
    const { store, key } = await places.at(fields)
    return { value: (await store.head(key, call)) ?? null }
  },
  put: async ({ places }, fields, body, call) => {
    const { store, key } = await places.at(fields)
    return { value: await store.put(key, body, { ...call, ...putOptions(fields) }) }
  },
  delete: async ({ places }, fields, _, call) => {
    const { store, key } = await places.at(fields)
    const keys = fields.keys === undefined ? [key] : textsField(fields, 'keys')
    const failed: { key: string; code: string; message: string }[] = []
    for await (const { key: each, error } of store.delete(keys, call)) {
      if (error === undefined) continue
      const code = error instanceof HeadraceError ? error.code : 'E_SERVER'
      failed.push({ key: each, code, message: error.message })
    }
    return { value: { failed } }
  },
  /** Folders with all that is in them, or one object. */
  remove: async ({ places }, fields, _, { signal }) => {
    const options = { recursive: true, force: true, ...(signal && { signal }) }
    return { value: await removeObjects(await places.at(fields), options) }
  },
  copy: async ({ places }, fields, _, call) => {
    const from = await places.at(tableField(fields, 'from'))
    const to = await places.at(tableField(fields, 'to'))
    const options = { ...call, ...putOptions(fields) }
    if (from.store === to.store && to.store.copy !== undefined)
      return { value: await to.store.copy(from.key, to.key, options) }
    const across = await to.store.copyFrom?.(from.store)
    if (across === undefined)
      throw new HeadraceError(
        'E_UNSUPPORTED',
        `objects of ${from.store.url} cannot be copied to ${to.store.url} by a server`,
        {
          hint: 'use the operation transfer, by which they pass through here',
        },
      )
    return { value: await across(from.key, to.key, options) }
  },
  /** Copies between local paths and stores, as `headrace cp` does. */
  transfer: async ({ places }, fields, _, { signal }) => {
    const sources = await Promise.all(textsField(fields, 'from').map((url) => places.at({ url })))
    const to = await places.at({ url: textField(fields, 'to') })
    const report = await copyObjects(sources, to, {
      recursive: fields.recursive === true,
      jobs: countField(fields, 'jobs', 32, 4096),
      ...(signal && { signal }),
    })
    return { value: report }
  },
  'container.create': async ({ places }, fields, _, call) => {
    const { store } = await places.at(fields)
    if (store.createContainer === undefined) throw new HeadraceError('E_UNSUPPORTED', `${store.url} has no containers`)
    await store.createContainer(call)
    return {}
  },
  'container.delete': async ({ places }, fields, _, call) => {
    const { store } = await places.at(fields)
    if (store.deleteContainer === undefined) throw new HeadraceError('E_UNSUPPORTED', `${store.url} has no containers`)
    await store.deleteContainer(call)
    return {}
  },
  'container.list': async ({ places }, fields, _, call) => {
    const store = await places.account(fields)
    if (store.listContainers === undefined) throw new HeadraceError('E_UNSUPPORTED', `${store.url} has no containers`)
    const containers: object[] = []
    for await (const each of store.listContainers(call)) containers.push(each)
    return { value: { containers } }
  },
  'list.open': async ({ places, listings }, fields, _, call) => {
    const { store, key, isFolder } = await places.at(fields, 'prefix')
    // Paths of folders come without it.
    const prefix = isFolder && key !== '' && !key.endsWith('/') ? `${key}/` : key
    const startAfter = optionalText(fields, 'startAfter')
    open(listings, 'list', fields, () =>
      store
        .list(prefix, {
          ...call,
          ...(fields.delimiter === '/' && { delimiter: '/' as const }),
          ...(startAfter !== undefined && { startAfter }),
          ...(fields.parallel !== undefined && { parallel: countField(fields, 'parallel', undefined, 1024) }),
        })
        [Symbol.asyncIterator](),
    )
    return {}
  },
  'list.next': async ({ listings }, fields) => {
    const entries = opened(listings, 'list', fields)
    const count = Math.max(1, countField(fields, 'count', 1000, MAX_ENTRIES))
    const page: (readonly unknown[] | string)[] = []
    let done = false
    while (!done && page.length < count) {
      const next = await entries.next()
      if (next.done === true) done = true
      else page.push(entryOf(next.value))
    }
    if (done) listings.delete(countField(fields, 'list', undefined, MAX_OBJECT))
    return { value: { entries: page, done } }
  },
  'list.close': async ({ listings }, fields) => {
    const number = countField(fields, 'list', undefined, MAX_OBJECT)
    const entries = listings.get(number)
    listings.delete(number)
    await entries?.return?.()
    return {}
  },
  'writer.open': async ({ places, writers }, fields, _, call) => {
    const { store, key } = await places.at(fields)
    const size = fields.size === undefined ? {} : { size: countField(fields, 'size', undefined, MAX_OBJECT) }
    open(writers, 'writer', fields, () => store.writer(key, { ...call, ...putOptions(fields), ...size }))
    return {}
  },
  'writer.write': async ({ writers }, fields, body) => {
    await opened(writers, 'writer', fields).write(body)
    return {}
  },
  'writer.close': async ({ writers }, fields) => {
    const writer = opened(writers, 'writer', fields)
    writers.delete(countField(fields, 'writer', undefined, MAX_OBJECT))
    try {
      const info: ObjectInfo = await writer.close()
      return { value: info }
    } catch (error) {
      await writer.abort().catch(() => {})
      throw error
    }
  },
  'writer.abort': async ({ writers }, fields) => {
    const number = countField(fields, 'writer', undefined, MAX_OBJECT)
    const writer = writers.get(number)
    writers.delete(number)
    await writer?.abort()
    return {}
  },
  /** Content by arithmetic, from (seed, object, offset): as `headrace generate` makes it. */
  content: async (_, fields) => {
    const size = Math.max(1, countField(fields, 'size', undefined, MAX_OBJECT))
    const offset = countField(fields, 'offset', 0, size)
    const body = new Uint8Array(
      Math.min(countField(fields, 'length', Math.min(size, MAX_BODY), MAX_BODY), size - offset),
    )
    contentOf(contentSpec(size, fields), countField(fields, 'object', 0, 2 ** 31)).fill(0, offset, body)
    return { body }
  },
  /** Writes an object of such content: nothing of it passes through the connection. */
  generate: async ({ places }, fields, _, call) => {
    const { store, key } = await places.at(fields)
    const size = countField(fields, 'size', undefined, MAX_OBJECT)
    const writer = store.writer(key, { ...call, ...putOptions(fields), size })
    try {
      const content = contentOf(contentSpec(Math.max(1, size), fields), countField(fields, 'object', 0, 2 ** 31))
      const piece = new Uint8Array(Math.min(size, CONTENT_PIECE))
      for (let offset = 0; offset < size; offset += piece.length) {
        const part = piece.subarray(0, Math.min(piece.length, size - offset))
        content.fill(0, offset, part)
        await writer.write(part)
      }
      return { value: await writer.close() }
    } catch (error) {
      await writer.abort().catch(() => {})
      throw error
    }
  },
}
