import { REMOTE_OPTIONS } from '../remote/options.ts'

/** Options of an S3 store that may stand in a URL. Credentials never do. */
export const S3_URL_OPTIONS: readonly string[] = [
  'endpoint',
  'region',
  'style',
  'profile',
  'anonymous',
  'checksums',
  'signPayload',
  ...REMOTE_OPTIONS,
]
