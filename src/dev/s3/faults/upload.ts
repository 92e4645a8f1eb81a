import type { Wire } from '../wire.ts'
import type { Fault } from './rules.ts'

/** The body of a request as a fault lets it be read. */
export async function* faultyUpload(
  source: AsyncIterable<Buffer>,
  size: number,
  fault: Fault | undefined,
  wire: Wire,
): AsyncGenerator<Buffer> {
  const cuts = fault?.kind === 'stall-upload' || (fault?.kind === 'reset' && fault.when === 'during-upload')
  if (!cuts || fault === undefined) {
    yield* source
    return
  }
  const place = Math.min(fault.after ?? Math.floor(size / 2), size)
  let at = 0
  let done = false
  const cut = async () => {
    done = true
    if (fault.kind === 'stall-upload') await wire.sleep(fault.ms)
    else if (fault.kind === 'reset') wire.end(fault.by)
    // The rest may be here already; it must not count as come.
    if (wire.ended) throw new Error('the connection ended in the middle of a body')
  }
  for await (const piece of source) {
    if (!done && at + piece.length >= place) await cut()
    at += piece.length
    yield piece
  }
  if (!done) await cut()
}
