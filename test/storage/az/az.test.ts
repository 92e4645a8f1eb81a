import { afterAll, beforeAll, describe } from 'vitest'
import { openAzStore } from '../../../src/storage/az/store.ts'
import { azurite } from '../../servers/azurite.ts'
import type { RunningServer } from '../../servers/programs.ts'
import { storeConformance } from '../conformance.ts'

const ACCOUNT = 'devstoreaccount1'

describe.skipIf(azurite.path === undefined)('Azure blobs, by Azurite', () => {
  let server: RunningServer
  let made = 0
  beforeAll(async () => {
    server = await azurite.start()
  })
  afterAll(() => server?.stop())

  const open = async (prefix = '') => {
    const store = await openAzStore(`${ACCOUNT}/container-${made++}${prefix}`, {
      endpoint: `${server.endpoint}/${ACCOUNT}`,
    })
    await store.createContainer()
    return store
  }

  storeConformance(
    'a container',
    () => open(),
    async () => {},
    { keys: 'any', listing: 'brief', timeError: 1000, without: ['back\\slash'] },
  )
  storeConformance(
    'a prefix',
    () => open('/a/b'),
    async () => {},
    { keys: 'any', listing: 'brief', timeError: 1000, without: ['back\\slash'] },
  )
})
