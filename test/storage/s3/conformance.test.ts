import { join } from 'node:path'
import { afterAll, beforeAll, describe } from 'vitest'
import { openS3Store } from '../../../src/storage/s3/store.ts'
import type { RunningServer, ServerProgram } from '../../servers/programs.ts'
import { CERTIFICATE, KEYS, minio, minioTls, versitygw } from '../../servers/s3.ts'
import { type StoreTraits, storeConformance } from '../conformance.ts'

/** Every store gets a bucket of its own, and a prefix in it. */
function conformance(how: string, program: ServerProgram, traits: StoreTraits = {}): void {
  describe.skipIf(program.path === undefined)(`S3 by ${how}${program.absent}`, () => {
    let server: RunningServer
    let buckets = 0
    beforeAll(async () => {
      server = await program.start()
    }, 60_000)
    afterAll(() => server?.stop(), 60_000)
    storeConformance(
      's3://',
      async () => {
        const { endpoint, folder } = server
        const store = await openS3Store(`bucket-${++buckets}/under/a prefix`, {
          endpoint,
          credentials: KEYS,
          ...(endpoint.startsWith('https:') && { ca: join(folder, CERTIFICATE) }),
        })
        await store.createContainer()
        return store
      },
      async () => {},
      { keys: 'any', etags: 'contents', listing: 'brief', timeError: 1000, ...traits },
    )
  })
}

/** MinIO refuses prefixes that end with a `.` segment, also where it is only the beginning of a name. */
const MINIO = { letters: ['a', 'b', '-', '0', 'é', '\u{1f600}', '\uff21'] } as const

conformance('versitygw', versitygw)
conformance('MinIO', minio, MINIO)
conformance('MinIO over https', minioTls, MINIO)
