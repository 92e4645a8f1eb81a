import { createHash, createHmac } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { startS3Server } from '../../src/dev/s3/index.ts'
import { Refusal } from '../../src/dev/s3/refusal.ts'
import { ChunkDecoder } from '../../src/dev/s3/request/chunks.ts'
import { scopeText, signingKey } from '../../src/dev/s3/signing/canonical.ts'
import { KEYS, keyFor, send, sign, timestamp } from './signed.ts'

const DAY = { day: '20130524', region: 'us-east-1' }

/** The worked example of the S3 reference, "Signature Calculations for the Authorization Header: ... Multiple Chunks". */
const EXAMPLE = {
  key: signingKey('wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY', DAY),
  timestamp: '20130524T000000Z',
  scope: scopeText(DAY),
  seed: '4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9',
}
const EXAMPLE_CHUNKS = [
  [65_536, 'ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648'],
  [1024, '0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497'],
  [0, 'b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9'],
] as const
const example = (chunks: readonly (readonly [number, string])[] = EXAMPLE_CHUNKS) =>
  Buffer.from(
    chunks
      .map(([size, signature]) => `${size.toString(16)};chunk-signature=${signature}\r\n${'a'.repeat(size)}\r\n`)
      .join(''),
  )

function decode(decoder: ChunkDecoder, pieces: Iterable<Buffer>): Buffer {
  const data: Buffer[] = []
  for (const piece of pieces) for (const bytes of decoder.push(piece)) data.push(Buffer.from(bytes))
  decoder.end()
  return Buffer.concat(data)
}

function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const ends = [...new Set(places.map((place) => place % (bytes.length + 1))), bytes.length].sort((a, b) => a - b)
  return ends.map((end, i) => bytes.subarray(ends[i - 1] ?? 0, end))
}

const refusal = (code: string) => expect.toSatisfy((error) => error instanceof Refusal && error.code === code, code)

test("the S3 reference's chunks are let in, however they are cut", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(), { maxLength: 20 }), (places) => {
      const data = decode(new ChunkDecoder(EXAMPLE, false), cut(example(), places))
      expect(data.equals(Buffer.alloc(66_560, 'a'))).toBe(true)
    }),
    { numRuns: 50 },
  )
})

test('a changed byte, a missing chunk and chunks in another order are refused', () => {
  const changed = example()
  changed[100] = 98
  const [first, second, last] = EXAMPLE_CHUNKS
  for (const bytes of [changed, example([first, last]), example([second, first, last])])
    expect(() => decode(new ChunkDecoder(EXAMPLE, false), [bytes])).toThrow(refusal('SignatureDoesNotMatch'))
  expect(() => decode(new ChunkDecoder(EXAMPLE, false), [example([first, second])])).toThrow(refusal('IncompleteBody'))
})

test('any data in any chunks, in any pieces, comes out as it went in, with its trailers', () => {
  const trailer = fc.tuple(fc.stringMatching(/^[a-z][a-z0-9-]{0,20}$/), fc.stringMatching(/^[!-~]{1,20}$/))
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { maxLength: 8 }),
      fc.uniqueArray(trailer, { maxLength: 3, selector: ([name]) => name }),
      fc.array(fc.nat(), { maxLength: 30 }),
      (chunks, trailers, places) => {
        const framed = Buffer.concat([
          ...chunks.flatMap((chunk) => [Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from('\r\n')]),
          Buffer.from(`0\r\n${trailers.map(([name, value]) => `${name}:${value}\r\n`).join('')}\r\n`),
        ])
        const decoder = new ChunkDecoder(undefined, true)
        expect(decode(decoder, cut(framed, places)).equals(Buffer.concat(chunks))).toBe(true)
        expect([...decoder.trailers]).toEqual(trailers)
      },
    ),
  )
})

test('any other bytes are refused, and held in no more memory than a line', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
      try {
        decode(new ChunkDecoder(undefined, true), [Buffer.from(bytes)])
      } catch (error) {
        expect(error).toBeInstanceOf(Refusal)
      }
    }),
  )
  const endless = new ChunkDecoder(undefined, true)
  expect(() => {
    for (let i = 0; i < 100; i++) for (const _ of endless.push(Buffer.alloc(100, 'f')));
  }).toThrow(refusal('IncompleteBody'))
})

test('a server takes signed chunks with a signed trailer, and checks all three', async () => {
  const server = await startS3Server()
  await send(server.url, { method: 'PUT', path: '/bkt' })
  const at = Date.now()
  const day = timestamp(at).slice(0, 8)
  const key = keyFor(KEYS, day)
  const hash = (data: string) => createHash('sha256').update(data).digest('hex')
  const data = 'chunk of a body'
  const upload = (checksum: string, spoil = (text: string) => text) => {
    const headers = {
      'content-encoding': 'aws-chunked',
      'x-amz-decoded-content-length': String(data.length),
      'x-amz-trailer': 'x-amz-checksum-sha256',
    }
    const sent = { method: 'PUT', path: '/bkt/k', at, headers, payload: 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER' }
    const start = [timestamp(at), `${day}/${KEYS.region}/s3/aws4_request`]
    let previous = sign(server.url, sent).signature
    const next = (kind: string, rest: readonly string[]) => {
      const lines = [`AWS4-HMAC-SHA256-${kind}`, ...start, previous, ...rest]
      previous = createHmac('sha256', key).update(lines.join('\n')).digest('hex')
      return previous
    }
    const trailer = `x-amz-checksum-sha256:${checksum}`
    const body = [
      `${data.length.toString(16)};chunk-signature=${next('PAYLOAD', [hash(''), hash(data)])}\r\n${data}\r\n`,
      `0;chunk-signature=${next('PAYLOAD', [hash(''), hash('')])}\r\n`,
      `${trailer}\r\nx-amz-trailer-signature:${next('TRAILER', [hash(`${trailer}\n`)])}\r\n\r\n`,
    ]
    return send(server.url, { ...sent, body: spoil(body.join('')) })
  }
  const right = createHash('sha256').update(data).digest('base64')
  const code = (text: string) => /<Code>(.*)<\/Code>/.exec(text)?.[1]
  const wrong = await upload(createHash('sha256').update('x').digest('base64'))
  expect([wrong.status, code(wrong.text)]).toEqual([400, 'BadDigest'])
  const spoilt = await upload(right, (text) => text.replace('chunk of', 'chunk no'))
  expect([spoilt.status, code(spoilt.text)]).toEqual([403, 'SignatureDoesNotMatch'])
  const unsigned = await upload(right, (text) => text.replace(/trailer-signature:./, 'trailer-signature:g'))
  expect([unsigned.status, code(unsigned.text)]).toEqual([403, 'SignatureDoesNotMatch'])
  expect((await send(server.url, { method: 'GET', path: '/bkt/k' })).status).toBe(404)
  expect((await upload(right)).status).toBe(200)
  const got = await send(server.url, { method: 'GET', path: '/bkt/k', headers: { 'x-amz-checksum-mode': 'ENABLED' } })
  expect([got.text, got.headers['x-amz-checksum-sha256'], got.headers['content-encoding']]).toEqual([
    data,
    right,
    undefined,
  ])
  await server.close()
})
