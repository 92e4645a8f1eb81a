import type { ServerOptions } from 'node:https'
import { createSecureContext, type SecureContext } from 'node:tls'
import { HeadraceError } from '../../errors.ts'
import { type Authority, createAuthority, type TlsKeys } from './certificate.ts'

/** Names that a certificate is issued for at once. */
const HOSTS = ['localhost', '127.0.0.1', '::1'] as const

/** Buckets whose certificates are kept. */
const KEPT = 256

/** What an https server shows, and the certificate that its clients are to trust where it is its own. */
export interface TlsSetup {
  readonly options: ServerOptions
  readonly authority: string | undefined
}

/**
 * A certificate for every bucket that is asked for by its host: clients take no `*.localhost`, since a wildcard may not
 * stand for everything below a top-level domain.
 */
function contexts(authority: Authority) {
  const kept = new Map<string, SecureContext>()
  return (host: string, done: (error: null, context?: SecureContext) => void) => {
    const name = host.toLowerCase()
    if (!/^[a-z0-9.-]{1,100}\.localhost$/.test(name)) return done(null)
    const context = kept.get(name) ?? createSecureContext(authority.issue([name, ...HOSTS]))
    if (kept.size >= KEPT) kept.clear()
    kept.set(name, context)
    done(null, context)
  }
}

/** E_USAGE where a given certificate or key is none. */
export function tlsSetup(tls: true | TlsKeys): TlsSetup {
  if (tls === true) {
    const authority = createAuthority(Date.now())
    return { options: { ...authority.issue(HOSTS), SNICallback: contexts(authority) }, authority: authority.cert }
  }
  try {
    createSecureContext(tls)
  } catch (error) {
    throw new HeadraceError('E_USAGE', `the certificate or its key cannot be used: ${(error as Error).message}`)
  }
  return { options: { cert: tls.cert, key: tls.key }, authority: undefined }
}
