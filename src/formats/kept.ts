/** 256 MiB, of a thread: what all its open files keep together. A shuffle that goes over many files must not keep all of them. */
const MOST = 256 * 2 ** 20

interface Holding {
  readonly bytes: number
  readonly drop: () => void
}

/** By their owners; the one used last is the last one. */
const holdings = new Map<object, Holding>()
let total = 0

/**
 * Says that `owner`, an open file, keeps so many bytes of decoded samples for the next ones, in place of what it kept
 * before. Where all files keep too much, the one that was not used for the longest time is told to `drop` what it has.
 */
export function keep(owner: object, bytes: number, drop: () => void): void {
  forget(owner)
  holdings.set(owner, { bytes, drop })
  total += bytes
  for (const [oldest, holding] of holdings) {
    if (total <= MOST || oldest === owner) break
    forget(oldest)
    holding.drop()
  }
}

/** It was used again. */
export function touch(owner: object): void {
  const holding = holdings.get(owner)
  if (holding === undefined) return
  holdings.delete(owner)
  holdings.set(owner, holding)
}

/** It keeps nothing any more. */
export function forget(owner: object): void {
  total -= holdings.get(owner)?.bytes ?? 0
  holdings.delete(owner)
}
