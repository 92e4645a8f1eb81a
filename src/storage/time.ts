/**
 * Whether two times of an object, in milliseconds, may be one: HTTP's headers have whole seconds only, where listings of
 * the same object may have more.
 */
export function isSameTime(a: number, b: number): boolean {
  if (a === b) return true
  const whole = a % 1000 === 0 || b % 1000 === 0
  return whole && Math.floor(a / 1000) === Math.floor(b / 1000)
}
