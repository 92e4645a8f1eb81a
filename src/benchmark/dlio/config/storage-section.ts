import { posix, resolve } from 'node:path'
import type { Behaviour } from './profiles.ts'
import type { Section } from './section.ts'

export type StorageType = 'local_fs' | 'direct_fs' | 's3'

export interface StorageConfig {
  readonly type: StorageType
  readonly root: string
  /** For `openStore`, besides what stands in URLs. Holds credentials. */
  readonly options: Readonly<Record<string, unknown>>
  /** `direct`, where the fork's `uri_scheme` asks for it. */
  readonly scheme: string | null
}

const TYPES = ['local_fs', 's3', 'aistore', 'parallel_fs', 'direct_fs', 's3dlio'] as const

const LIBRARY = 'Headrace has one client for each protocol'

/** Where data lie, and with what they are opened. `env`: where the fork looks for what is not given. */
export function readStorage(
  section: Section,
  behaviour: Behaviour,
  env: Readonly<Record<string, string | undefined>>,
): StorageConfig {
  const type = readType(section, behaviour, env)
  const bucket = section.has('storage_root') || type !== 's3' ? undefined : env.DLIO_BUCKET
  const root = section.text('storage_root', bucket ?? './')
  const { options, endpoints, scheme } = readOptions(section.section('storage_options'), env)
  const uris = section.texts('endpoint_uris')
  section.without('storage_library', LIBRARY)
  const balance = readBalance(section)
  section.without('use_mpi_endpoint_distribution', 'every rank uses all endpoints')
  section.without('post_generation_settle_seconds', 'what is written is there when generation ends')
  const schemeHere = section.optionalText('uri_scheme')
  section.close()
  const all = uris.length > 0 ? uris : endpoints
  return {
    type,
    root,
    options: { ...options, ...balance, ...(all.length > 0 && { endpoint: all.length === 1 ? all[0] : all }) },
    scheme: schemeHere ?? scheme,
  }
}

function readType(
  section: Section,
  { forkKeys, aliases }: Behaviour,
  env: Readonly<Record<string, string | undefined>>,
): StorageType {
  const fallback =
    forkKeys && !section.has('storage_type')
      ? TYPES.find((each) => each === env.DLIO_STORAGE_TYPE?.toLowerCase())
      : undefined
  const allowed = TYPES.filter((each) => (each !== 'direct_fs' || forkKeys) && (each !== 's3dlio' || aliases))
  const type = section.choice('storage_type', fallback ?? 'local_fs', allowed)
  if (type === 's3dlio') {
    section.warn('storage_type', 'storage.storage_type s3dlio is read as s3: s3dlio is the name of a library')
    return 's3'
  }
  if (type === 'aistore')
    throw section.error(
      'storage_type',
      'aistore cannot be read',
      'AIStore speaks S3 as well: storage_type s3 with endpoint_url http://HOST:51080/s3',
    )
  if (type === 'parallel_fs') {
    if (!aliases)
      throw section.error('storage_type', 'parallel_fs is a name that DLIO knows and cannot open', 'write local_fs')
    section.warn('storage_type', 'storage.storage_type parallel_fs is read as local_fs; DLIO cannot open it')
    return 'local_fs'
  }
  return type
}

function readOptions(section: Section, env: Readonly<Record<string, string | undefined>>) {
  const accessKeyId = section.secret('access_key_id')
  const secretAccessKey = section.secret('secret_access_key')
  const sessionToken = section.secret('session_token')
  const endpoint = section.optionalText('endpoint_url')
  const region = section.optionalText('region', section.has('endpoint_url') ? 'us-east-1' : null)
  const pathStyle = section.boolean('s3_force_path_style', false)
  const attempts = section.has('s3_max_attempts')
    ? section.integer('s3_max_attempts', 5, { min: 1, max: 1000 })
    : undefined
  const scheme = section.optionalText('uri_scheme')
  const uris = section.texts('endpoint_uris')
  section.without('storage_library', LIBRARY)
  section.without('prefetch_window', 'reader.prefetch_size says how many batches are read ahead')
  section.without('prefetch_workers', 'reader.read_threads says how many threads read')
  section.without('decode', 'Parquet is read as its columns are')
  section.without('simulate_io', 'storage_root null:// is storage that costs nothing')
  section.without('columns', 'dataset.parquet.columns says which columns are read')
  const balance = readBalance(section)
  section.without('multipart_workers', 'uploads choose it themselves')
  section.close()
  const endpoints = uris.length > 0 ? uris : endpoint === null ? urisOf(env.S3_ENDPOINT_URIS) : [endpoint]
  const options = {
    ...balance,
    ...(region !== null && { region }),
    // false is DLIO's default and no wish: stores with an endpoint of their own are asked by path.
    ...(pathStyle && { style: 'path' }),
    ...(attempts !== undefined && { attempts }),
    ...(accessKeyId !== undefined &&
      secretAccessKey !== undefined && {
        credentials: { accessKeyId, secretAccessKey, ...(sessionToken !== undefined && { sessionToken }) },
      }),
  }
  return { options, endpoints, scheme }
}

/** Of several endpoints. */
function readBalance(section: Section): { readonly balance?: 'round-robin' | 'least-busy' } {
  const strategy = section.choice('load_balance_strategy', null, ['round_robin', 'least_connections'])
  return strategy === null ? {} : { balance: strategy === 'round_robin' ? 'round-robin' : 'least-busy' }
}

function urisOf(text: string | undefined): readonly string[] {
  return (text ?? '')
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
}

const SCHEME = /^[a-z][a-z0-9+.-]*:\/\//i

/** dl-driver's older name of `direct://`. */
function plainScheme(url: string): string {
  return url.replace(/^directio:\/\//i, 'direct://')
}

/** The URL or path of a folder of the config's. One with a scheme stands for itself. */
export function folderUrl(folder: string, storage: StorageConfig, joined: boolean): string {
  const trimmed = folder.replace(/(?<!\/)\/+$/, '')
  if (SCHEME.test(trimmed)) return plainScheme(trimmed)
  const root = SCHEME.test(storage.root) ? plainScheme(storage.root) : storage.root
  if (storage.type === 's3') return bucketUrl(root, trimmed)
  if (SCHEME.test(root) && joined) return `${root.replace(/(?<!\/)\/+$/, '')}/${trimmed.replace(/^(?:\.?\/)+/, '')}`
  // As os.path.join does: an absolute folder stands alone.
  const path = trimmed.startsWith('/') || !joined ? trimmed : posix.join(root, trimmed)
  const direct = storage.type === 'direct_fs' || storage.scheme === 'direct'
  return direct ? `direct://${resolve(path)}` : path === '' ? '.' : path
}

function bucketUrl(root: string, folder: string): string {
  const bucket = root
    .replace(/^s3:\/\//i, '')
    .replace(/\/+$/, '')
    .replace(/^(?:\.?\/)+/, '')
  const key = folder.replace(/^(?:\.?\/)+/, '')
  return `s3://${[bucket, key].filter((part) => part !== '' && part !== '.').join('/')}`
}
