import { readFileSync } from 'node:fs'
import { createSecureContext, rootCertificates, type SecureContext } from 'node:tls'
import { HeadraceError } from '../../errors.ts'

/** Whom a client trusts. Made once: reading the system's certificates takes longer than many requests. */
export class Trust {
  readonly verifies: boolean
  #context: SecureContext | undefined

  /** E_CONFIG where `ca` is no certificate. */
  constructor(ca: string | undefined, verifies: boolean) {
    this.verifies = verifies
    if (ca === undefined) return
    try {
      if (!ca.includes('-----BEGIN CERTIFICATE-----')) throw new Error('there is no certificate in it')
      this.#context = createSecureContext({ ca: [...systemCertificates(), ca] })
    } catch (error) {
      throw new HeadraceError('E_CONFIG', 'ca must be certificates in PEM', { cause: error })
    }
  }

  get context(): SecureContext {
    this.#context ??= createSecureContext()
    return this.#context
  }
}

/** What Node trusts when it is not told whom: naming one authority would otherwise end the trust in all others. */
function systemCertificates(): readonly string[] {
  const extra = process.env.NODE_EXTRA_CA_CERTS
  if (extra === undefined || extra === '') return rootCertificates
  try {
    return [...rootCertificates, readFileSync(extra, 'utf8')]
  } catch {
    // Node warns of it itself, and goes on.
    return rootCertificates
  }
}
