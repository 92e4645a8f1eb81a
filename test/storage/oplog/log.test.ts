import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { OpLogReader } from '../../../src/storage/oplog/reader.ts'
import { timestampFormatter, timestampParser } from '../../../src/storage/oplog/timestamp.ts'
import type { OpRecord } from '../../../src/storage/oplog/types.ts'
import { OpLogWriter } from '../../../src/storage/oplog/writer.ts'
import { zstdCompressor } from '../../../src/zstd.ts'
import { failing } from '../conformance.ts'

const FIXTURES = fileURLToPath(new URL('../../fixtures/oplog/', import.meta.url))
const TEN = Date.parse('2026-03-01T10:00:00Z')

let folder: string
beforeAll(() => {
  folder = fs.mkdtempSync(join(tmpdir(), 'headrace-oplog-'))
})
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }))

const at = (name: string, content?: string | Uint8Array) => {
  const path = join(folder, name)
  if (content !== undefined) fs.writeFileSync(path, content)
  return path
}

async function readAll(path: string): Promise<{ records: OpRecord[]; cutOff: boolean }> {
  const reader = new OpLogReader(path)
  const records: OpRecord[] = []
  for await (const batch of reader.batches()) records.push(...batch)
  return { records, cutOff: reader.cutOff }
}

const record = (over: Partial<OpRecord> = {}): OpRecord => ({
  worker: 3,
  op: 'GET',
  objects: 1,
  bytes: 4096,
  endpoint: '127.0.0.1:9000',
  url: 's3://bucket/prefix/key',
  start: TEN,
  end: TEN + 2,
  ...over,
})

const HEAD =
  'idx\tthread\top\tclient_id\tn_objects\tbytes\tendpoint\tfile\terror\tstart\tfirst_byte\tend\tduration_ns\toffset\n'

