import { appendFile, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import http from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { byUtf8, OrderedMap } from '../../src/dev/s3/disk/keys.ts'
import { type S3Server, startS3Server } from '../../src/dev/s3/index.ts'
import { type Position, pageOf } from '../../src/dev/s3/operations/page.ts'
import { isHeadraceError } from '../../src/errors.ts'
import { presigned, type Sent, send } from './signed.ts'

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'headrace-dev-test-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

const put = (server: { url: string }, key: string, body: string | Uint8Array, more: Partial<Sent> = {}) =>
  send(server.url, { method: 'PUT', path: `/bkt/${key}`, body, ...more })
const get = (server: { url: string }, key: string) => send(server.url, { method: 'GET', path: `/bkt/${key}` })

async function keysOf({ url }: { url: string }): Promise<readonly string[]> {
  const { text } = await send(url, { method: 'GET', path: '/bkt', query: { 'list-type': '2' } })
  return [...text.matchAll(/<Key>([^<]*)<\/Key>/g)].map(([, key = '']) => key)
}

async function blobsOf(folder: string): Promise<number> {
  const names = await readdir(join(folder, 'blobs'), { recursive: true })
  return names.filter((name) => name.includes('/')).length
}

async function started(): Promise<S3Server> {
  const server = await startS3Server({ dir })
  if ((await send(server.url, { method: 'HEAD', path: '/bkt' })).status === 404)
    await send(server.url, { method: 'PUT', path: '/bkt' })
  return server
}

test('objects, their descriptions and open uploads are there after a restart', async () => {
  const first = await started()
  const colour = Buffer.from('rot-grün 緑').toString('latin1')
  const headers = { 'content-type': 'text/plain', 'x-amz-meta-colour': colour }
  const { headers: written } = await put(first, 'a//b\u2028c', 'kept', { headers })
  await put(first, 'gone', 'x')
  await send(first.url, { method: 'DELETE', path: '/bkt/gone' })
  const { text } = await send(first.url, { method: 'POST', path: '/bkt/up', query: { uploads: '' } })
  const uploadId = /<UploadId>(.*)<\/UploadId>/.exec(text)?.[1] ?? ''
  const part = await put(first, 'up', 'part', { query: { uploadId, partNumber: '3' } })
  await first.close()

  const second = await started()
  const got = await get(second, 'a//b\u2028c')
  expect(got).toMatchObject({ status: 200, text: 'kept' })
  expect(got.headers).toMatchObject({ etag: written.etag, ...headers })
  expect(await keysOf(second)).toEqual(['a//b\u2028c'])
  const body = `<CompleteMultipartUpload><Part><PartNumber>3</PartNumber><ETag>${part.headers.etag}</ETag></Part></CompleteMultipartUpload>`
  expect((await send(second.url, { method: 'POST', path: '/bkt/up', query: { uploadId }, body })).status).toBe(200)
  expect((await get(second, 'up')).text).toBe('part')
  await second.close()
})

test('a journal that grew is written anew, shorter', async () => {
  const first = await started()
  for (let i = 0; i < 300; i++) await put(first, 'same', `${i}`)
  await first.close()
  const long = (await stat(join(dir, 'journal'))).size
  const second = await started()
  expect((await get(second, 'same')).text).toBe('299')
  await second.close()
  expect((await stat(join(dir, 'journal'))).size).toBeLessThan(long / 100)
  expect(await blobsOf(dir)).toBe(1)
})

test('half a line at the end of the journal is a change that never happened; other damage is told', async () => {
  const first = await started()
  await put(first, 'whole', 'x')
  await first.close()
  await appendFile(join(dir, 'journal'), '{"do":"delete","bucket":"bkt","keys":["who')
  const second = await started()
  expect(await keysOf(second)).toEqual(['whole'])
  await put(second, 'next', 'y')
  await second.close()
  const third = await started()
  expect(await keysOf(third)).toEqual(['next', 'whole'])
  await third.close()
  const text = await readFile(join(dir, 'journal'), 'utf8')
  await writeFile(join(dir, 'journal'), text.replace('"do":"put"', '"do":"?"'))
  await expect(startS3Server({ dir })).rejects.toSatisfy((error) => isHeadraceError(error, 'E_CORRUPT'))
  await writeFile(join(dir, 'journal'), 'something else\n')
  await expect(startS3Server({ dir })).rejects.toSatisfy((error) => isHeadraceError(error, 'E_UNSUPPORTED'))
})

test('a folder is for one server at a time', async () => {
  const first = await started()
  await expect(startS3Server({ dir })).rejects.toSatisfy((error) => isHeadraceError(error, 'E_STATE'))
  await first.close()
  await (await started()).close()
  expect(await readdir(dir)).not.toContain('server.pid')
})

test('who reads keeps the bytes, though the object is overwritten and deleted meanwhile', async () => {
  const server = await started()
  const body = Buffer.alloc(8 * 2 ** 20, 'first')
  await put(server, 'k', body)
  const url = presigned(server.url, { method: 'GET', path: '/bkt/k' })
  const pieces: Buffer[] = []
  const agent = new http.Agent()
  await new Promise<void>((resolve, reject) => {
    http.get(url, { agent }, async (response) => {
      response.pause()
      await put(server, 'k', 'second')
      await send(server.url, { method: 'DELETE', path: '/bkt/k' })
      response
        .on('data', (piece: Buffer) => pieces.push(piece))
        .once('end', resolve)
        .once('error', reject)
        .resume()
    })
  })
  agent.destroy()
  expect(Buffer.concat(pieces).equals(body)).toBe(true)
  await expect.poll(() => blobsOf(dir)).toBe(0)
  await server.close()
})

test('without a folder everything goes with the server', async () => {
  const server = await startS3Server()
  await stat(server.dir)
  await server.close()
  await expect(stat(server.dir)).rejects.toMatchObject({ code: 'ENOENT' })
})

test('a page is what a listing of all keys says, for any keys, prefixes, delimiters and page sizes', () => {
  const key = fc.string({
    unit: fc.constantFrom('a', 'b', '/', '-', 'é', '\u{1f600}', '\uffee'),
    minLength: 1,
    maxLength: 5,
  })
  const model = fc.record({
    keys: fc.uniqueArray(key, { maxLength: 30 }),
    removed: fc.array(fc.nat(29), { maxLength: 5 }),
    prefix: fc.oneof(fc.constant(''), key),
    delimiter: fc.constantFrom('', '/', '-', 'a/'),
    limit: fc.integer({ min: 1, max: 7 }),
  })
  fc.assert(
    fc.property(model, ({ keys, removed, prefix, delimiter, limit }) => {
      const map = new OrderedMap<string>()
      for (const [i, each] of keys.entries()) {
        map.set(each, each)
        // Walks in between, so that later keys are merged into what is sorted.
        if (i === 10) map.from('').next()
      }
      for (const index of removed) map.delete(keys[index] ?? '')
      const left = keys.filter((each) => map.get(each) !== undefined)
      const names = left
        .filter((each) => each.startsWith(prefix))
        .map((each) => {
          const at = delimiter === '' ? -1 : each.indexOf(delimiter, prefix.length)
          return at < 0 ? each : each.slice(0, at + delimiter.length)
        })
      const expected = [...new Set(names)].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
      const found: string[] = []
      let after: Position | undefined
      do {
        const page = pageOf(map, { prefix, delimiter, after, limit })
        const here = [...page.values, ...page.prefixes]
        expect(here.length).toBeLessThanOrEqual(limit)
        found.push(...here.sort(byUtf8))
        after = page.last
      } while (after !== undefined)
      expect(found).toEqual(expected)
      expect(map.size).toBe(left.length)
    }),
  )
})
