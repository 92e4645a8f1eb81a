import type { Operation } from '../request/operation.ts'
import { createBucket, deleteBucket, getBucketLocation, headBucket, listBuckets } from './buckets.ts'
import { deleteObject, deleteObjects } from './delete.ts'
import { listObjects, listObjectsV2 } from './list.ts'
import { getObject, headObject } from './read.ts'
import type { Handler } from './types.ts'
import { putObject } from './write.ts'

export const HANDLERS: Partial<Record<Operation, Handler>> = {
  ListBuckets: listBuckets,
  CreateBucket: createBucket,
  DeleteBucket: deleteBucket,
  HeadBucket: headBucket,
  GetBucketLocation: getBucketLocation,
  ListObjects: listObjects,
  ListObjectsV2: listObjectsV2,
  DeleteObjects: deleteObjects,
  GetObject: getObject,
  HeadObject: headObject,
  PutObject: putObject,
  DeleteObject: deleteObject,
}
