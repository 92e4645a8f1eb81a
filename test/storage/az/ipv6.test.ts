import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openStore } from '../../../src/storage/open.ts'
import { bytesOf } from '../conformance.ts'
import { ScriptedServer } from '../s3/scripted-server.ts'

const server = new ScriptedServer()
const there = await server.start('::1').catch(() => undefined)

describe.skipIf(there === undefined)('an Azure endpoint by its IPv6 address (where there is IPv6)', () => {
  beforeAll(() =>
    server.says(({ method }) =>
      method === 'PUT'
        ? { status: 201, headers: { etag: '"1"', 'last-modified': new Date(0).toUTCString() } }
        : { status: 200, headers: { etag: '"1"', 'last-modified': new Date(0).toUTCString() } },
    ),
  )
  afterAll(() => server.stop())

  const open = () =>
    openStore('az://acct/box', { endpoint: `${there}/acct`, accountKey: Buffer.from('key').toString('base64') })

  test('is written to, presigned and named as a source of copies with its brackets', async () => {
    const store = await open()
    expect(there).toMatch(/^http:\/\/\[::1\]:\d+$/)
    await store.put('k', bytesOf('x'))
    expect(server.heard.at(-1)).toMatchObject({ url: '/acct/box/k', headers: { host: there?.slice('http://'.length) } })
    expect((await store.presign?.('k'))?.startsWith(`${there}/acct/box/k?`)).toBe(true)
    await store.copy?.('k', 'n').catch(() => undefined)
    const copy = server.heard.find(({ headers }) => headers['x-ms-copy-source'] !== undefined)
    expect(copy?.headers['x-ms-copy-source']).toBe(`${there}/acct/box/k`)
    await store.close()
  })
})
