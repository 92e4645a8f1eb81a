import type { Origin } from '../http/types.ts'
import { endpointNames } from '../remote/endpoints.ts'
import type { Endpoint } from '../remote/types.ts'
import type { S3Config } from './options.ts'

/** Where requests to one endpoint go. */
export interface Target {
  readonly origin: Origin
  /** As the header has it. */
  readonly host: string
  /** Before the key: '/bucket', or what stands before every path. */
  readonly path: string
}

const DEFAULT_PORTS = { 'http:': 80, 'https:': 443 } as const

/** AWS's server of a region. */
export function awsEndpoint(region: string): Endpoint {
  const suffix = region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com'
  return { origin: { protocol: 'https:', host: `s3.${region}.${suffix}`, port: 443 }, basePath: '' }
}

/** All servers of a store as one text. On AWS a bucket has one place in a partition, whichever region is asked. */
export function serversOf({ endpoints, region }: Pick<S3Config, 'endpoints' | 'region'>): string {
  return endpointNames(endpoints ?? [awsEndpoint(region.startsWith('cn-') ? 'cn-north-1' : 'us-east-1')])
}

/** Whether names below a host find it too: they do not of an address, and not everywhere of localhost. */
function hasSubdomains(host: string): boolean {
  return host !== 'localhost' && !host.includes(':') && !/^[\d.]+$/.test(host)
}

/** As the header of a request has it. */
export function hostHeader({ protocol, host, port }: Origin): string {
  const name = host.includes(':') ? `[${host}]` : host
  return port === DEFAULT_PORTS[protocol] ? name : `${name}:${port}`
}

/** Of a bucket at an endpoint; of the account where the bucket is ''. */
export function targetOf(
  { endpoints, style }: Pick<S3Config, 'endpoints' | 'style'>,
  region: string,
  endpoint: Endpoint,
  bucket: string,
): Target {
  const { origin, basePath } = endpoints === undefined ? awsEndpoint(region) : endpoint
  const host = hostHeader(origin)
  if (bucket === '') return { origin, host, path: basePath }
  if (style === 'path') return { origin, host, path: `${basePath}/${bucket}` }
  const below = hasSubdomains(origin.host) ? { ...origin, host: `${bucket}.${origin.host}` } : origin
  return { origin: below, host: `${bucket}.${host}`, path: basePath }
}
