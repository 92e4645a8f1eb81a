import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe } from 'vitest'
import { type S3Server, startS3Server } from '../../../src/dev/s3/index.ts'
import { openStore } from '../../../src/storage/open.ts'
import { built } from '../../cli/built.ts'
import { storeConformance } from '../conformance.ts'

// Threads run what is compiled.
beforeAll(built, 120_000)

describe('files, by two worker threads', () => {
  let folder = ''
  storeConformance(
    'threaded(file://)',
    async () => {
      fs.rmSync(folder, { recursive: true, force: true })
      folder = fs.mkdtempSync(join(tmpdir(), 'headrace-threads-'))
      return openStore(folder, { workers: 2, sync: 'never' })
    },
    async () => fs.rmSync(folder, { recursive: true, force: true }),
    { keySets: 5 },
  )
})

describe('the development server, by two worker threads', () => {
  let server: S3Server | undefined
  let buckets = 0
  beforeAll(async () => {
    server = await startS3Server()
  })
  afterAll(() => server?.close(), 60_000)
  storeConformance(
    'threaded(s3://)',
    async () => {
      const store = await openStore(`s3://bucket-${++buckets}`, {
        endpoint: server?.url ?? '',
        credentials: { accessKeyId: 'testkey', secretAccessKey: 'testsecret' },
        workers: 2,
      })
      await store.createContainer?.()
      return store
    },
    async () => {},
    { keys: 'any', etags: 'contents', listing: 'brief', timeError: 1000, keySets: 5 },
  )
})
