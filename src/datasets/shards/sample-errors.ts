import { show } from '../../checks.ts'
import { HeadraceError } from '../../errors.ts'

/** Runs `read`; what goes wrong names the sample. */
export async function forSample<T>(id: number, read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (error) {
    if (!(error instanceof HeadraceError) || error.details.sample === id) throw error
    throw new HeadraceError(error.code, error.message, { ...error.details, sample: id })
  }
}

/** E_USAGE for a sample that there is not. */
export function checkId(id: number, length: number): void {
  if (Number.isSafeInteger(id) && id >= 0 && id < length) return
  throw new HeadraceError('E_USAGE', `sample id must be an integer from 0 to ${length - 1}, but got ${show(id)}`)
}

/** E_USAGE unless `into` has as many bytes as the field. */
export function checkInto(id: number, field: string, bytes: number, into: Uint8Array): void {
  if (into.length === bytes) return
  throw new HeadraceError('E_USAGE', `sample ${id}: ${field} takes ${bytes} bytes, but into has ${into.length}`, {
    sample: id,
    field,
  })
}

/** E_USAGE for a field that has no bytes. */
export function noBytes(field: string, those: readonly string[]): HeadraceError {
  return new HeadraceError('E_USAGE', `field ${show(field)} has no bytes; ${those.join(', ') || 'none'} has`, { field })
}
