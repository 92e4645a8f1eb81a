import { native } from '../../../native.ts'
import { viewKey } from '../../../sampling/random.ts'
import type { Distribution } from '../types.ts'
import { type BatchContext, readBatch } from './batches.ts'
import { isZero, Times } from './distribution.ts'
import { EpochOrder, type OrderSpec } from './order.ts'
import { BATCH, PLACE, type Ring, type Session } from './ring.ts'
import type { Samples } from './samples.ts'
import type { Meter } from './sources.ts'

/** Preprocessing times are drawn apart from everything else. */
const PREPROCESS = viewKey('preprocess\0')

/** What can be read: a split of the data set. */
export interface Part {
  readonly order: OrderSpec
  /** Of the split's first file, in the set. */
  readonly firstFile: number
  readonly reader: Samples
}

export interface ReaderOptions {
  /** By number; asked for when a session of it begins. */
  readonly part: (number: number) => Part
  readonly meter: Meter
  /** Samples of an object store that are read at once. */
  readonly lanes: number
  /** Bytes of a row of a slot. */
  readonly stride: number
  readonly preprocessTime: Distribution
  readonly seed: number
  /** `count`: a sample that cannot be read is counted, and the run goes on. */
  readonly onError: 'fail' | 'count'
  /** The error that ends the run. */
  readonly failed: (error: unknown, file: number, sample: number) => Error
  readonly tell: (fault: Fault) => void
}

/** A sample that could not be read. */
export interface Fault {
  /** In the set. */
  readonly file: number
  readonly sample: number
  readonly error: unknown
}

/** Reads the batches of sessions: a reader thread's work, or the trainer's own where there are none. */
export class BatchReader {
  readonly #options: ReaderOptions
  readonly #stop: Uint32Array
  readonly #place: Float64Array
  #session: Session | undefined
  #context: BatchContext | undefined

  constructor(options: ReaderOptions, stop: Uint32Array, place: Float64Array) {
    this.#options = options
    this.#stop = stop
    this.#place = place
  }

  /** Reads one batch of a session into a slot. */
  async read(session: Session, batch: number, slot: Uint8Array, numbers: Float64Array): Promise<void> {
    await readBatch(await this.#contextOf(session), session, batch, slot, numbers)
  }

  async #contextOf(session: Session): Promise<BatchContext> {
    if (this.#context !== undefined && this.#session === session) return this.#context
    const { part: partOf, lanes, meter, stride, preprocessTime, seed, onError, failed, tell } = this.#options
    const part = partOf(session.part)
    // What the last session left open may hold more than was asked for: each one reads anew.
    await part.reader.close()
    const times = isZero(preprocessTime) ? undefined : new Times(preprocessTime, seed, session.epoch, PREPROCESS)
    const place = this.#place
    this.#session = session
    this.#context = {
      reader: part.reader,
      meter,
      order: new EpochOrder(part.order, session.epoch),
      firstFile: part.firstFile,
      stride,
      preprocess: times && ((position) => times.at(position)),
      lanes,
      stop: this.#stop,
      onSample: (file, sample) => {
        place[PLACE.file] = file
        place[PLACE.sample] = sample
      },
      onFault: (error, file, sample) => {
        if (onError === 'fail') throw failed(error, file, sample)
        tell({ file, sample, error })
      },
    }
    return this.#context
  }
}

/** A reader thread: session after session, until there are none any more. `slots`: the memory of the ring's slots. */
export async function serveRing(ring: Ring, slots: readonly Uint8Array[], reader: BatchReader): Promise<void> {
  for (;;) {
    const session = ring.nextSession()
    if (session === undefined) return
    for (;;) {
      const batch = ring.claim(session)
      if (batch === undefined) break
      const start = native.monotonic()
      if (ring.room(batch) !== 'ready') return
      const numbers = ring.numbersOf(batch)
      numbers[BATCH.idle] = native.monotonic() - start
      await reader.read(session, batch, slots[ring.slotOf(batch)] as Uint8Array, numbers)
      numbers[BATCH.ready] = native.monotonic()
      ring.publish(batch)
    }
  }
}
