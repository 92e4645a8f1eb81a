import { Refusal } from '../refusal.ts'
import type { S3Request } from './request.ts'

/** The names that the S3 reference gives what can be asked. Fault rules match them. */
export const OPERATIONS = [
  'ListBuckets',
  'CreateBucket',
  'DeleteBucket',
  'HeadBucket',
  'GetBucketLocation',
  'ListObjects',
  'ListObjectsV2',
  'ListMultipartUploads',
  'DeleteObjects',
  'GetObject',
  'HeadObject',
  'PutObject',
  'CopyObject',
  'DeleteObject',
  'CreateMultipartUpload',
  'UploadPart',
  'UploadPartCopy',
  'ListParts',
  'CompleteMultipartUpload',
  'AbortMultipartUpload',
] as const

export type Operation = (typeof OPERATIONS)[number]

/** Names in a query that ask for something else than the object or bucket itself, and that this server knows nothing of. */
const UNKNOWN = [
  'accelerate',
  'acl',
  'analytics',
  'attributes',
  'cors',
  'encryption',
  'intelligent-tiering',
  'inventory',
  'legal-hold',
  'lifecycle',
  'logging',
  'metrics',
  'notification',
  'object-lock',
  'ownershipControls',
  'policy',
  'policyStatus',
  'publicAccessBlock',
  'replication',
  'requestPayment',
  'restore',
  'retention',
  'select',
  'tagging',
  'torrent',
  'versionId',
  'versioning',
  'versions',
  'website',
] as const

/** Method, what it is about, and the name in the query that tells it from others of its kind. */
const TABLE: readonly (readonly [method: string, of: 'service' | 'bucket' | 'object', query: string, Operation])[] = [
  ['GET', 'service', '', 'ListBuckets'],
  ['PUT', 'bucket', '', 'CreateBucket'],
  ['DELETE', 'bucket', '', 'DeleteBucket'],
  ['HEAD', 'bucket', '', 'HeadBucket'],
  ['GET', 'bucket', 'location', 'GetBucketLocation'],
  ['GET', 'bucket', 'uploads', 'ListMultipartUploads'],
  ['GET', 'bucket', 'list-type', 'ListObjectsV2'],
  ['GET', 'bucket', '', 'ListObjects'],
  ['POST', 'bucket', 'delete', 'DeleteObjects'],
  ['GET', 'object', 'uploadId', 'ListParts'],
  ['GET', 'object', '', 'GetObject'],
  ['HEAD', 'object', '', 'HeadObject'],
  ['PUT', 'object', 'uploadId', 'UploadPart'],
  ['PUT', 'object', '', 'PutObject'],
  ['DELETE', 'object', 'uploadId', 'AbortMultipartUpload'],
  ['DELETE', 'object', '', 'DeleteObject'],
  ['POST', 'object', 'uploads', 'CreateMultipartUpload'],
  ['POST', 'object', 'uploadId', 'CompleteMultipartUpload'],
]

/** What a request asks. NotImplemented for what this server does not know, MethodNotAllowed for what no server does. */
export function operationOf({ method, bucket, key, query, headers }: S3Request): Operation {
  const unknown = UNKNOWN.find((name) => query.has(name))
  if (unknown !== undefined)
    throw new Refusal('NotImplemented', `This development server does not know the sub-resource ${unknown}.`)
  const of = bucket === undefined ? 'service' : key === undefined ? 'bucket' : 'object'
  const row = TABLE.find((entry) => entry[0] === method && entry[1] === of && (entry[2] === '' || query.has(entry[2])))
  if (row === undefined)
    throw new Refusal('MethodNotAllowed', 'The specified method is not allowed against this resource.', {
      Method: method,
      ResourceType: of.toUpperCase(),
    })
  const copies = headers.has('x-amz-copy-source')
  if (row[3] === 'PutObject' && copies) return 'CopyObject'
  if (row[3] === 'UploadPart' && copies) return 'UploadPartCopy'
  return row[3]
}
