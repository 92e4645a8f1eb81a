import { show } from '../../checks.ts'
import { HeadraceError } from '../../errors.ts'

/** Of UTF-8: what every object store takes. */
export const MAX_KEY_BYTES = 1024
const UNENCODABLE = /\0|\p{Surrogate}/u

function refuse(name: string, key: unknown): never {
  throw new HeadraceError(
    'E_USAGE',
    `a ${name} must be valid Unicode without NUL, of up to ${MAX_KEY_BYTES} bytes of UTF-8, but got ${show(key)}`,
  )
}

/** What an object store takes as a key: anything but nothing. E_USAGE quotes it. */
export function checkObjectKey(key: string): void {
  if (typeof key !== 'string' || key === '' || UNENCODABLE.test(key)) refuse('key', key)
  if (key.length * 3 > MAX_KEY_BYTES && Buffer.byteLength(key) > MAX_KEY_BYTES) refuse('key', key)
}

export function checkObjectPrefix(prefix: string): void {
  if (typeof prefix !== 'string' || UNENCODABLE.test(prefix)) refuse('prefix', prefix)
}
