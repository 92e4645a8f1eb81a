/** Microseconds since 1970, whole: what DLIO's time stamps resolve. */
export type Timestamp = number

/** Of the system's clock when the thread began, moved on by the clock that never jumps. */
export function timestamp(): Timestamp {
  return Math.round((performance.timeOrigin + performance.now()) * 1000)
}

/** Local time, as DLIO writes it: "2026-11-22T04:46:20.019150". */
export function isoLocal(time: Timestamp): string {
  const date = new Date(Math.floor(time / 1000))
  const two = (value: number) => String(value).padStart(2, '0')
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
  const micros = String(((time % 1_000_000) + 1_000_000) % 1_000_000).padStart(6, '0')
  return `${day}T${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${micros}`
}

/** Seconds from one to the other. */
export function secondsBetween(start: Timestamp, end: Timestamp): number {
  return (end - start) / 1e6
}