describe('an op-log', () => {
  test('is a table with the columns of s3dlio and warp, and the offset of ranges', async () => {
    const path = at('plain.tsv')
    const writer = await OpLogWriter.open(path)
    writer.record(record({ firstByte: TEN + 0.5, client: 'host-1' }))
    writer.record(record({ op: 'GET_RANGE', offset: 65536, start: TEN + 999.75, end: TEN + 1001.5 }))
    writer.record(record({ op: 'PUT', bytes: 0, error: 'E_NETWORK: cannot\treach "it"' }))
    await writer.close()
    expect(fs.readFileSync(path, 'utf8')).toBe(
      `${HEAD}0\t3\tGET\thost-1\t1\t4096\t127.0.0.1:9000\ts3://bucket/prefix/key\t\t2026-03-01T10:00:00.000000000Z\t2026-03-01T10:00:00.000500000Z\t2026-03-01T10:00:00.002000000Z\t2000000\t
1\t3\tGET_RANGE\t\t1\t4096\t127.0.0.1:9000\ts3://bucket/prefix/key\t\t2026-03-01T10:00:00.999750000Z\t\t2026-03-01T10:00:01.001500000Z\t1750000\t65536
2\t3\tPUT\t\t1\t0\t127.0.0.1:9000\ts3://bucket/prefix/key\t"E_NETWORK: cannot\treach ""it"""\t2026-03-01T10:00:00.000000000Z\t\t2026-03-01T10:00:00.002000000Z\t2000000\t
`,
    )
  })

  test('is JSON lines under the same names where its name says so', async () => {
    const path = at('lines.ndjson')
    const writer = await OpLogWriter.open(path)
    writer.record(record({ op: 'LIST', objects: 7, bytes: 0, index: 41 }))
    await writer.close()
    expect(JSON.parse(fs.readFileSync(path, 'utf8'))).toEqual({
      idx: 41,
      thread: 3,
      op: 'LIST',
      n_objects: 7,
      bytes: 0,
      endpoint: '127.0.0.1:9000',
      file: 's3://bucket/prefix/key',
      start: '2026-03-01T10:00:00.000000000Z',
      end: '2026-03-01T10:00:00.002000000Z',
      duration_ns: 2000000,
    })
  })

  test.each(['a.tsv', 'a.tsv.zst', 'a.ndjson', 'a.ndjson.zst', 'a.jsonl', 'a.JSONL.ZST'])(
    '%s gives back every record as it was',
    async (name) => {
      const text = fc.oneof(
        fc.string({ unit: 'binary', maxLength: 20 }),
        fc.constantFrom(
          'a\tb',
          '"',
          '""',
          'a"b',
          '"a"',
          ' a',
          'a ',
          'x\ny',
          'x\r\ny',
          '#',
          '# no comment',
          'ä\u2028/日本',
          ',',
        ),
      )
      const time = fc.oneof(fc.nat(), fc.double({ min: 1e12, max: 4e12, noNaN: true }))
      const word = text.filter((each) => each !== '')
      const records = fc.array(
        fc.record(
          {
            index: fc.nat(),
            worker: fc.nat(1000),
            op: fc.constantFrom('GET', 'PUT', 'LIST', 'DELETE_BATCH', 'SOMETHING_ELSE'),
            objects: fc.nat(),
            bytes: fc.maxSafeNat(),
            endpoint: text,
            url: text,
            offset: fc.maxSafeNat(),
            client: word,
            error: word,
            start: time,
            firstByte: time,
            end: time,
          },
          { requiredKeys: ['index', 'worker', 'op', 'objects', 'bytes', 'endpoint', 'url', 'start', 'end'] },
        ),
        { maxLength: 20 },
      )
      const path = at(name)
      await fc.assert(
        fc.asyncProperty(records, async (written) => {
          const writer = await OpLogWriter.open(path)
          for (const each of written) await writer.record(each)
          await writer.close()
          const { records: read, cutOff } = await readAll(path)
          expect(read).toEqual(written.map((each) => ({ ...each })))
          expect(cutOff).toBe(false)
        }),
        { numRuns: 40 },
      )
    },
  )

  test('is refused by a name that stands for no format', async () => {
    await expect(OpLogWriter.open(at('log.txt'))).rejects.toEqual(failing('E_USAGE', '.tsv', 'log.txt'))
    expect(fs.existsSync(at('log.txt'))).toBe(false)
    await expect(OpLogWriter.open(join(folder, 'no/such/a.tsv'))).rejects.toEqual(failing('E_NOT_FOUND', 'a.tsv'))
  })

  test('takes nothing once it is closed', async () => {
    const writer = await OpLogWriter.open(at('closed.tsv'))
    await writer.close()
    await writer.close()
    expect(() => writer.record(record())).toThrow(failing('E_STATE', 'closed.tsv is closed') as Error)
  })

  test('is written by several, each numbering its own rows', async () => {
    const path = at('several.tsv.zst')
    const first = await OpLogWriter.open(path, { firstIndex: 0, indexStep: 2 })
    await first.flush()
    const second = await OpLogWriter.open(path, { append: true, firstIndex: 1, indexStep: 2 })
    for (let i = 0; i < 5000; i++) {
      await first.record(record({ worker: 0 }))
      await second.record(record({ worker: 1 }))
    }
    await Promise.all([first.close(), second.close()])
    const { records } = await readAll(path)
    expect(records.map(({ index }) => index as number).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 10_000 }, (_, i) => i),
    )
    expect(records.every(({ index = 0, worker }) => index % 2 === worker)).toBe(true)
  })

  test('asks to be waited for when the disk is behind, and drops nothing', async () => {
    const path = at('behind.tsv')
    const writer = await OpLogWriter.open(path)
    let asked = 0
    for (let i = 0; i < 20_000; i++) {
      const behind = writer.record(record())
      if (behind !== undefined) {
        asked++
        await behind
      }
    }
    await writer.close()
    // About 3.3 MB of lines, at most 1 MiB of which waits.
    expect(asked).toBeGreaterThanOrEqual(2)
    expect((await readAll(path)).records).toHaveLength(20_000)
  })

  test('says that the disk is full at the next record', async () => {
    fs.symlinkSync('/dev/full', at('full.ndjson'))
    const failed = await OpLogWriter.open(at('full.ndjson'))
    failed.record(record())
    await expect(failed.flush()).rejects.toEqual(failing('E_NO_SPACE', 'full.ndjson'))
    expect(() => failed.record(record())).toThrow(failing('E_NO_SPACE', 'full.ndjson') as Error)
    await expect(failed.close()).rejects.toEqual(failing('E_NO_SPACE', 'full.ndjson'))
  })
})

