import { show } from '../../checks.ts'
import { HeadraceError } from '../../errors.ts'
import type { S3Config } from './options.ts'

/** UTF-8 bytes of a whole key, the store's prefix included: S3's limit. */
const MAX_KEY = 1024

/** Half a surrogate pair has no UTF-8; NUL no place in XML or in file names, where many servers keep objects. */
const UNENCODABLE = /\0|\p{Surrogate}/u

function refuse(what: string, reason: string, value: string): never {
  throw new HeadraceError('E_USAGE', `${what} must be ${reason}, but got ${show(value)}`)
}

/** The key in the bucket. E_USAGE where it cannot be one, or the store's URL names no bucket. */
export function wholeKey({ bucket, root, url }: S3Config, key: string): string {
  if (bucket === '') throw new HeadraceError('E_USAGE', `${url} names no bucket, so it has no objects`, { url })
  if (typeof key !== 'string' || key === '') refuse('a key', 'a text that is not empty', key)
  if (UNENCODABLE.test(key)) refuse('a key', 'valid Unicode without NUL', key)
  const whole = root + key
  // A letter has at most three bytes for each of its UTF-16 units.
  if (whole.length * 3 > MAX_KEY && Buffer.byteLength(whole) > MAX_KEY)
    refuse('a key', `at most ${MAX_KEY} bytes with its prefix`, key)
  return whole
}

/** What the keys of a listing begin with in the bucket. */
export function wholePrefix({ bucket, root, url }: S3Config, prefix: string): string {
  if (bucket === '') throw new HeadraceError('E_USAGE', `${url} names no bucket, so it has no objects`, { url })
  if (typeof prefix !== 'string' || UNENCODABLE.test(prefix)) refuse('a prefix', 'valid Unicode without NUL', prefix)
  return root + prefix
}
