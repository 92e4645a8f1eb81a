const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset',
  EPIPE: 'the other end is closed',
  ENOTFOUND: 'no such host',
  EAI_AGAIN: 'the name service did not answer',
  ENETUNREACH: 'network is unreachable',
  EHOSTUNREACH: 'host is unreachable',
  ETIMEDOUT: 'timed out',
  EMFILE: 'too many open files',
  CERT_HAS_EXPIRED: "the server's certificate has expired",
  CERT_NOT_YET_VALID: "the server's certificate is not valid yet",
  DEPTH_ZERO_SELF_SIGNED_CERT: "the server's certificate is signed by itself",
  SELF_SIGNED_CERT_IN_CHAIN: "the server's certificate comes from an authority that is not trusted",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "the server's certificate comes from an authority that is not known",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "the server's certificate comes from an authority that is not known",
  ERR_TLS_CERT_ALTNAME_INVALID: "the server's certificate is for another name",
}

const UNTRUSTED = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
])

function codeOf(error: unknown): string {
  const code: unknown = (error as NodeJS.ErrnoException | undefined)?.code
  return typeof code === 'string' ? code : ''
}

/** OpenSSL's reason within "80DC…:error:0A00010B:SSL routines:ssl3_get_record:wrong version number:../deps/…:350:". */
const OPENSSL = /:SSL routines:[^:]*:([^:]+):/
/** What OpenSSL makes of the first bytes of an answer that is no TLS. */
const NO_TLS = /wrong version number|packet length too long|unknown protocol|http request/

function opensslReason(error: unknown): string | undefined {
  return error instanceof Error ? OPENSSL.exec(error.message)?.[1] : undefined
}

/** What a socket's error says, in words. */
export function networkReason(error: unknown): string {
  const known = REASONS[codeOf(error)]
  if (known !== undefined) return known
  const tls = opensslReason(error)
  if (tls !== undefined) return NO_TLS.test(tls) ? `the server does not speak TLS (${tls})` : `TLS: ${tls}`
  return error instanceof Error ? error.message : String(error)
}

/** What can be done about it, where that is known. */
export function networkHint(error: unknown): string | undefined {
  const code = codeOf(error)
  if (UNTRUSTED.has(code)) return "give the authority's certificate (PEM) as the option ca"
  if (NO_TLS.test(opensslReason(error) ?? '')) return 'does its URL begin with http://, and not with https://?'
  if (code === 'ENOTFOUND') return "check the endpoint's spelling"
  return code === 'ECONNREFUSED' ? 'is the server running, and is that its port?' : undefined
}
