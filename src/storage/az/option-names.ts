import { REMOTE_OPTIONS } from '../remote/options.ts'

/** Options of an Azure store that may stand in a URL. Credentials never do. */
export const AZ_URL_OPTIONS: readonly string[] = ['endpoint', 'anonymous', 'checksums', ...REMOTE_OPTIONS]
