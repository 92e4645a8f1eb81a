import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type S3Server, startS3Server } from '../../../src/dev/s3/index.ts'
import { openS3Store, type S3Store } from '../../../src/storage/s3/store.ts'
import { hasSdk, NO_SDK, openSdk, type Sdk } from '../../oracle/sdk.ts'
import { bytesOf, listed } from '../conformance.ts'

const MiB = 2 ** 20
const KEYS = ['plain', 'a b+c%20d/é&"<>\'', '/leading//double', '日本/\u{1f600}', "it's (a) *star*!"]

describe.skipIf(!hasSdk)(`AWS's SDK and this store understand each other ${hasSdk ? '' : NO_SDK}`, () => {
  let server: S3Server
  let store: S3Store
  let sdk: Sdk
  beforeAll(async () => {
    server = await startS3Server()
    const credentials = { accessKeyId: 'testkey', secretAccessKey: 'testsecret' }
    store = await openS3Store('bucket', { endpoint: server.url, credentials, partSize: 5 * MiB })
    await store.createContainer()
    sdk = openSdk(server.url)
  })
  afterAll(async () => {
    sdk.destroy()
    await store.close()
    await server.close()
  })

  const Bucket = 'bucket'

  test('it reads what was written here, checksum and all', async () => {
    for (const Key of KEYS) {
      await store.put(Key, bytesOf(`at ${Key}`), { contentType: 'text/plain', metadata: { note: 'plain words' } })
      const answer = await sdk.send('GetObject', { Bucket, Key, ChecksumMode: 'ENABLED' })
      expect(await answer.Body.transformToString()).toBe(`at ${Key}`)
      expect(answer).toMatchObject({ ContentType: 'text/plain', Metadata: { note: 'plain words' } })
      expect(answer.ChecksumCRC32C).toHaveLength(8)
    }
    const writer = store.writer('parts')
    await writer.write(new Uint8Array(11 * MiB).fill(7))
    await writer.close()
    const answer = await sdk.send('GetObject', { Bucket, Key: 'parts', ChecksumMode: 'ENABLED' })
    expect((await answer.Body.transformToByteArray()).every((byte: number) => byte === 7)).toBe(true)
    expect(answer).toMatchObject({ ContentLength: 11 * MiB, ChecksumType: 'FULL_OBJECT' })
  })

  test.each(['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256'])(
    'what it wrote with %s is read here and compared',
    async (ChecksumAlgorithm) => {
      for (const Key of KEYS)
        await sdk.send('PutObject', { Bucket, Key, Body: `from ${Key}`, ChecksumAlgorithm, Metadata: { x: 'y' } })
      for (const key of KEYS) {
        const body = await store.get(key)
        expect(Buffer.from(body?.data ?? []).toString()).toBe(`from ${key}`)
        expect(body?.info.checksum?.algorithm).toBe(ChecksumAlgorithm.toLowerCase())
        expect(body?.info.metadata).toEqual({ x: 'y' })
      }
    },
  )

  test('both list the same, and it finds nothing of what was deleted here', async () => {
    for (const key of KEYS) await store.put(key, bytesOf('x'))
    const theirs = async () =>
      ((await sdk.send('ListObjectsV2', { Bucket })).Contents ?? []).map(({ Key }: { Key: string }) => Key)
    expect(await listed(store)).toEqual(await theirs())
    for await (const { error } of store.delete([...KEYS, 'parts'])) expect(error).toBeUndefined()
    expect(await theirs()).toEqual([])
  })
})
