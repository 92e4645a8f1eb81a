/** `count` of the ids 0 .. length - 1, spread evenly over them; all of them where there are no more. */
export function spreadEvenly(length: number, count: number): number[] {
  const taken = Math.min(length, count)
  return Array.from({ length: taken }, (_, i) => Math.floor(((i + 0.5) * length) / taken))
}
