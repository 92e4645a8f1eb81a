import { empty, xmlAnswer } from '../answer.ts'
import { Refusal } from '../refusal.ts'
import { childText, parseXml } from '../xml/read.ts'
import { S3_NAMESPACE, type XmlNode } from '../xml/write.ts'
import { bucketOf, type Handler, OWNER } from './types.ts'

const MAX_CONFIGURATION_BYTES = 65_536

/** 3 to 63 lower-case letters, digits, dots and hyphens; not an address, no empty labels. */
function isBucketName(name: string): boolean {
  return (
    /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(name) && !/\.\.|\.-|-\./.test(name) && !/^\d+\.\d+\.\d+\.\d+$/.test(name)
  )
}

export const listBuckets: Handler = ({ catalog }) => {
  const buckets = [...catalog.buckets()].map(
    ({ name, created }): XmlNode => [
      'Bucket',
      [
        ['Name', name],
        ['CreationDate', new Date(created).toISOString()],
      ],
    ],
  )
  return xmlAnswer('ListAllMyBucketsResult', [
    ['Owner', OWNER],
    ['Buckets', buckets],
  ])
}

export const createBucket: Handler = async ({ catalog, region, now }, { bucket = '' }, payload) => {
  if (!isBucketName(bucket))
    throw new Refusal('InvalidBucketName', 'The specified bucket is not valid.', { BucketName: bucket })
  const body = await payload.collect(MAX_CONFIGURATION_BYTES)
  if (body.length > 0) {
    const wanted = childText(parseXml(body.toString()), 'LocationConstraint')
    if (wanted !== undefined && wanted !== '' && wanted !== region)
      throw new Refusal('InvalidLocationConstraint', 'The specified location-constraint is not valid', {
        LocationConstraint: wanted,
      })
  }
  if (catalog.bucket(bucket) !== undefined)
    throw new Refusal(
      'BucketAlreadyOwnedByYou',
      'Your previous request to create the named bucket succeeded and you already own it.',
      { BucketName: bucket },
    )
  catalog.commit({ do: 'create-bucket', bucket, created: now() })
  return empty(200, { location: `/${bucket}` })
}

export const deleteBucket: Handler = (service, request) => {
  const { name, objects } = bucketOf(service, request.bucket)
  if (objects.size > 0)
    throw new Refusal('BucketNotEmpty', 'The bucket you tried to delete is not empty', { BucketName: name })
  service.catalog.commit({ do: 'delete-bucket', bucket: name })
  return empty(204)
}

export const headBucket: Handler = (service, request) => {
  bucketOf(service, request.bucket)
  return empty(200, { 'x-amz-bucket-region': service.region })
}

export const getBucketLocation: Handler = (service, request) => {
  bucketOf(service, request.bucket)
  // The first region has no name here: so S3 has it since its beginning.
  const name = service.region === 'us-east-1' ? '' : service.region
  return { ...xmlAnswer('LocationConstraint', []), body: Buffer.from(locationDocument(name)) }
}

function locationDocument(region: string): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n<LocationConstraint xmlns="${S3_NAMESPACE}">${region}</LocationConstraint>`
}
