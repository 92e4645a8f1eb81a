import {
  booleanOption,
  knownOptions,
  nonNegativeInteger,
  oneOf,
  positiveInteger,
  progressOption,
  show,
} from '../../checks.ts'
import { HeadraceError, userCallback } from '../../errors.ts'
import type { OpSink } from '../oplog/types.ts'
import { type Filter, filterOf } from './filter.ts'
import type { BulkOptions, MovingOptions, RemoveOptions, SyncOptions, TransferOptions } from './types.ts'

const BULK_OPTIONS = [
  'include',
  'exclude',
  'onError',
  'dryRun',
  'opLog',
  'signal',
  'onProgress',
  'onStep',
  'onFailure',
] as const
const MOVING_OPTIONS = [...BULK_OPTIONS, 'jobs', 'partSize', 'windowBytes', 'resume', 'workers'] as const
const TRANSFER_OPTIONS = [...MOVING_OPTIONS, 'recursive'] as const satisfies readonly (keyof TransferOptions)[]
const SYNC_OPTIONS = [...MOVING_OPTIONS, 'delete', 'checksum'] as const satisfies readonly (keyof SyncOptions)[]
const REMOVE_OPTIONS = [...BULK_OPTIONS, 'recursive', 'force'] as const satisfies readonly (keyof RemoveOptions)[]

const MAX_JOBS = 4096
const MiB = 2 ** 20

type Events = Pick<BulkOptions, 'onError' | 'onProgress' | 'onStep' | 'onFailure'>

/** What all commands have, checked, with its defaults. */
export interface BulkSettings {
  readonly filter: Filter
  readonly dryRun: boolean
  readonly opLog: OpSink | undefined
  readonly signal?: AbortSignal
  readonly events: Events
}

export interface RemoveSettings extends BulkSettings {
  readonly recursive: boolean
  readonly force: boolean
}

export interface MovingSettings extends BulkSettings {
  readonly jobs: number
  readonly partSize: number
  readonly windowBytes: number
  readonly resume: boolean
  readonly workers: number
}

export interface TransferSettings extends MovingSettings {
  readonly recursive: boolean
}

export interface SyncSettings extends MovingSettings {
  readonly delete: boolean
  readonly checksum: boolean
}

function callback<T>(name: string, value: ((event: T) => void) | undefined): ((event: T) => void) | undefined {
  if (value === undefined) return undefined
  if (typeof value === 'function') return userCallback(value)
  throw new HeadraceError('E_USAGE', `${name} must be a function, but got ${show(value)}`)
}

function bulkSettings(given: BulkOptions): BulkSettings {
  const { signal } = given
  const onError = oneOf('onError', given.onError ?? 'report', ['report', 'throw'])
  const onProgress = progressOption(given.onProgress)
  const onStep = callback('onStep', given.onStep)
  const onFailure = callback('onFailure', given.onFailure)
  return {
    filter: filterOf(given),
    dryRun: booleanOption('dryRun', given.dryRun ?? false),
    opLog: given.opLog,
    ...(signal && { signal }),
    events: { onError, ...(onProgress && { onProgress }), ...(onStep && { onStep }), ...(onFailure && { onFailure }) },
  }
}

function movingSettings(given: MovingOptions): MovingSettings {
  return {
    ...bulkSettings(given),
    jobs: positiveInteger('jobs', given.jobs ?? 32, MAX_JOBS),
    partSize: positiveInteger('partSize', given.partSize ?? 8 * MiB),
    windowBytes: positiveInteger('windowBytes', given.windowBytes ?? 64 * MiB),
    resume: booleanOption('resume', given.resume ?? false),
    workers: nonNegativeInteger('workers', given.workers ?? 0),
  }
}

export function transferSettings(of: string, given: TransferOptions): TransferSettings {
  knownOptions(of, given, TRANSFER_OPTIONS)
  return { ...movingSettings(given), recursive: booleanOption('recursive', given.recursive ?? false) }
}

export function syncSettings(given: SyncOptions): SyncSettings {
  knownOptions('syncObjects', given, SYNC_OPTIONS)
  return {
    ...movingSettings(given),
    delete: booleanOption('delete', given.delete ?? false),
    checksum: booleanOption('checksum', given.checksum ?? false),
  }
}

export function removeSettings(given: RemoveOptions): RemoveSettings {
  knownOptions('removeObjects', given, REMOVE_OPTIONS)
  return {
    ...bulkSettings(given),
    recursive: booleanOption('recursive', given.recursive ?? false),
    force: booleanOption('force', given.force ?? false),
  }
}
