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
const parts = (size: number): Operation => ({ operation: 'multipart', size, objects: 1 })
const keys = (operation: 'list' | 'delete', objects: number): Operation => ({ operation, size: 16, objects })

/** How much is measured. */
export interface Extent {
  readonly operations: readonly Operation[]
  /** Turns of every client, one after the other. */
  readonly rounds: number
  /** About how long one turn lasts. */
  readonly turnSeconds: number
  /** For how long a client does what it has not done before, uncounted: V8 compiles what it runs often. */
  readonly warmSeconds: number
  /** Bytes of the object that goes through as a stream. */
  readonly streamBytes: number
}

export const FULL: Extent = {
  operations: [
    read(4 * KIB, 512),
    read(64 * KIB, 256),
    read(128 * KIB, 256),
    read(MIB, 128),
    read(8 * MIB, 32),
    read(64 * MIB, 8),
    write(64 * KIB, 64),
    write(MIB, 64),
    write(16 * MIB, 16),
    parts(256 * MIB),
    keys('list', 20_000),
    keys('delete', 20_000),
  ],
  rounds: 3,
  turnSeconds: 0.5,
  warmSeconds: 3,
  streamBytes: 5 * 1024 * MIB,
}

/** Under two minutes: shows that everything runs, its numbers mean little. */
export const QUICK: Extent = {
  operations: [
    read(4 * KIB, 128),
    read(128 * KIB, 64),
    read(MIB, 32),
    write(64 * KIB, 64),
    write(MIB, 64),
    parts(64 * MIB),
    keys('list', 2_000),
    keys('delete', 2_000),
  ],
  rounds: 1,
  turnSeconds: 0.1,
  warmSeconds: 0.5,
  streamBytes: 512 * MIB,
}
