import type { DatasetSpec } from '../../datasets/spec.ts'
import { native } from '../../native.ts'
import { failureOf } from '../../storage/threads/failure.ts'
import type { ReadManner } from '../local-reader.ts'
import type { Placement, RowFailure, RowsToRead, SampleReader } from '../reader.ts'
import { Stopwatch } from '../stopwatch.ts'
import { unpackColumns } from './columns.ts'
import { type Request, WorkerMember, type WorkerReport } from './member.ts'
import type { FromThread } from './messages.ts'

/** Rows of a step that one worker reads: `from` to `to`. */
interface Share {
  readonly from: number
  readonly to: number
}

/** Reads by worker threads. The rows of every step are dealt out among all of them. */
export class WorkerCrew implements SampleReader {
  readonly #spec: DatasetSpec
  readonly #manner: ReadManner
  #inflight: number
  #members: WorkerMember[] = []
  readonly #leaving = new Set<Promise<void>>()
  readonly #queued = new Stopwatch()
  #last: number
  /** Samples that were asked for and not answered. */
  #asked = 0

  /** `numbered`: the last number that a thread of the same loader has had. Without threads until it is given some. */
  constructor(spec: DatasetSpec, manner: ReadManner, inflight: number, numbered: number) {
    this.#spec = spec
    this.#manner = manner
    this.#inflight = inflight
    this.#last = numbered
  }

  get numbered(): number {
    return this.#last
  }

  /** Milliseconds in which samples waited for others to be read, about: an answer is of many samples. */
  get queuedMs(): number {
    return this.#queued.ms
  }

  get workers(): number {
    return this.#members.length
  }

  /** Starts threads, or lets some go once they have done what they were asked for. */
  set workers(workers: number) {
    this.#members = this.#members.filter((member) => !member.gone)
    for (const member of this.#members.splice(workers)) this.#leave(member)
    while (this.#members.length < workers) {
      const data = { spec: this.#spec, manner: this.#manner, inflight: share(this.#inflight, workers) }
      this.#members.push(new WorkerMember(++this.#last, data))
    }
    this.inflight = this.#inflight
  }

  /** Samples read at once, by all of them together; at least one by each. */
  set inflight(inflight: number) {
    this.#inflight = inflight
    for (const member of this.#members) member.inflight = share(inflight, this.#members.length)
  }

  report(): readonly WorkerReport[] {
    return this.#members.map((member) => member.report())
  }

  /** How busy the threads were since this was asked last, 0..1 in the mean. */
  busy(): number {
    const shares = this.#members.map((member) => member.busy())
    return shares.reduce((sum, each) => sum + each, 0) / Math.max(1, shares.length)
  }

  async read(rows: RowsToRead, fields: readonly string[]) {
    const answers = await this.#deal(rows, ({ from, to }) => ({
      read: { ids: rows.ids.slice(from, to), clock: rows.clock.shared, first: from, fields },
    }))
    const samples = answers.flatMap(({ answer: { columns = [], bytes }, from, to }) =>
      bytes === undefined ? new Array<undefined>(to - from).fill(undefined) : unpackColumns(columns, bytes, to - from),
    )
    const failures = answers.flatMap(failuresOf)
    return { samples, failures }
  }

  async readInto(place: Placement): Promise<readonly RowFailure[]> {
    const memory = native.shareSlot(place.slot)
    try {
      const answers = await this.#deal(place, ({ from, to }) => ({
        place: {
          ids: place.ids.slice(from, to),
          clock: place.clock.shared,
          first: from,
          field: place.field,
          memory,
          starts: place.starts.slice(from, to),
          sizes: place.sizes.slice(from, to),
        },
      }))
      return answers.flatMap(failuresOf)
    } finally {
      native.unshareSlot(memory)
    }
  }

  /** What is under way comes to its end first. */
  async close(): Promise<void> {
    for (const member of this.#members.splice(0)) this.#leave(member)
    await Promise.all(this.#leaving)
  }

  #leave(member: WorkerMember): void {
    const leaving = member.close()
    this.#leaving.add(leaving)
    void leaving.then(() => this.#leaving.delete(leaving))
  }

  /** All answers; the first failure that is not about a sample ends the others. */
  async #deal(
    rows: RowsToRead,
    request: (share: Share) => Request,
  ): Promise<{ readonly answer: FromThread; readonly from: number; readonly to: number }[]> {
    const count = rows.ids.length
    const members = this.#members
    const asked = members.flatMap((member, i) => {
      const from = Math.floor((count * i) / members.length)
      const to = Math.floor((count * (i + 1)) / members.length)
      if (from === to) return []
      return [
        member.ask(request({ from, to }), rows.stop).then(
          (answer) => {
            if (answer.reason !== undefined) rows.stop.abort(failureOf(answer.reason))
            return { answer, from, to }
          },
          (error: unknown) => {
            rows.stop.abort(error)
            throw error
          },
        ),
      ]
    })
    this.#asked += count
    this.#queued.on = this.#asked > this.#inflight
    const settled = await Promise.allSettled(asked)
    this.#asked -= count
    this.#queued.on = this.#asked > this.#inflight
    if (rows.stop.signal.aborted) throw rows.stop.signal.reason
    return settled.map((one) => (one as PromiseFulfilledResult<Awaited<(typeof asked)[number]>>).value)
  }
}

function failuresOf({ answer, from }: { readonly answer: FromThread; readonly from: number }): RowFailure[] {
  return answer.failures.map(({ row, failure }) => ({ row: from + row, error: failureOf(failure) }))
}

function share(inflight: number, workers: number): number {
  return Math.ceil(inflight / Math.max(1, workers))
}
