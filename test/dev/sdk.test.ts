import { randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type S3Server, startS3Server } from '../../src/dev/s3/index.ts'
import { hasSdk, NO_SDK, openSdk, type Sdk } from '../oracle/sdk.ts'

const MIB = 2 ** 20

describe.skipIf(!hasSdk)(`AWS's SDK against the dev server ${hasSdk ? '' : NO_SDK}`.trimEnd(), () => {
  let server: S3Server
  let s3: Sdk
  const Bucket = 'photos'
  beforeAll(async () => {
    server = await startS3Server()
    s3 = openSdk(server.url)
    await s3.send('CreateBucket', { Bucket })
  })
  afterAll(async () => {
    s3.destroy()
    await server.close()
  })

  const put = (Key: string, Body: unknown, more: object = {}) => s3.send('PutObject', { Bucket, Key, Body, ...more })
  const text = async (Key: string, more: object = {}) => {
    const { Body, ...answer } = await s3.send('GetObject', { Bucket, Key, ...more })
    return { ...answer, text: await Body.transformToString() }
  }

  test('reads back what it wrote, with type and metadata', async () => {
    const written = await put('a/b c.txt', 'hello', {
      ContentType: 'text/plain',
      Metadata: { colour: 'red', 'Odd-Name': 'x y' },
      CacheControl: 'max-age=1',
    })
    expect(written).toMatchObject({ ETag: '"5d41402abc4b2a76b9719d911017c592"', ChecksumCRC32: 'NhCmhg==' })
    expect(await text('a/b c.txt')).toMatchObject({
      text: 'hello',
      ContentLength: 5,
      ContentType: 'text/plain',
      CacheControl: 'max-age=1',
      Metadata: { colour: 'red', 'odd-name': 'x y' },
      ETag: written.ETag,
      ChecksumCRC32: 'NhCmhg==',
      ChecksumType: 'FULL_OBJECT',
    })
  })

  test.each(['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256'])('agrees on %s', async (ChecksumAlgorithm) => {
    const body = randomBytes(100_003)
    const written = await put('summed', body, { ChecksumAlgorithm })
    const head = await s3.send('HeadObject', { Bucket, Key: 'summed', ChecksumMode: 'ENABLED' })
    expect(head[`Checksum${ChecksumAlgorithm}`]).toBe(written[`Checksum${ChecksumAlgorithm}`])
    expect(head[`Checksum${ChecksumAlgorithm}`]).toMatch(/^[\w+/]+=*$/)
    const { Body } = await s3.send('GetObject', { Bucket, Key: 'summed', ChecksumMode: 'ENABLED' })
    expect(Buffer.from(await Body.transformToByteArray()).equals(body)).toBe(true)
  })

  test('streams a body in chunks with its checksum behind it', async () => {
    const body = randomBytes(3 * MIB + 17)
    const pieces = Array.from({ length: 25 }, (_, i) => body.subarray(i * 131_072, (i + 1) * 131_072))
    await put('streamed', Readable.from(pieces), { ContentLength: body.length })
    const { Body, ContentEncoding } = await s3.send('GetObject', { Bucket, Key: 'streamed' })
    expect(ContentEncoding).toBeUndefined()
    expect(Buffer.from(await Body.transformToByteArray()).equals(body)).toBe(true)
  })

  test('lists keys of every kind, page by page, with prefixes', async () => {
    const keys = [
      'k/1',
      'k/a b',
      'k/a+b',
      'k/d/1',
      'k/d/2',
      'k//x',
      'k/é',
      'k/\u{1f600}',
      'k/\uffee',
      'k/<&>"\'',
      'k/%41',
    ]
    await Promise.all(keys.map((key) => put(key, 'x')))
    const found: string[] = []
    let ContinuationToken: string | undefined
    do {
      const page = await s3.send('ListObjectsV2', { Bucket, Prefix: 'k/', MaxKeys: 3, ContinuationToken })
      found.push(...page.Contents.map(({ Key }: { Key: string }) => Key))
      ContinuationToken = page.NextContinuationToken
    } while (ContinuationToken !== undefined)
    expect(found).toEqual([...keys].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))))
    const grouped = await s3.send('ListObjectsV2', { Bucket, Prefix: 'k/', Delimiter: '/' })
    expect(grouped.CommonPrefixes).toEqual([{ Prefix: 'k//' }, { Prefix: 'k/d/' }])
    expect(grouped.KeyCount).toBe(10)
    const version1 = await s3.send('ListObjects', { Bucket, Prefix: 'k/', Delimiter: '/', MaxKeys: 2, Marker: 'k//' })
    expect(version1).toMatchObject({ IsTruncated: true, NextMarker: 'k/<&>"\'' })
    expect(version1.Contents.map(({ Key }: { Key: string }) => Key)).toEqual(['k/1', 'k/<&>"\''])
    for (const key of keys) expect((await text(key)).text).toBe('x')
  })

  test.each([
    { algorithm: undefined, type: 'FULL_OBJECT', checksum: 'ChecksumCRC32' },
    { algorithm: 'CRC32C', type: 'COMPOSITE', checksum: 'ChecksumCRC32C' },
    { algorithm: 'CRC64NVME', type: 'FULL_OBJECT', checksum: 'ChecksumCRC64NVME' },
    { algorithm: 'SHA256', type: 'COMPOSITE', checksum: 'ChecksumSHA256' },
  ])('uploads in parts with $algorithm', async ({ algorithm, checksum }) => {
    const Key = `parts/${algorithm}`
    const parts = [randomBytes(5 * MIB), randomBytes(5 * MIB), Buffer.from('the end')]
    const { UploadId } = await s3.send('CreateMultipartUpload', { Bucket, Key, ChecksumAlgorithm: algorithm })
    const sent = await Promise.all(
      parts.map(async (Body, i) => {
        const input = { Bucket, Key, UploadId, PartNumber: i + 1, Body, ChecksumAlgorithm: algorithm }
        const { $metadata, ...part } = await s3.send('UploadPart', input)
        return { ...part, PartNumber: i + 1 }
      }),
    )
    expect((await s3.send('ListMultipartUploads', { Bucket })).Uploads).toMatchObject([{ Key, UploadId }])
    const listed = await s3.send('ListParts', { Bucket, Key, UploadId })
    expect(listed.Parts.map(({ Size }: { Size: number }) => Size)).toEqual([5 * MIB, 5 * MIB, 7])
    const input = { Bucket, Key, UploadId, MultipartUpload: { Parts: sent } }
    const done = await s3.send('CompleteMultipartUpload', input)
    expect(done.ETag).toMatch(/^"[0-9a-f]{32}-3"$/)
    const { Body, ...got } = await s3.send('GetObject', { Bucket, Key, ChecksumMode: 'ENABLED' })
    expect(Buffer.from(await Body.transformToByteArray()).equals(Buffer.concat(parts))).toBe(true)
    expect(got.ETag).toBe(done.ETag)
    expect(got[checksum]).toBe(done[checksum])
    const second = await s3.send('GetObject', { Bucket, Key, PartNumber: 3 })
    expect(await second.Body.transformToString()).toBe('the end')
    expect(second.PartsCount).toBe(3)
    expect((await s3.send('ListMultipartUploads', { Bucket })).Uploads).toBeUndefined()
  })

  test('copies objects, and parts of them', async () => {
    await put('from here', 'some bytes', { ContentType: 'text/x', Metadata: { a: '1' } })
    const source = `${Bucket}/from%20here`
    await s3.send('CopyObject', { Bucket, Key: 'copied', CopySource: source })
    expect(await text('copied')).toMatchObject({ text: 'some bytes', ContentType: 'text/x', Metadata: { a: '1' } })
    const replacing = { MetadataDirective: 'REPLACE', ContentType: 'text/y' }
    await s3.send('CopyObject', { Bucket, Key: 'copied', CopySource: source, ...replacing })
    expect(await text('copied')).toMatchObject({ text: 'some bytes', ContentType: 'text/y', Metadata: {} })
    const { UploadId } = await s3.send('CreateMultipartUpload', { Bucket, Key: 'pieces' })
    const range = { CopySource: source, CopySourceRange: 'bytes=5-9' }
    const part = await s3.send('UploadPartCopy', { Bucket, Key: 'pieces', UploadId, PartNumber: 1, ...range })
    const Parts = [{ PartNumber: 1, ETag: part.CopyPartResult.ETag }]
    await s3.send('CompleteMultipartUpload', { Bucket, Key: 'pieces', UploadId, MultipartUpload: { Parts } })
    expect((await text('pieces')).text).toBe('bytes')
    const elsewhere = { Bucket, Key: 'x', CopySource: `${Bucket}/absent` }
    await expect(s3.send('CopyObject', elsewhere)).rejects.toMatchObject({ name: 'NoSuchKey' })
  })

  test('deletes in batches, and buckets when they are empty', async () => {
    await s3.send('CreateBucket', { Bucket: 'dotted.name' })
    const keys = ['x', 'y/z', 'é']
    for (const Key of keys) await s3.send('PutObject', { Bucket: 'dotted.name', Key, Body: 'x' })
    await expect(s3.send('DeleteBucket', { Bucket: 'dotted.name' })).rejects.toMatchObject({ name: 'BucketNotEmpty' })
    const Delete = { Objects: [...keys, 'absent'].map((Key) => ({ Key })) }
    const { Deleted } = await s3.send('DeleteObjects', { Bucket: 'dotted.name', Delete })
    expect(Deleted).toEqual([...keys, 'absent'].map((Key) => ({ Key })))
    await s3.send('DeleteBucket', { Bucket: 'dotted.name' })
    const { Buckets } = await s3.send('ListBuckets', {})
    expect(Buckets.map(({ Name }: { Name: string }) => Name)).toEqual([Bucket])
    await expect(s3.send('HeadBucket', { Bucket: 'dotted.name' })).rejects.toMatchObject({ name: 'NotFound' })
  })

  test('keeps conditions', async () => {
    const { ETag } = await put('once', '1', { IfNoneMatch: '*' })
    await expect(put('once', '2', { IfNoneMatch: '*' })).rejects.toMatchObject({ name: 'PreconditionFailed' })
    await expect(put('once', '2', { IfMatch: '"no"' })).rejects.toMatchObject({ name: 'PreconditionFailed' })
    await put('once', '2', { IfMatch: ETag })
    await expect(text('once', { IfMatch: ETag })).rejects.toMatchObject({ name: 'PreconditionFailed' })
    expect((await text('once')).text).toBe('2')
  })

  test('is refused with other keys', async () => {
    const other = openSdk(server.url, { credentials: { accessKeyId: 'other', secretAccessKey: 'testsecret' } })
    await expect(other.send('ListBuckets', {})).rejects.toMatchObject({ name: 'InvalidAccessKeyId' })
    other.destroy()
    const wrong = openSdk(server.url, { credentials: { accessKeyId: 'testkey', secretAccessKey: 'other' } })
    await expect(wrong.send('ListBuckets', {})).rejects.toMatchObject({ name: 'SignatureDoesNotMatch' })
    wrong.destroy()
  })
})
