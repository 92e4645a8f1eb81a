import { afterAll, beforeAll, describe, test } from 'vitest'
import { openS3Store } from '../../../src/storage/s3/store.ts'
import type { RunningServer } from '../../servers/programs.ts'
import { KEYS, minio, type S3Program, versitygw } from '../../servers/s3.ts'
import { type StoreTraits, storeConformance } from '../conformance.ts'

/** Every store gets a bucket of its own, and a prefix in it. */
function conformance(program: S3Program, traits: StoreTraits = {}): void {
  if (program.path === undefined) {
    test.skip(`s3:// keeps the contract of stores, against ${program.name}: it is not installed`, () => {})
    return
  }
  describe(`against ${program.name}`, () => {
    let server: RunningServer | undefined
    let buckets = 0
    beforeAll(async () => {
      server = await program.start()
    }, 60_000)
    afterAll(() => server?.stop(), 60_000)
    storeConformance(
      's3://',
      async () => {
        const store = await openS3Store(`bucket-${++buckets}/under/a prefix`, {
          endpoint: server?.endpoint ?? '',
          credentials: KEYS,
        })
        await store.createContainer()
        return store
      },
      async () => {},
      { keys: 'any', etags: 'contents', listing: 'brief', timeError: 1000, ...traits },
    )
  })
}

conformance(versitygw)
// MinIO refuses prefixes that end with a `.` segment, also where it is only the beginning of a name.
conformance(minio, { letters: ['a', 'b', '-', '0', 'é', '\u{1f600}', '\uff21'] })
