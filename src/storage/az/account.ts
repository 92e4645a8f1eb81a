import type { HeaderFields, HttpHead, HttpRequest, Method } from '../http/types.ts'
import { encodeKey, encodeQueryPart } from '../remote/encoding.ts'
import type { Endpoint } from '../remote/types.ts'
import type { AzCredentials } from './credentials.ts'
import { sharedKeyAuthorization } from './signing.ts'

/** Version of the Blob service's REST interface; the oldest one whose blocks may have 4,000 MiB and that has CRC-64. */
export const AZ_VERSION = '2021-12-02'

export interface AzCall {
  readonly method: Method
  /** '' for the account itself. */
  readonly container: string
  /** Not encoded; '' for the container itself. */
  readonly blob: string
  /** Not encoded. */
  readonly query?: readonly (readonly [name: string, value: string])[]
  readonly headers?: HeaderFields
  readonly body?: readonly Uint8Array[]
  readonly place?: (head: HttpHead) => Uint8Array | undefined
  readonly maxBody?: number
  readonly idempotent: boolean
  readonly signal?: AbortSignal
}

export function pathOf(endpoint: Endpoint, container: string, blob: string): string {
  const inside = blob === '' ? container : `${container}/${encodeKey(blob)}`
  return `${endpoint.basePath}/${inside}`
}

function bytesOf(body: readonly Uint8Array[] | undefined): number {
  let bytes = 0
  for (const piece of body ?? []) bytes += piece.length
  return bytes
}

/** Signs a call as its account wants it. Every attempt anew: the date is part of what is signed. */
export async function azRequest(
  credentials: AzCredentials,
  endpoint: Endpoint,
  call: AzCall,
  now: number,
): Promise<HttpRequest> {
  const { method, body, place, maxBody, idempotent, signal } = call
  const path = pathOf(endpoint, call.container, call.blob)
  const query = call.query ?? []
  const headers: Record<string, string> = {
    ...call.headers,
    'x-ms-date': new Date(now).toUTCString(),
    'x-ms-version': AZ_VERSION,
  }
  let target = query.length === 0 ? path : `${path}?${query.map(([n, v]) => `${n}=${encodeQueryPart(v)}`).join('&')}`
  const contentLength = bytesOf(body)
  if (credentials.kind === 'key') {
    const { account, key } = credentials
    headers.authorization = sharedKeyAuthorization(account, key, { method, path, query, headers, contentLength })
  } else if (credentials.kind === 'token') {
    headers.authorization = `Bearer ${await credentials.token(signal)}`
  } else if (credentials.kind === 'sas') target += `${query.length === 0 ? '?' : '&'}${credentials.token}`
  return {
    method,
    origin: endpoint.origin,
    target,
    headers,
    idempotent,
    ...(body && { body }),
    ...(place && { place }),
    ...(maxBody !== undefined && { maxBody }),
    ...(signal && { signal }),
  }
}
