import { afterAll, beforeAll, describe } from 'vitest'
import { type S3Server, startS3Server } from '../../../src/dev/s3/index.ts'
import { openS3Store } from '../../../src/storage/s3/store.ts'
import { storeConformance } from '../conformance.ts'

const credentials = { accessKeyId: 'testkey', secretAccessKey: 'testsecret' }

describe('against the development server', () => {
  let server: S3Server | undefined
  let buckets = 0
  beforeAll(async () => {
    server = await startS3Server()
  })
  afterAll(() => server?.close(), 60_000)
  storeConformance(
    's3://',
    async () => {
      // Every other store is the whole bucket.
      const root = ++buckets % 2 === 0 ? '' : '/under/a prefix'
      const store = await openS3Store(`bucket-${buckets}${root}`, { endpoint: server?.url ?? '', credentials })
      await store.createContainer()
      return store
    },
    async () => {},
    { keys: 'any', etags: 'contents', listing: 'brief', timeError: 1000 },
  )
})
