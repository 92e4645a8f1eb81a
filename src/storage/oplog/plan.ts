import { booleanOption, show } from '../../checks.ts'
import { HeadraceError } from '../../errors.ts'
import type { OpLogReader } from './reader.ts'
import { inStartOrder } from './start-order.ts'
import type { OpRecord } from './types.ts'

/** Objects that `prepare` makes are known by name: about 200 bytes each. */
const MAX_PREPARED = 4_000_000

/** What is done again, by the name that logs have for it; s3dlio and warp say STAT for HEAD. */
const ACTIONS = {
  GET: 'get',
  GET_RANGE: 'get',
  PUT: 'put',
  HEAD: 'head',
  STAT: 'head',
  LIST: 'list',
  DELETE: 'delete',
  DELETE_BATCH: 'delete',
} as const

export const REPLAYED_OPS = Object.keys(ACTIONS) as readonly (keyof typeof ACTIONS)[]

/** One operation to be done again. */
export interface ReplayStep {
  readonly action: 'get' | 'put' | 'head' | 'list' | 'delete'
  /** As the log has it. */
  readonly op: string
  /** Milliseconds after the first operation of the log. */
  readonly at: number
  /** Below the target. Of a listing the prefix. */
  readonly key: string
  /** Of a get: undefined for the whole object. */
  readonly range?: { readonly offset: number; readonly length: number }
  /** Of a put the size; of others what the log says that moved. */
  readonly bytes: number
  /** Keys of a delete, entries after which a listing ends; 0: all. */
  readonly objects: number
}

export interface ReplayPlanOptions {
  /** Names of operations to be done again; all that can be. */
  readonly ops?: readonly string[]
  /** What the URLs of the log begin with and the keys at the target do not; what all of them have in common, up to a `/`. */
  readonly strip?: string
  /** Also finds out which objects are read before the log wrote them. */
  readonly prepare?: boolean
  readonly signal?: AbortSignal
}

export interface ReplayPlan {
  readonly path: string
  readonly strip: string
  /** Operations that will be done, by name. */
  readonly operations: Readonly<Record<string, number>>
  /** Operations that will not, by reason. */
  readonly skipped: Readonly<Record<string, number>>
  /** Milliseconds since 1970 of the first operation that will be done; 0 where there is none. */
  readonly start: number
  /** From the first start to the last, as the log has it. */
  readonly seconds: number
  readonly bytesRead: number
  readonly bytesWritten: number
  /** The log ended early. */
  readonly cutOff: boolean
  /** Size by key of what must be there before; undefined unless asked for. */
  readonly prepared?: ReadonlyMap<string, number>
}

function checkedOps(ops: readonly string[] | undefined): ReadonlySet<string> {
  if (ops === undefined) return new Set(REPLAYED_OPS)
  const names = ops.map((op) => op.toUpperCase())
  const unknown = names.find((name) => !Object.hasOwn(ACTIONS, name))
  if (unknown !== undefined || names.length === 0)
    throw new HeadraceError(
      'E_USAGE',
      `ops must be some of ${REPLAYED_OPS.join(', ')}, but got ${show(unknown ?? ops)}`,
    )
  return new Set(names)
}

/** A bucket without anything behind it is what all below it begins with. */
function normalized(url: string): string {
  return /^[a-z][a-z0-9+.-]*:\/\/[^/]+$/i.test(url) ? `${url}/` : url
}

/** Left where URLs have nothing in common: `s3://b/k` is the key `s3/b/k`, for no file has a name with `//` in it. */
const SCHEME = /^([a-z][a-z0-9+.-]*):\/\/+/i

/** What both begin with. */
function common(a: string, b: string): string {
  if (b.startsWith(a)) return a
  let length = 0
  while (length < b.length && a[length] === b[length]) length++
  return a.slice(0, length)
}

/** Why a record is not done again; undefined where it is. */
function reasonToSkip(record: OpRecord, ops: ReadonlySet<string>, strip: string): string | undefined {
  const { op, url, error } = record
  if (!Object.hasOwn(ACTIONS, op)) return `${op}: not among what can be replayed`
  if (!ops.has(op)) return `${op}: not asked for`
  if (error !== undefined) return `${op}: failed in the log`
  if (url === '' && ACTIONS[op as keyof typeof ACTIONS] !== 'list') return `${op}: without a key in the log`
  if (url !== '' && !normalized(url).startsWith(strip)) return `${op}: not below ${strip}`
  return undefined
}

