import { nameOf } from '../datasets/name-of.ts'
import type { Dataset, ReadOptions, Sample } from '../datasets/types.ts'
import { throwIfAborted } from '../errors.ts'
import { isLasting, namedError } from './faults.ts'
import type { ReadGate } from './read-gate.ts'
import type { RowFailure, RowPlaces, RowsToRead, SampleReader } from './reader.ts'

/** What a dataset is told of every read. */
export type ReadManner = Pick<ReadOptions, 'parts' | 'pageCache'>

/** Reads by the dataset itself, in this thread, as many samples at once as the gate lets through. */
export class LocalReader implements SampleReader {
  readonly #dataset: Dataset
  readonly #gate: ReadGate
  readonly #manner: ReadManner

  constructor(dataset: Dataset, gate: ReadGate, manner: ReadManner) {
    this.#dataset = dataset
    this.#gate = gate
    this.#manner = manner
  }

  async read(rows: RowsToRead, fields: readonly string[]) {
    const samples = new Array<Sample | undefined>(rows.ids.length)
    const options = { ...this.#manner, fields, signal: rows.stop.signal }
    const failures = await this.#each(rows, 'leaves', async (row, id) => {
      samples[row] = await this.#dataset.read(id, options)
    })
    return { samples, failures }
  }

  readInto(place: RowPlaces): Promise<readonly RowFailure[]> {
    const { field, stop } = place
    const options = { ...this.#manner, signal: stop.signal }
    const dataset = this.#dataset as Required<Dataset>
    return this.#each(place, 'waits', async (row, id) => dataset.readInto(id, field, place.memory(row), options))
  }

  /**
   * What failed. `waits`: once all rows have come to their end, for their memory will be another's; `leaves`: also as soon
   * as nobody wants them. A dataset of someone else's may throw at once in place of rejecting.
   */
  #each(
    { ids, clock, stop }: RowsToRead,
    stopped: 'waits' | 'leaves',
    read: (row: number, id: number) => Promise<unknown>,
  ): Promise<readonly RowFailure[]> {
    return new Promise((resolve) => {
      const failures: RowFailure[] = []
      let left = ids.length
      const leave = () => {
        if (failures.length === 0) failures.push({ row: 0, error: stop.signal.reason })
        resolve(failures)
      }
      const run = async (row: number) => {
        const id = ids[row] as number
        clock.start(row)
        try {
          throwIfAborted(stop.signal, 'loading')
          await read(row, id)
        } catch (error) {
          failures.push({ row, error })
          if (!isLasting(error)) stop.abort(this.#named(id, error))
        }
        clock.end(row)
        if (--left > 0) return
        stop.signal.removeEventListener('abort', leave)
        resolve(failures)
      }
      if (stopped === 'leaves') stop.signal.addEventListener('abort', leave, { once: true })
      for (let row = 0; row < ids.length; row++) this.#gate.add(() => run(row))
      if (left === 0) resolve(failures)
    })
  }

  #named(id: number, error: unknown): unknown {
    const key = nameOf(this.#dataset, id)
    return namedError(error, `sample ${id} (${key})`, { sample: id, key })
  }
}
