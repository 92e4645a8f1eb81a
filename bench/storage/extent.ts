import type { OperationName } from './task.ts'

const KIB = 1024
const MIB = 1024 * KIB

/** Requests of one kind that every client is measured with. */
export interface Operation {
  readonly operation: OperationName
  /** Bytes of an object. */
  readonly size: number
  readonly objects: number
}

const read = (size: number, objects: number): Operation => ({ operation: 'get', size, objects })
const write = (size: number, objects: number): Operation => ({ operation: 'put', size, objects })
const keys = (operation: 'list' | 'delete', objects: number): Operation => ({ operation, size: 16, objects })

/** How much is measured. */
export interface Extent {
  readonly operations: readonly Operation[]
  /** Turns of every client, one after the other. */
  readonly rounds: number
  /** About how long one turn lasts. */
  readonly turnSeconds: number
  /** Bytes of the object that goes through as a stream. */
  readonly streamBytes: number
}

const REQUESTS: readonly Operation[] = [
  read(4 * KIB, 512),
  read(64 * KIB, 256),
  read(128 * KIB, 256),
  read(MIB, 128),
  read(8 * MIB, 32),
  read(64 * MIB, 8),
  write(64 * KIB, 64),
  write(MIB, 64),
  write(16 * MIB, 16),
  { operation: 'multipart', size: 256 * MIB, objects: 1 },
]

export const FULL: Extent = {
  operations: [...REQUESTS, keys('list', 20_000), keys('delete', 20_000)],
  rounds: 5,
  turnSeconds: 0.6,
  streamBytes: 5 * 1024 * MIB,
}

/** Under two minutes: shows that everything runs, its numbers mean little. */
export const QUICK: Extent = {
  operations: [...REQUESTS, keys('list', 2_000), keys('delete', 2_000)],
  rounds: 1,
  turnSeconds: 0.1,
  streamBytes: 512 * MIB,
}
