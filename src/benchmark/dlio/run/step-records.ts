import { BATCH } from './ring.ts'

/** What is kept of every step: seconds, but for the last ones. */
export const STEP_COLUMNS = [
  /** The trainer waited for its batch. */
  'load',
  'compute',
  /** The computation that was asked for. */
  'asked',
  /** `load`, `compute` and what is between them. */
  'proc',
  /** It waited for other ranks. */
  'barrier',
  /** Of the batch, in its reader: waiting for storage, decoding, the workload's preprocessing, waiting for room. */
  'storage',
  'decode',
  'preprocess',
  'idle',
  /** The batch lay ready in the queue. */
  'queue',
  /** Bytes that were read for it. */
  'bytes',
  'samples',
  /** Samples that could not be read. */
  'faults',
] as const
export type StepColumn = (typeof STEP_COLUMNS)[number]

/** Columns of numbers, one row a step. */
export type StepTable = Readonly<Record<StepColumn, Float64Array>>

/** Rows of a growing table. */
const FIRST_ROWS = 1024

/** The steps of a block or an evaluation. Memory grows with them, by 104 bytes each. */
export class StepRecords {
  #rows = 0
  #table: Record<StepColumn, Float64Array>

  constructor(expected: number) {
    this.#table = emptyTable(Math.max(1, Math.min(expected, FIRST_ROWS)))
  }

  get rows(): number {
    return this.#rows
  }

  /** Times in ms, as clocks give them; `batch`: the numbers of the batch's slot, by BATCH. */
  add(start: number, loaded: number, asked: number, computed: number, end: number, batch: Float64Array): void {
    if (this.#rows === this.#table.load.length) this.#grow()
    const row = this.#rows++
    const table = this.#table
    table.load[row] = (loaded - start) / 1000
    table.compute[row] = (computed - loaded) / 1000
    table.asked[row] = asked / 1000
    table.proc[row] = (computed - start) / 1000
    table.barrier[row] = (end - computed) / 1000
    table.storage[row] = (batch[BATCH.storage] as number) / 1000
    table.decode[row] = (batch[BATCH.decode] as number) / 1000
    table.preprocess[row] = (batch[BATCH.preprocess] as number) / 1000
    table.idle[row] = (batch[BATCH.idle] as number) / 1000
    table.queue[row] = Math.max(0, loaded - (batch[BATCH.ready] as number)) / 1000
    table.bytes[row] = batch[BATCH.bytes] as number
    table.samples[row] = batch[BATCH.samples] as number
    table.faults[row] = batch[BATCH.faults] as number
  }

  /** What was added so far. */
  table(): StepTable {
    return mapTable(this.#table, (column) => column.subarray(0, this.#rows))
  }

  #grow(): void {
    this.#table = mapTable(this.#table, (column) => {
      const larger = new Float64Array(2 * column.length)
      larger.set(column)
      return larger
    })
  }
}

function mapTable(table: StepTable, of: (column: Float64Array) => Float64Array): Record<StepColumn, Float64Array> {
  return Object.fromEntries(STEP_COLUMNS.map((name) => [name, of(table[name])])) as Record<StepColumn, Float64Array>
}

function emptyTable(rows: number): Record<StepColumn, Float64Array> {
  return Object.fromEntries(STEP_COLUMNS.map((name) => [name, new Float64Array(rows)])) as Record<
    StepColumn,
    Float64Array
  >
}

/** Sums of columns over several tables. */
export function columnSums(tables: readonly StepTable[]): Readonly<Record<StepColumn, number>> {
  const sums = Object.fromEntries(STEP_COLUMNS.map((name) => [name, 0])) as Record<StepColumn, number>
  for (const table of tables) for (const name of STEP_COLUMNS) for (const value of table[name]) sums[name] += value
  return sums
}
