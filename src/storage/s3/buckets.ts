import { HeadraceError, throwIfAborted } from '../../errors.ts'
import { ListingCheck } from '../remote/listing-check.ts'
import { childrenOf, childText, escapeXml, readXml } from '../remote/xml.ts'
import type { CallOptions, ContainerInfo } from '../types.ts'
import type { S3Connection } from './connection.ts'

function named({ config: { bucket, url } }: S3Connection): string {
  if (bucket === '') throw new HeadraceError('E_USAGE', `${url} names no bucket`, { url })
  return bucket
}

/** E_EXISTS also where the bucket is one's own: AWS's oldest region would just say yes. */
export async function createBucket(connection: S3Connection, options: CallOptions): Promise<void> {
  const bucket = named(connection)
  throwIfAborted(options.signal, 'create')
  const { url } = connection.config
  if (await bucketExists(connection, options))
    throw new HeadraceError('E_EXISTS', `cannot create ${url}: the bucket is there already`, { url })
  const { region } = connection
  const body =
    region === 'us-east-1'
      ? undefined
      : [
          Buffer.from(
            `<CreateBucketConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><LocationConstraint>${escapeXml(region)}</LocationConstraint></CreateBucketConfiguration>`,
          ),
        ]
  await connection.send(
    {
      method: 'PUT',
      doing: 'create',
      ...(body !== undefined && { body }),
      // If the answer is lost, the bucket itself would be in the way of another attempt.
      idempotent: false,
      read: () => undefined,
      failed: ({ code, status }) =>
        code === 'BucketAlreadyExists' || code === 'BucketAlreadyOwnedByYou'
          ? new HeadraceError('E_EXISTS', `cannot create ${url}: the bucket ${bucket} is there already`, {
              url,
              status,
            })
          : undefined,
    },
    options,
  )
}

function bucketExists(connection: S3Connection, options: CallOptions): Promise<boolean> {
  return connection.send(
    {
      method: 'HEAD',
      doing: 'look up',
      idempotent: true,
      read: () => true,
      // A bucket of somebody else, or one that may only be created: creating it tells.
      failed: ({ status }) => (status === 404 || status === 403 ? { value: false } : undefined),
    },
    options,
  )
}

export async function deleteBucket(connection: S3Connection, options: CallOptions): Promise<void> {
  named(connection)
  throwIfAborted(options.signal, 'delete')
  await connection.send({ method: 'DELETE', doing: 'delete', idempotent: false, read: () => undefined }, options)
}

export async function* listBuckets(connection: S3Connection, options: CallOptions): AsyncGenerator<ContainerInfo> {
  const check = new ListingCheck('', connection.config.url)
  for (let token: string | undefined; ; ) {
    throwIfAborted(options.signal, 'list')
    const page = await connection.send(
      {
        method: 'GET',
        doing: 'list the buckets of',
        bucket: '',
        ...(token !== undefined && { query: [['continuation-token', token]] as const }),
        idempotent: true,
        read: ({ body }) => readXml(body, 'ListAllMyBucketsResult'),
      },
      options,
    )
    for (const list of childrenOf(page, 'Buckets'))
      for (const element of childrenOf(list, 'Bucket')) {
        const name = childText(element, 'Name')
        if (name === undefined) continue
        const created = Date.parse(childText(element, 'CreationDate') ?? '')
        yield Number.isNaN(created) ? { name } : { name, created }
      }
    const next = childText(page, 'ContinuationToken')
    if (next === undefined || next === '') return
    check.goesOn(next)
    token = next
  }
}