describe('a log whose writer was killed', () => {
  const CHILD = fileURLToPath(new URL('killed-writer.ts', import.meta.url))
  const LOADER = new URL('../../cache/typescript-loader.mjs', import.meta.url).href

  test.each(['killed.tsv.zst', 'killed.ndjson.zst', 'killed.tsv'])(
    '%s has all that a second had passed over',
    async (name) => {
      const path = at(name)
      const child = spawn(process.execPath, ['--import', LOADER, CHILD, path], { stdio: ['ignore', 'pipe', 'inherit'] })
      await once(child.stdout, 'data')
      child.kill('SIGKILL')
      await once(child, 'close')
      const { records, cutOff } = await readAll(path)
      expect(records).toHaveLength(1000)
      expect(records.map(({ index }) => index)).toEqual(Array.from({ length: 1000 }, (_, i) => i))
      expect(cutOff).toBe(false)
    },
  )

  test.each([
    ['a frame', 'whole.tsv.zst'],
    ['a line', 'whole.tsv'],
    ['a line of JSON', 'whole.ndjson'],
  ])('may end within %s: what stands before is read, and that it was cut off is told', async (_, name) => {
    const whole = at(name)
    const writer = await OpLogWriter.open(whole)
    for (let i = 0; i < 10; i++) writer.record(record())
    await writer.flush()
    for (let i = 0; i < 10; i++) writer.record(record())
    await writer.close()
    const bytes = fs.readFileSync(whole)
    const cut = at(`cut-${name}`, bytes.subarray(0, bytes.length - 10))
    const { records, cutOff } = await readAll(cut)
    expect({ count: records.length, cutOff }).toEqual({ count: name.includes('zst') ? 10 : 19, cutOff: true })
  })

  test('may be gzip that was cut off', async () => {
    const text = `${HEAD}${`0\t0\tGET\t\t1\t5\t\ta/b\t\t2026-03-01T10:00:00Z\t\t2026-03-01T10:00:01Z\t1\t\n`.repeat(5000)}`
    const zipped = gzipSync(text)
    expect(await readAll(at('whole.tsv.gz', zipped))).toMatchObject({ records: { length: 5000 }, cutOff: false })
    const { records, cutOff } = await readAll(at('cut.tsv.gz', zipped.subarray(0, zipped.length - 20)))
    expect(cutOff).toBe(true)
    expect(records.length).toBeGreaterThan(1000)
  })
})

