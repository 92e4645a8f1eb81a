import { Refusal, type RefusalCode } from '../refusal.ts'
import type { S3Request } from '../request/request.ts'

/** What a request says about its own signature, from its header or its query. */
export interface Claim {
  readonly from: 'header' | 'query'
  readonly accessKey: string
  readonly day: string
  readonly region: string
  /** Lower case, in the order signed. */
  readonly signedHeaders: readonly string[]
  readonly signature: string
  /** YYYYMMDDTHHMMSSZ */
  readonly timestamp: string
  /** Seconds that a query may be used. */
  readonly expires?: number
  readonly token?: string
}

const ALGORITHM = 'AWS4-HMAC-SHA256'

/** Seven days: the longest that S3 lets a presigned query live. */
const MAX_EXPIRES_S = 604_800

function malformed(from: Claim['from'], message: string): Refusal {
  const code: RefusalCode = from === 'header' ? 'AuthorizationHeaderMalformed' : 'AuthorizationQueryParametersError'
  return new Refusal(code, message)
}

function splitCredential(from: Claim['from'], credential: string): Pick<Claim, 'accessKey' | 'day' | 'region'> {
  // Access keys may hold slashes; the four parts behind them may not.
  const parts = /^(.+)\/(\d{8})\/([^/]+)\/([^/]+)\/([^/]+)$/.exec(credential)
  const [, accessKey, day, region, service, end] = parts ?? []
  if (accessKey === undefined || day === undefined || region === undefined)
    throw malformed(from, 'The credential is malformed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".')
  if (service !== 's3')
    throw malformed(from, `The credential is malformed; incorrect service "${service}". This endpoint belongs to "s3".`)
  if (end !== 'aws4_request')
    throw malformed(from, `The credential is malformed; incorrect terminal "${end}". It must be "aws4_request".`)
  return { accessKey, day, region }
}

function splitNames(from: Claim['from'], text: string): readonly string[] {
  const names = text.split(';')
  if (!names.includes('host') || names.some((name) => name === '' || name !== name.toLowerCase()))
    throw malformed(from, 'SignedHeaders must be lower case names with host among them.')
  return names
}

/** X-Amz-Date, or Date, as the compact form of ISO 8601. */
function timestampOf({ headers }: S3Request): string {
  const compact = headers.get('x-amz-date')
  if (compact !== undefined) return compact
  const date = Date.parse(headers.get('date') ?? '')
  if (Number.isNaN(date))
    throw new Refusal('AccessDenied', 'AWS authentication requires a valid Date or x-amz-date header')
  return new Date(date).toISOString().replace(/[-:]|\.\d{3}/g, '')
}

function claimOfHeader(request: S3Request, authorization: string): Claim {
  if (!authorization.startsWith(`${ALGORITHM} `))
    throw new Refusal('InvalidArgument', 'Unsupported Authorization Type', {
      ArgumentName: 'Authorization',
      ArgumentValue: authorization.split(' ')[0] ?? '',
    })
  const fields = new Map(
    authorization
      .slice(ALGORITHM.length)
      .split(',')
      .map((field) => {
        const cut = field.indexOf('=')
        return [field.slice(0, cut).trim(), field.slice(cut + 1).trim()]
      }),
  )
  const field = (name: string) => {
    const value = fields.get(name)
    if (value === undefined || value === '')
      throw malformed('header', `The authorization header is malformed; it has no ${name}.`)
    return value
  }
  const token = request.headers.get('x-amz-security-token')
  return {
    from: 'header',
    ...splitCredential('header', field('Credential')),
    signedHeaders: splitNames('header', field('SignedHeaders')),
    signature: field('Signature'),
    timestamp: timestampOf(request),
    ...(token === undefined ? {} : { token }),
  }
}

function claimOfQuery({ query }: S3Request): Claim {
  const field = (name: string) => {
    const value = query.get(name)
    if (value === undefined || value === '')
      throw malformed(
        'query',
        'Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.',
      )
    return value
  }
  if (field('X-Amz-Algorithm') !== ALGORITHM) throw malformed('query', `X-Amz-Algorithm only supports "${ALGORITHM}"`)
  const expires = Number(field('X-Amz-Expires'))
  if (!Number.isInteger(expires)) throw malformed('query', 'X-Amz-Expires should be a number')
  if (expires < 1) throw malformed('query', 'X-Amz-Expires must be non-negative')
  if (expires > MAX_EXPIRES_S)
    throw malformed(
      'query',
      'X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds',
    )
  const token = query.get('X-Amz-Security-Token')
  return {
    from: 'query',
    ...splitCredential('query', field('X-Amz-Credential')),
    signedHeaders: splitNames('query', field('X-Amz-SignedHeaders')),
    signature: field('X-Amz-Signature'),
    timestamp: field('X-Amz-Date'),
    expires,
    ...(token === undefined ? {} : { token }),
  }
}

/** What the request claims. AccessDenied where it claims nothing: nobody is let in without a signature. */
export function readClaim(request: S3Request): Claim {
  const authorization = request.headers.get('authorization')
  const queried = request.query.has('X-Amz-Algorithm') || request.query.has('X-Amz-Signature')
  if (authorization !== undefined && queried)
    throw new Refusal(
      'InvalidArgument',
      'Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the Authorization header should be specified',
      { ArgumentName: 'Authorization' },
    )
  if (authorization !== undefined) return claimOfHeader(request, authorization)
  if (queried) return claimOfQuery(request)
  throw new Refusal('AccessDenied', 'Access Denied')
}
