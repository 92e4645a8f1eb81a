import { REMOTE_OPTIONS } from '../remote/options.ts'

/** Options of a GCS store that may stand in a URL. */
export const GS_URL_OPTIONS: readonly string[] = [
  'endpoint',
  'keyFile',
  'anonymous',
  'project',
  'checksums',
  ...REMOTE_OPTIONS,
]
