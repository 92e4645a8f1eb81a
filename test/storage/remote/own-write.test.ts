import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { native } from '../../../src/native.ts'
import { openStore } from '../../../src/storage/open.ts'
import { bytesOf, failing } from '../conformance.ts'
import { type Said, ScriptedServer } from '../s3/scripted-server.ts'

const server = new ScriptedServer()
beforeAll(() => server.start())
afterAll(() => server.stop())

const BODY = bytesOf('bytes')
const MD5 = createHash('md5').update(BODY).digest('base64')
const LATER = { status: 503 }
const quick = { baseDelay: 1, maxDelay: 2 }

describe('a put on condition that there is nothing, sent again after a 503', () => {
  const exists = failing('E_EXISTS', 'k is there already')

  test('of az knows its own blob by size and MD5', async () => {
    const store = await openStore('az://acct/box', { endpoint: `${server.origin}/acct`, anonymous: true, ...quick })
    const put = async (md5: string, before: readonly Said[] = [LATER]) => {
      let puts = 0
      server.says(({ method }) => {
        const headers = { etag: '"1"', 'last-modified': new Date(0).toUTCString(), 'content-md5': md5 }
        if (method === 'HEAD') return { headers: { ...headers, 'content-length': '5' } }
        return before[puts++] ?? { status: 412 }
      })
      return store.put('k', BODY, { ifNoneMatch: '*' })
    }
    expect(await put(MD5)).toMatchObject({ key: 'k', size: 5, etag: '"1"' })
    expect(server.heard.map(({ method }) => method)).toEqual(['PUT', 'PUT', 'HEAD'])
    await expect(put(createHash('md5').update('other').digest('base64'))).rejects.toEqual(exists)
    await expect(put(MD5, [])).rejects.toEqual(exists)
    await store.close()
  })

  test('of az knows its own upload by the blocks that it is made of', async () => {
    const options = { endpoint: `${server.origin}/acct`, anonymous: true, partSize: 2 ** 20, ...quick }
    const store = await openStore('az://acct/box', options)
    const upload = async (listOf: (sent: string) => string) => {
      let sent = ''
      server.says(({ method, url, body }) => {
        const headers = { etag: '"1"', 'last-modified': new Date(0).toUTCString() }
        if (method === 'HEAD') return { headers: { ...headers, 'content-length': '5' } }
        if (method === 'GET') return { body: listOf(sent) }
        if (url.includes('comp=blocklist')) {
          const first = sent === ''
          sent = body
          return { status: first ? 503 : 412 }
        }
        return { status: 201, headers }
      })
      const writer = store.writer('k', { ifNoneMatch: '*' })
      await writer.write(new Uint8Array(2 ** 20 + 1))
      return writer.close()
    }
    const committed = (ids: readonly string[]) =>
      `<BlockList><CommittedBlocks>${ids.map((id) => `<Block><Name>${id}</Name><Size>1</Size></Block>`).join('')}</CommittedBlocks></BlockList>`
    const idsIn = (sent: string) => [...sent.matchAll(/<Latest>([^<]+)<\/Latest>/g)].map(([, id = '']) => id)
    expect(await upload((sent) => committed(idsIn(sent)))).toMatchObject({ key: 'k', etag: '"1"' })
    await expect(upload((sent) => committed(idsIn(sent).reverse()))).rejects.toEqual(exists)
    await expect(upload(() => committed([]))).rejects.toEqual(exists)
    await store.close()
  })

  test('of gs knows its own object by size and CRC-32C', async () => {
    const store = await openStore('gs://bucket', { endpoint: server.origin, anonymous: true, ...quick })
    const sum = Buffer.alloc(4)
    sum.writeUInt32BE(native.crc32c(BODY))
    const put = async (crc32c: string, before: readonly Said[] = [LATER]) => {
      let puts = 0
      server.says(({ method }) => {
        if (method === 'POST') return before[puts++] ?? { status: 412 }
        return { body: JSON.stringify({ size: '5', generation: '7', updated: new Date(0).toISOString(), crc32c }) }
      })
      return store.put('k', BODY, { ifNoneMatch: '*' })
    }
    expect(await put(sum.toString('base64'))).toMatchObject({ key: 'k', size: 5, etag: '7' })
    expect(server.heard.map(({ method }) => method)).toEqual(['POST', 'POST', 'GET'])
    await expect(put('AAAAAA==')).rejects.toEqual(exists)
    await expect(put(sum.toString('base64'), [])).rejects.toEqual(exists)
    await store.close()
  })
})
