const DONE = -1

/** Since when each row of a step is read, in shared memory: whoever reads it sets the time, in whichever thread. */
export class RowClock {
  readonly shared: SharedArrayBuffer
  readonly #times: Float64Array

  /** Of `rows` rows; over another thread's memory those from `first` on. */
  constructor(rows: number, shared = new SharedArrayBuffer(8 * rows), first = 0) {
    this.shared = shared
    this.#times = new Float64Array(shared, 8 * first, rows)
  }

  start(row: number): void {
    this.#times[row] = now()
  }

  end(row: number): void {
    this.#times[row] = DONE
  }

  /** Rows that are read now, and for how many milliseconds; those that wait to be read have 0. */
  pending(): { readonly row: number; readonly ms: number }[] {
    const time = now()
    const rows: { row: number; ms: number }[] = []
    for (const [row, start] of this.#times.entries())
      if (start !== DONE) rows.push({ row, ms: start === 0 ? 0 : time - start })
    return rows
  }
}

/** The same in all threads, to within a millisecond. */
function now(): number {
  return performance.timeOrigin + performance.now()
}
