import { afterAll, beforeAll, describe } from 'vitest'
import { openGsStore } from '../../../src/storage/gs/store.ts'
import { fakeGcs } from '../../servers/fake-gcs.ts'
import type { RunningServer } from '../../servers/programs.ts'
import { storeConformance } from '../conformance.ts'

describe.skipIf(fakeGcs.path === undefined)('Google Cloud Storage, by fake-gcs-server', () => {
  let server: RunningServer
  let made = 0
  beforeAll(async () => {
    server = await fakeGcs.start()
  })
  afterAll(() => server?.stop())

  const open = async (prefix = '') => {
    const store = await openGsStore(`bucket-${made++}${prefix}`, { endpoint: server.endpoint, anonymous: true })
    await store.createContainer()
    return store
  }

  storeConformance(
    'a bucket',
    () => open(),
    async () => {},
    { keys: 'any', listing: 'full', timeError: 1000 },
  )
  storeConformance(
    'a prefix',
    () => open('/a/b'),
    async () => {},
    { keys: 'any', listing: 'full', timeError: 1000 },
  )
})
