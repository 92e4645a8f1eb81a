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

/** What a socket's error says, in words. */
export function networkReason(error: unknown): string {
  return REASONS[codeOf(error)] ?? (error instanceof Error ? error.message : String(error))
}

/** What can be done about it, where that is known. */
export function networkHint(error: unknown): string | undefined {
  const code = codeOf(error)
  if (UNTRUSTED.has(code)) return "give the authority's certificate (PEM) as the option ca"
  if (code === 'ENOTFOUND') return "check the endpoint's spelling"
  return code === 'ECONNREFUSED' ? 'is the server running, and is that its port?' : undefined
}
