import { createHash } from 'node:crypto'
import { inspect } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openStore } from '../../../src/storage/open.ts'
import type { Store } from '../../../src/storage/types.ts'
import { azurite } from '../../servers/azurite.ts'
import type { RunningServer } from '../../servers/programs.ts'
import { bytesOf, failing, listed, storeConformance } from '../conformance.ts'

const ACCOUNT = 'devstoreaccount1'
const WRONG_KEY = Buffer.from('not the key of this account').toString('base64')
const TRAITS = { keys: 'any', listing: 'brief', timeError: 1000, without: ['back\\slash'] } as const

describe.skipIf(azurite.path === undefined)(`Azure blobs, by Azurite${azurite.absent}`, () => {
  let server: RunningServer
  let made = 0
  beforeAll(async () => {
    server = await azurite.start()
  })
  afterAll(() => server?.stop())

  const endpoint = () => `${server.endpoint}/${ACCOUNT}`
  const open = async (prefix = '', options: object = {}): Promise<Store> => {
    const store = await openStore(`az://${ACCOUNT}/container-${made++}${prefix}`, { endpoint: endpoint(), ...options })
    await store.createContainer?.()
    return store
  }

  storeConformance(
    'a container',
    () => open(),
    async () => {},
    TRAITS,
  )

  const big = new Uint8Array(5_000_003).map((_, i) => (i * 7919) >>> 5)

  test.each(['md5', 'crc64', 'off'])('an object in blocks comes back whole, with checksums %s', async (checksums) => {
    // Azurite knows no CRC-64: it says so.
    const store = await open('/deep/er', { partSize: 2 ** 20, partsInFlight: 3, checksums })
    const write = async () => {
      const writer = store.writer('big', { size: big.length })
      for (let at = 0; at < big.length; at += 700_001) await writer.write(big.subarray(at, at + 700_001))
      return writer.close()
    }
    if (checksums === 'crc64') {
      await expect(write()).rejects.toEqual(failing('E_SERVER', 'FeatureNotSupported'))
      expect(await listed(store)).toEqual([])
    } else {
      expect(await write()).toMatchObject({ key: 'big', size: big.length })
      const body = await store.get('big')
      expect(
        createHash('md5')
          .update(body?.data ?? '')
          .digest('hex'),
      ).toBe(createHash('md5').update(big).digest('hex'))
      expect((await store.get('big', { range: { offset: 3_999_990, length: 20 } }))?.data).toEqual(
        big.slice(3_999_990, 4_000_010),
      )
    }
    await store.close()
  })

  test('keeps a type and metadata', async () => {
    const store = await open()
    await store.put('k', bytesOf('x'), { contentType: 'text/plain', metadata: { colour: 'red' } })
    expect(await store.head('k')).toMatchObject({ contentType: 'text/plain', metadata: { colour: 'red' } })
    await store.close()
  })

  test('objects of another container are copied by the service', async () => {
    const [from, to] = [await open('/p q'), await open()]
    await from.put('k ä', bytesOf('precious'), { contentType: 'text/plain', metadata: { colour: 'red' } })
    const across = await to.copyFrom?.(from)
    const info = await across?.('k ä', 'n')
    expect(info).toMatchObject({ key: 'n', size: 8 })
    expect(await to.head('n')).toMatchObject({ contentType: 'text/plain', metadata: { colour: 'red' } })
    expect((await to.get('n'))?.data).toEqual(bytesOf('precious'))
    await expect(across?.('gone', 'n')).rejects.toEqual(failing('E_NOT_FOUND', '"gone"'))
    const nobody = await openStore(from.url, { endpoint: endpoint(), anonymous: true })
    expect(await to.copyFrom?.(nobody)).toBeUndefined()
    await Promise.all([from.close(), to.close(), nobody.close()])
  })

  test('copies take over type and metadata, or have those they are given', async () => {
    const store = await open()
    await store.put('k', bytesOf('x'), { contentType: 'text/plain', metadata: { colour: 'red' } })
    await store.copy?.('k', 'same')
    expect(await store.head('same')).toMatchObject({ contentType: 'text/plain', metadata: { colour: 'red' } })
    const said = { contentType: 'text/html', metadata: { shape: 'round' } }
    const other = await store.copy?.('k', 'other', said)
    expect(other).toMatchObject(said)
    expect(await store.head('other')).toEqual(other)
    expect(other?.metadata).toEqual({ shape: 'round' })
    expect(other?.checksum).toEqual((await store.head('k'))?.checksum)
    expect(await store.copy?.('k', 'bare', { metadata: {} })).not.toHaveProperty('metadata')
    for (const metadata of [{ 'with-dash': 'x' }, { name: 'ä' }])
      for (const write of [
        () => store.put('k', bytesOf('y'), { metadata }),
        () => store.copy?.('k', 'n', { metadata }),
      ])
        await expect(write()).rejects.toEqual(failing('E_USAGE', 'in Azure'))
    await store.close()
  })

  test('a presigned URL reads and writes one blob, and no other', async () => {
    const store = await open('/a b')
    await store.put('k ä', bytesOf('text'))
    const url = (await store.presign?.('k ä')) ?? ''
    expect(await (await fetch(url)).text()).toBe('text')
    expect((await fetch(url.replace('k%20%C3%A4', 'other'))).status).toBe(403)
    const target = (await store.presign?.('new', { method: 'PUT', expires: 60 })) ?? ''
    const put = await fetch(target, { method: 'PUT', body: 'put', headers: { 'x-ms-blob-type': 'BlockBlob' } })
    expect(put.status).toBe(201)
    expect((await store.get('new'))?.data).toEqual(bytesOf('put'))
    await store.close()
  })

  test('a shared access signature opens what it is for', async () => {
    const store = await open()
    await store.put('k', bytesOf('text'))
    const sasToken = new URL((await store.presign?.('k')) ?? '').search
    const reader = await openStore(store.url, { endpoint: endpoint(), sasToken })
    expect((await reader.get('k'))?.data).toEqual(bytesOf('text'))
    await expect(reader.put('k', bytesOf('y'))).rejects.toEqual(failing('E_ACCESS', `cannot write ${store.url}/k`))
    await Promise.all([store.close(), reader.close()])
  })

  test('a wrong key is E_CREDENTIALS that names where it came from and never the key', async () => {
    const store = await openStore(`az://${ACCOUNT}/box`, { endpoint: endpoint(), accountKey: WRONG_KEY })
    const error = await store.get('k').catch((caught: unknown) => caught)
    expect(error).toMatchObject({
      // Azure says AuthenticationFailed, Azurite AuthorizationFailure.
      code: expect.stringMatching(/^E_(CREDENTIALS|ACCESS)$/),
      details: { hint: expect.stringContaining('the option accountKey') },
    })
    for (const said of [
      inspect(error, { depth: 9 }),
      inspect(store, { depth: 9 }),
      JSON.stringify(store.spec),
      store.url,
    ])
      expect(said).not.toContain(WRONG_KEY)
    await store.close()
  })

  test('containers: made once, listed, and removed only when empty', async () => {
    const store = await open()
    await expect(store.createContainer?.()).rejects.toEqual(failing('E_EXISTS', 'ContainerAlreadyExists'))
    await store.put('k', bytesOf('x'))
    await expect(store.deleteContainer?.()).rejects.toEqual(
      failing('E_STATE', `cannot delete ${store.url}: it is not empty`),
    )
    for await (const _ of store.delete(['k']));
    const account = await openStore(`az://${ACCOUNT}`, { endpoint: endpoint() })
    const names: string[] = []
    for await (const { name } of account.listContainers?.() ?? []) names.push(name)
    expect(names).toContain(store.url.slice(`az://${ACCOUNT}/`.length))
    await expect(account.head('k')).rejects.toEqual(failing('E_USAGE', 'names no container'))
    await store.deleteContainer?.()
    await expect(store.put('k', bytesOf('x'))).rejects.toEqual(failing('E_NOT_FOUND', 'ContainerNotFound'))
    const missing = await listed(store).catch((caught: unknown) => caught)
    expect(missing).toEqual(failing('E_NOT_FOUND', `cannot list ${store.url}: ContainerNotFound`))
    expect(missing).toMatchObject({ details: { hint: expect.stringContaining('headrace mb') } })
    await Promise.all([store.close(), account.close()])
  })

  test('a name that Azure would change is refused', async () => {
    const store = await open()
    await expect(store.put('a\\b', bytesOf('x'))).rejects.toEqual(failing('E_UNSUPPORTED', '"a\\\\b"'))
    await store.close()
  })
})
