import { show } from '../checks.ts'
import { type ErrorCode, HeadraceError } from '../errors.ts'

/** Where rank 0 waits for the others. */
export type CoordinatorAddress =
  | {
      readonly kind: 'unix'
      readonly path: string
      /** That the socket lies in, where it was made for this job alone. */
      readonly folder?: string
    }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }

/** Of a Unix socket's path on every system: bytes. */
const MAX_PATH = 103

export function formatAddress(address: CoordinatorAddress): string {
  if (address.kind === 'unix') return `unix:${address.path}`
  return `${address.host.includes(':') ? `[${address.host}]` : address.host}:${address.port}`
}

/** `HOST:PORT`, `[IPv6]:PORT`, also with `tcp://` before it, or `unix:PATH`. `name`: of what it came from. */
export function parseAddress(text: string, name: string, code: ErrorCode = 'E_USAGE'): CoordinatorAddress {
  const path = /^unix:(?:\/\/)?(\/.+)$/s.exec(text)?.[1]
  if (path !== undefined) {
    if (Buffer.byteLength(path) > MAX_PATH)
      throw new HeadraceError(code, `${name} must name a path of at most ${MAX_PATH} bytes, but got ${show(path)}`)
    return { kind: 'unix', path }
  }
  const [, v6, v4, digits] = /^(?:tcp:\/\/)?(?:\[([^\]\s]+)\]|([^\s:[\]]+)):(\d{1,5})$/.exec(text) ?? []
  const host = v6 ?? v4
  const port = Number(digits)
  if (host === undefined || port < 1 || port > 65535)
    throw new HeadraceError(code, `${name} must be HOST:PORT or unix:PATH, but got ${show(text)}`)
  return { kind: 'tcp', host, port }
}
