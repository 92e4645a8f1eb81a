import { show } from '../../checks.ts'
import { HeadraceError } from '../../errors.ts'

/** It becomes a line of a request: E_USAGE for what would end that, or is not the same everywhere. */
export function checkContentType(value: string): string {
  if (typeof value === 'string' && /^[\x20-\x7e]+$/.test(value)) return value
  throw new HeadraceError('E_USAGE', `contentType must be printable ASCII, but got ${show(value)}`)
}