function stepOf(record: OpRecord, strip: string, start: number): ReplayStep {
  const { op, url, bytes, offset } = record
  const action = ACTIONS[op as keyof typeof ACTIONS]
  // Paths of files are keys without the slash that they begin with.
  const key = normalized(url).slice(strip.length).replace(SCHEME, '$1/').replace(/^\/+/, '')
  const step = { action, op, at: record.start - start, key, bytes, objects: record.objects }
  // Logs of others do not say where a range began.
  return op === 'GET_RANGE' ? { ...step, range: { offset: offset ?? 0, length: bytes } } : step
}

/** The steps of a plan, by their time. */
export async function* replaySteps(
  reader: OpLogReader,
  plan: ReplayPlan,
  { ops, signal }: Pick<ReplayPlanOptions, 'ops' | 'signal'> = {},
): AsyncGenerator<readonly ReplayStep[]> {
  const wanted = checkedOps(ops)
  for await (const batch of inStartOrder(reader.batches(signal === undefined ? {} : { signal })))
    yield batch
      .filter((record) => reasonToSkip(record, wanted, plan.strip) === undefined)
      .map((record) => stepOf(record, plan.strip, plan.start))
}

/** What the URLs of all operations that could be done again have in common. */
async function commonDirectory(reader: OpLogReader, signal: AbortSignal | undefined): Promise<string> {
  let shared: string | undefined
  for await (const batch of reader.batches(signal === undefined ? {} : { signal }))
    for (const { op, url } of batch) {
      if (url === '' || !Object.hasOwn(ACTIONS, op)) continue
      shared = shared === undefined ? normalized(url) : common(shared, normalized(url))
    }
  return shared === undefined ? '' : shared.slice(0, shared.lastIndexOf('/') + 1)
}

/**
 * What a replay of a log will do. The log is read twice, once more with `strip`; memory does not grow with it, but for
 * the keys of `prepare` (E_LIMIT above four million). E_USAGE for operations that there are none of.
 */
export async function planReplay(reader: OpLogReader, options: ReplayPlanOptions = {}): Promise<ReplayPlan> {
  const { signal } = options
  const ops = checkedOps(options.ops)
  const prepare = booleanOption('prepare', options.prepare ?? false)
  const strip = options.strip ?? (await commonDirectory(reader, signal))
  const operations: Record<string, number> = {}
  const skipped: Record<string, number> = {}
  const prepared = new Map<string, number>()
  const written = new Set<string>()
  let start = Number.POSITIVE_INFINITY
  let last = Number.NEGATIVE_INFINITY
  let bytesRead = 0
  let bytesWritten = 0
  for await (const batch of inStartOrder(reader.batches(signal === undefined ? {} : { signal })))
    for (const record of batch) {
      const reason = reasonToSkip(record, ops, strip)
      if (reason !== undefined) {
        skipped[reason] = (skipped[reason] ?? 0) + 1
        continue
      }
      const { action, op, key, range, bytes } = stepOf(record, strip, 0)
      operations[op] = (operations[op] ?? 0) + 1
      if (record.start < start) start = record.start
      if (record.start > last) last = record.start
      if (action === 'get') bytesRead += bytes
      if (action === 'put') bytesWritten += bytes
      if (!prepare) continue
      if (action === 'put' && !prepared.has(key)) written.add(key)
      if ((action === 'get' || action === 'head') && !written.has(key))
        prepared.set(key, Math.max(prepared.get(key) ?? 0, (range?.offset ?? 0) + bytes))
      if (prepared.size + written.size > MAX_PREPARED)
        throw new HeadraceError(
          'E_LIMIT',
          `${reader.path} names more than ${MAX_PREPARED} objects, too many to prepare`,
          {
            path: reader.path,
            hint: 'make the objects with another tool, and replay without preparing them',
          },
        )
    }
  const any = Number.isFinite(start)
  return {
    path: reader.path,
    strip,
    operations,
    skipped,
    start: any ? start : 0,
    seconds: any ? (last - start) / 1000 : 0,
    bytesRead,
    bytesWritten,
    cutOff: reader.cutOff,
    ...(prepare ? { prepared } : {}),
  }
}
