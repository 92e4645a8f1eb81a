import { isHeadraceError } from '../../errors.ts'
import type { ObjectInfo, Trace } from '../types.ts'

export interface OwnWrite {
  /** Sends it, as often as it takes. The trace must tell of every time. */
  write(trace: Trace): Promise<ObjectInfo>
  /** What is in its way, if that is what was sent: by size and a checksum, or what else tells. */
  found(): Promise<ObjectInfo | undefined>
}

/**
 * A write on condition that there is nothing yet, sent again where an answer was lost or told to come back later: it may
 * have taken effect all the same, and then the object itself is what is in the way of the next attempt. E_EXISTS where
 * that is another one. Two writers of the same bytes cannot be told apart then.
 */
export async function orOwnWrite(given: Trace | undefined, { write, found }: OwnWrite): Promise<ObjectInfo> {
  const trace = given ?? {}
  try {
    return await write(trace)
  } catch (error) {
    if (!isHeadraceError(error, 'E_EXISTS') || (trace.retries ?? 0) === 0) throw error
    const ours = await found()
    if (ours === undefined) throw error
    return ours
  }
}
