import { show } from '../../checks.ts'
import { HeadraceError } from '../../errors.ts'
import { checkObjectKey, checkObjectPrefix, MAX_KEY_BYTES } from '../remote/object-key.ts'
import type { S3Config } from './options.ts'

function checkBucket({ bucket, url }: S3Config): void {
  if (bucket === '') throw new HeadraceError('E_USAGE', `${url} names no bucket, so it has no objects`, { url })
}

/** The key in the bucket. E_USAGE where it cannot be one, or the store's URL names no bucket. */
export function wholeKey(config: S3Config, key: string): string {
  checkBucket(config)
  checkObjectKey(key)
  if (config.root === '') return key
  const whole = config.root + key
  // A letter has at most three bytes for each of its UTF-16 units.
  if (whole.length * 3 > MAX_KEY_BYTES && Buffer.byteLength(whole) > MAX_KEY_BYTES)
    throw new HeadraceError(
      'E_USAGE',
      `a key must have up to ${MAX_KEY_BYTES} bytes of UTF-8 with the prefix ${show(config.root)}, but got ${show(key)}`,
    )
  return whole
}

/** What the keys of a listing begin with in the bucket. */
export function wholePrefix(config: S3Config, prefix: string): string {
  checkBucket(config)
  checkObjectPrefix(prefix)
  return config.root + prefix
}
