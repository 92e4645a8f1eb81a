import type { Answer } from '../answer.ts'
import type { Bucket, Catalog } from '../disk/catalog.ts'
import { Refusal } from '../refusal.ts'
import type { Payload } from '../request/payload.ts'
import type { S3Request } from '../request/request.ts'

/** What every operation works on. */
export interface Service {
  readonly catalog: Catalog
  readonly region: string
  /** Bytes that every part but the last must have. */
  readonly minPartSize: number
  /** Milliseconds since 1970. */
  readonly now: () => number
}

/** One operation: looks, changes the catalog in one step, says what to answer. Throws a Refusal. */
export type Handler = (service: Service, request: S3Request, payload: Payload) => Answer | Promise<Answer>

export function bucketOf({ catalog }: Service, name = ''): Bucket {
  const bucket = catalog.bucket(name)
  if (bucket === undefined)
    throw new Refusal('NoSuchBucket', 'The specified bucket does not exist', { BucketName: name })
  return bucket
}

export function keyOf({ key = '' }: S3Request): string {
  return key
}

/** The owner of everything. */
export const OWNER = [
  ['ID', 'headrace-dev'],
  ['DisplayName', 'headrace-dev'],
] as const
