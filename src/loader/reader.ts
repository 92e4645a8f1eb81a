import type { Sample } from '../datasets/types.ts'
import type { SlotHandle } from '../native.ts'
import type { RowClock } from './row-clock.ts'

/** A row that could not be read, and what was thrown. */
export interface RowFailure {
  readonly row: number
  readonly error: unknown
}

/** Rows of a step that belong together in reading, and who wants to know how far they are. */
export interface RowsToRead {
  readonly ids: Float64Array
  readonly clock: RowClock
  /** Aborted by who wants them no more, and by the first failure that is not about one sample. */
  readonly stop: AbortController
}

/** Where a field's rows go, in this thread. */
export interface RowPlaces extends RowsToRead {
  readonly field: string
  memory(row: number): Uint8Array
}

/** The same in every thread: each row has a place in a slot. */
export interface Placement extends RowPlaces {
  readonly slot: SlotHandle
  /** Bytes from the slot's start, and of the row. */
  readonly starts: Float64Array
  readonly sizes: Float64Array
}

/** Reads samples, in this thread or in others. All that it was asked for has ended when it answers. */
export interface SampleReader {
  /** undefined where a row failed. */
  read(
    rows: RowsToRead,
    fields: readonly string[],
  ): Promise<{ readonly samples: (Sample | undefined)[]; readonly failures: readonly RowFailure[] }>
  readInto(place: Placement): Promise<readonly RowFailure[]>
}
