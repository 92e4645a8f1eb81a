/** Milliseconds that the process's clock is ahead of this thread's `performance.now()`, which begins with the thread. */
export function clock(): number {
  return Number(process.hrtime.bigint()) / 1e6 - performance.now()
}