describe('the reader', () => {
  test.each(['s3dlio.tsv', 's3dlio.tsv.zst'])('reads what s3dlio writes: %s', async (name) => {
    const { records, cutOff } = await readAll(join(FIXTURES, name))
    expect(cutOff).toBe(false)
    expect(records).toHaveLength(8)
    expect(records.map(({ op }) => op)).toEqual([
      'PUT',
      'LIST',
      'GET',
      'GET_RANGE',
      'GET',
      'HEAD',
      'DELETE_PREFIX',
      'DELETE',
    ])
    expect(records[0]).toEqual({
      index: 0,
      worker: Number('15213791232377245318'),
      op: 'PUT',
      objects: 1,
      bytes: 1048576,
      endpoint: 's3://bench',
      url: 'bench/set/a/0001.bin',
      start: TEN,
      end: TEN + 12.5,
    })
    expect(records[4]?.error).toBe('service error: "NoSuchKey"')
  })

  test.each(['warp.csv', 'warp.csv.zst'])('reads what MinIO warp writes: %s', async (name) => {
    const { records, cutOff } = await readAll(join(FIXTURES, name))
    expect(cutOff).toBe(false)
    expect(records.map(({ op, objects }) => [op, objects])).toEqual([
      ['PUT', 1],
      ['GET', 1],
      ['GET', 1],
      ['STAT', 1],
      ['DELETE', 3],
    ])
    expect(records[1]).toEqual({
      index: 1,
      worker: 1,
      op: 'GET',
      client: '3CFa',
      objects: 1,
      bytes: 10485760,
      endpoint: 'http://10.0.0.1:9000',
      url: '2nMt)2a/1.AbC(x.rnd',
      start: TEN + 200,
      firstByte: TEN + 205,
      end: TEN + 250,
    })
    expect(records[2]?.error).toBe('Get "http://10.0.0.2:9000/b/x": dial tcp:\nconnection refused')
    expect(records[4]?.url).toBe('')
  })

  test('knows columns by name, in any order, and JSON lines of s3dlio', async () => {
    const csv =
      'file,OPERATION,t_start,duration_ns,extra\na/b,get,2026-03-01T10:00:00.5Z,1500000,\n"x,y",Put,2026-03-01T10:00:01Z,1,e'
    expect((await readAll(at('other.csv', csv))).records).toEqual([
      { worker: 0, op: 'GET', objects: 1, bytes: 0, endpoint: '', url: 'a/b', start: TEN + 500, end: TEN + 501.5 },
      {
        worker: 0,
        op: 'PUT',
        objects: 1,
        bytes: 0,
        endpoint: '',
        url: 'x,y',
        start: TEN + 1000,
        end: TEN + 1000.000001,
      },
    ])
    const lines =
      '\ufeff# comment\n\n{"operation":"GET","file":"k","bytes":5,"error":null,"start":"2026-03-01T10:00:00Z","end":"2026-03-01T10:00:01Z"}\r\n'
    expect((await readAll(at('lines.log', lines))).records).toEqual([
      { worker: 0, op: 'GET', objects: 1, bytes: 5, endpoint: '', url: 'k', start: TEN, end: TEN + 1000 },
    ])
  })

  test('of an empty file gives nothing', async () => {
    expect(await readAll(at('empty.tsv', ''))).toEqual({ records: [], cutOff: false })
  })

  const row = (over: Record<number, string> = {}) =>
    Object.assign(
      ['0', '3', 'GET', '', '1', '5', '', 'k', '', '2026-03-01T10:00:00Z', '', '2026-03-01T10:00:01Z', '1', ''],
      over,
    ).join('\t')

  test.each([
    ['a table that is no log', 'name\tsize\nx\t5\n', 'line 1', 'no column op and start'],
    ['text', 'hello\nworld\n', 'line 1', 'no column op'],
    ['too few fields', `${HEAD}${row()}\n0\t3\tGET\n`, 'line 3', '3 fields, but the header has 14'],
    ['too many fields', `${HEAD}${row()}\t\t\n`, 'line 2', '16 fields'],
    ['bytes that are none', `${HEAD}${row({ 5: '-5' })}\n`, 'line 2', 'bytes', '"-5"'],
    ['a time that is none', `${HEAD}${row({ 9: 'yesterday' })}\n`, 'line 2', 'start', '"yesterday"'],
    ['a day that is none', `${HEAD}${row({ 11: '2026-13-41T10:00:00Z' })}\n`, 'line 2', 'end'],
    ['no time at all', `${HEAD}${row({ 9: '' })}\n`, 'line 2', 'start is missing'],
    ['no end', `${HEAD}${row({ 11: '', 12: '' })}\n`, 'line 2', 'end and duration_ns are missing'],
    ['no operation', `${HEAD}\n\n${row({ 2: '' })}\n`, 'line 4', 'op is missing'],
    [
      'JSON that is none',
      '{"op":"GET","start":"2026-03-01T10:00:00Z","duration_ns":1}\n{oops}\n',
      'line 2',
      'not JSON',
    ],
    [
      'JSON that is no object',
      '{"op":"GET","start":"2026-03-01T10:00:00Z","duration_ns":1}\n[1]\n',
      'line 2',
      'not a JSON object',
    ],
    ['JSON of odd values', '{"op":{},"start":"2026-03-01T10:00:00Z","duration_ns":1}\n', 'line 1', 'op must be text'],
    ['a line without an end', `${HEAD}${'x'.repeat(1_100_000)}`, 'line 2', 'more than 1048576 characters'],
    ['a quote without an end', `${HEAD}0\t"${'x\n'.repeat(1000)}\n`, 'line 2', 'over more than 200 lines'],
  ])('refuses %s, with file and line', async (_, content, ...words) => {
    const path = at('hostile.log', content)
    await expect(readAll(path)).rejects.toEqual(failing('E_CORRUPT', path, ...words))
  })

  test('says where the second of two rows stands after a field over several lines', async () => {
    const path = at('multi.tsv', `${HEAD}${row({ 8: '"one\ntwo\nthree"' })}\n${row({ 4: 'x' })}\n`)
    await expect(readAll(path)).rejects.toEqual(failing('E_CORRUPT', 'line 5', 'n_objects'))
  })

  test('finds a file that is not there, a directory and one that may not be read', async () => {
    await expect(readAll(at('nowhere.tsv'))).rejects.toEqual(failing('E_NOT_FOUND', 'nowhere.tsv'))
    await expect(readAll(folder)).rejects.toEqual(failing('E_SERVER', folder))
  })

  test('of a bomb holds little', async () => {
    const compress = await zstdCompressor()
    const line = `${row()}\n`
    const frame = compress(Buffer.from(line.repeat(5000)))
    const path = at('bomb.tsv.zst', Buffer.concat([compress(Buffer.from(HEAD)), ...Array<Uint8Array>(100).fill(frame)]))
    expect(fs.statSync(path).size).toBeLessThan(200_000)
    let count = 0
    let peak = 0
    const before = process.memoryUsage().rss
    for await (const batch of new OpLogReader(path).batches()) {
      count += batch.length
      peak = Math.max(peak, process.memoryUsage().rss - before)
    }
    expect(count).toBe(500_000)
    expect(peak).toBeLessThan(200 * 2 ** 20)
    const window = Buffer.from('28b52ffd00a8', 'hex')
    await expect(readAll(at('window.tsv.zst', Buffer.concat([window, Buffer.alloc(20)])))).rejects.toEqual(
      failing('E_CORRUPT', 'window.tsv.zst', 'a window of 2147483648 bytes'),
    )
    const zeros = at('zeros.tsv.zst', compress(new Uint8Array(2 ** 26)))
    await expect(readAll(zeros)).rejects.toEqual(failing('E_CORRUPT', 'more than 1048576 characters'))
  })

  test('never does anything else than give records or E_CORRUPT', async () => {
    const bytes = fs.readFileSync(join(FIXTURES, 'warp.csv.zst'))
    const plain = fs.readFileSync(join(FIXTURES, 's3dlio.tsv'))
    await fc.assert(
      fc.asyncProperty(
        fc.boolean(),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        fc.nat(400),
        async (zipped, position, flip, cut) => {
          const damaged = Buffer.from(zipped ? bytes : plain)
          const spot = position % damaged.length
          damaged[spot] = (damaged[spot] as number) ^ flip
          const path = at('damaged', damaged.subarray(0, damaged.length - (cut % damaged.length)))
          await readAll(path).catch((error) => expect(error).toEqual(failing('E_CORRUPT', path)))
        },
      ),
      { numRuns: 300 },
    )
  })

  test('is stopped by its signal', async () => {
    const controller = new AbortController()
    controller.abort()
    const reading = new OpLogReader(join(FIXTURES, 's3dlio.tsv')).batches({ signal: controller.signal })
    await expect(reading.next()).rejects.toEqual(failing('E_CANCELLED', 's3dlio.tsv'))
  })
})

describe('timestamps', () => {
  test('come back as they were, to the nanosecond', () => {
    const format = timestampFormatter()
    const parse = timestampParser()
    expect(format(TEN + 0.123456)).toBe('2026-03-01T10:00:00.000123535Z')
    expect(format(999.9999999)).toBe('1970-01-01T00:00:01.000000000Z')
    expect(parse('2026-03-01T12:00:00.25+02:00')).toBe(TEN + 250)
    expect(parse('2026-03-01t10:00:00z')).toBe(TEN)
    for (const text of ['', '1', '2026-03-01', '2026-03-01T10:00:00', '2026-02-30T99:00:00Z'])
      expect(parse(text)).toBeUndefined()
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1e13, noNaN: true }), (time) => {
        expect(Math.abs((parse(format(time)) as number) - time)).toBeLessThanOrEqual(1e-6)
      }),
    )
    // As far apart as doubles of today are.
    for (let time = TEN; time < TEN + 0.1; time += 2 ** -12) expect(parse(format(time))).toBe(time)
  })
})
