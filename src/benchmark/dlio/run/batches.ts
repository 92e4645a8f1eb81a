import { native } from '../../../native.ts'
import type { EpochOrder } from './order.ts'
import { BATCH, type Session } from './ring.ts'
import type { Samples } from './samples.ts'
import type { Meter } from './sources.ts'

export interface BatchContext {
  readonly reader: Samples
  readonly meter: Meter
  readonly order: EpochOrder
  /** Added to the files of the order. */
  readonly firstFile: number
  /** Bytes of a row of the slot. */
  readonly stride: number
  /** Seconds that a sample's preprocessing takes, by its position. */
  readonly preprocess: ((position: number) => number) | undefined
  /** A sample that could not be read; what it throws ends the run. */
  readonly onFault: (error: unknown, file: number, sample: number) => void
  /** Called before each sample. */
  readonly onSample: (file: number, sample: number) => void
  /** Samples that are read at once, where that is faster. */
  readonly lanes: number
  readonly stop: Uint32Array
}

/** The samples of a batch, in the order of its rows. */
interface Rows {
  readonly files: Float64Array
  readonly samples: Float64Array
  readonly slot: Uint8Array
}

interface Tally {
  /** ms of reading each sample, all lanes together. */
  spent: number
  faults: number
}

/** Reads a batch into a slot and writes what it cost to `numbers`, by BATCH. */
export async function readBatch(
  context: BatchContext,
  session: Session,
  batch: number,
  slot: Uint8Array,
  numbers: Float64Array,
): Promise<void> {
  const { meter, order, preprocess, stop, reader } = context
  const first = session.start + batch * session.batchSize
  const count = Math.max(0, Math.min(session.batchSize, session.end - first))
  const rows = { files: new Float64Array(count), samples: new Float64Array(count), slot }
  order.fill(first, rows.files, rows.samples)
  const storage = meter.storage
  const bytes = meter.bytes
  const start = native.monotonic()
  const tally: Tally = { spent: 0, faults: 0 }
  if (reader.parallel)
    await Promise.all(
      Array.from({ length: Math.min(context.lanes, count) }, (_, lane) => readLane(context, rows, lane, tally)),
    )
  else await readInTurn(context, rows, tally)
  let prepared = 0
  if (preprocess !== undefined) for (let i = 0; i < count; i++) prepared += preprocess(first + i) * 1000
  const read = native.monotonic()
  if (prepared > 0) native.waitUntil(read + prepared, stop)
  // What is not waiting for storage is decoding; of lanes that wait side by side, the wall's rest is storage's.
  const spent = reader.parallel ? tally.spent : read - start
  const decode = Math.min(read - start, Math.max(0, spent - (meter.storage - storage)))
  numbers[BATCH.decode] = decode
  numbers[BATCH.storage] = read - start - decode
  numbers[BATCH.preprocess] = prepared
  numbers[BATCH.bytes] = meter.bytes - bytes
  numbers[BATCH.samples] = count
  numbers[BATCH.faults] = tally.faults
}

async function readInTurn(context: BatchContext, { files, samples, slot }: Rows, tally: Tally): Promise<void> {
  const { reader, firstFile, stride, onFault, onSample, stop } = context
  for (let row = 0; row < files.length && stop[0] === 0; row++) {
    const file = firstFile + (files[row] as number)
    const sample = samples[row] as number
    onSample(file, sample)
    try {
      const reading = reader.read(file, sample, slot.subarray(row * stride, (row + 1) * stride))
      if (reading !== undefined) await reading
    } catch (error) {
      tally.faults++
      onFault(error, file, sample)
    }
  }
}

/** Every so many-th row, beside other lanes. */
async function readLane(context: BatchContext, rows: Rows, lane: number, tally: Tally): Promise<void> {
  const { reader, firstFile, stride, onFault, onSample, stop } = context
  const { files, samples, slot } = rows
  for (let row = lane; row < files.length && stop[0] === 0; row += context.lanes) {
    const file = firstFile + (files[row] as number)
    const sample = samples[row] as number
    const start = native.monotonic()
    onSample(file, sample)
    try {
      await reader.read(file, sample, slot.subarray(row * stride, (row + 1) * stride))
    } catch (error) {
      tally.faults++
      onFault(error, file, sample)
    }
    tally.spent += native.monotonic() - start
  }
}
