import { show } from '../checks.ts'
import { HeadraceError } from '../errors.ts'

/** E_USAGE unless positions start .. start + count - 1 are all within 0 .. length-1. */
export function checkPositions(length: number, start: number, count: number): void {
  if (!Number.isSafeInteger(start) || start < 0 || start + count > length)
    throw new HeadraceError(
      'E_USAGE',
      `positions must be within 0 .. ${length - 1}, but got ${count} from ${show(start)}`,
    )
}

/** What an epoch's order is computed from, kept for the epoch that was asked for last. */
export function perEpoch<T>(make: (epoch: number) => T): (epoch: number) => T {
  let kept: { readonly epoch: number; readonly made: T } | undefined
  return (epoch) => {
    if (kept?.epoch !== epoch) {
      // The old epoch's memory may go before the new one's is taken.
      kept = undefined
      kept = { epoch, made: make(epoch) }
    }
    return kept.made
  }
}
