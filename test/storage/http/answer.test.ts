import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isHeadraceError } from '../../../src/errors.ts'
import { AnswerReader } from '../../../src/storage/http/answer.ts'
import { ThrownByCaller } from '../../../src/storage/http/landing.ts'
import type { HttpRequest } from '../../../src/storage/http/types.ts'
import { failing } from '../conformance.ts'
import { get, sized, textOf } from './server.ts'

const origin = { protocol: 'http:', host: 'h', port: 80 } as const

interface Read {
  readonly status: number | undefined
  readonly body: string
  readonly isDone: boolean
  readonly staysOpen: boolean
  readonly hasSurplus: boolean
}

/** As a socket does it: every piece is read into what the reader says, as far as that reaches. */
function feed(reader: AnswerReader, pieces: Iterable<Uint8Array>): void {
  for (const piece of pieces) {
    let rest = piece
    while (rest.length > 0) {
      const buffer = reader.buffer()
      if (buffer.length === 0) throw new RangeError('the reader has no room')
      const count = Math.min(buffer.length, rest.length)
      buffer.set(rest.subarray(0, count))
      reader.received(count)
      rest = rest.subarray(count)
    }
  }
}

function read(
  pieces: Iterable<Uint8Array>,
  request: Partial<HttpRequest> = {},
  { ends = false, scratch = 64 } = {},
): Read {
  const reader = new AnswerReader(Buffer.alloc(scratch, 'HTTP/1.1 200 OK\r\n\r\n'))
  reader.begin(get(origin, request))
  feed(reader, pieces)
  if (ends) reader.ended()
  return {
    status: reader.head?.status,
    body: textOf(reader.body),
    isDone: reader.isDone,
    staysOpen: reader.staysOpen,
    hasSurplus: reader.hasSurplus,
  }
}

/** Cut at these places. */
function pieces(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const places = [...new Set([0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length])].sort((a, b) => a - b)
  return places.slice(1).map((place, i) => bytes.subarray(places[i] ?? 0, place))
}

const one = (text: string) => [Buffer.from(text, 'latin1')]

describe('an answer', () => {
  const chunked = (...lines: string[]) =>
    one(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${lines.join('\r\n')}`)

  test('comes in chunks, with extensions and fields behind them', () => {
    const answer = chunked('5', 'hello', '1;a="b"', ' ', '0005  ', 'world', '00;last', 'X-Sum: 1', 'Y: 2', '', '')
    expect(read(answer)).toMatchObject({ body: 'hello world', isDone: true, staysOpen: true })
  })

  test.each([
    ['no size', ['', 'x'], 'must start with its size'],
    ['a size that is none', ['5x', 'hello'], 'followed by byte 0x78'],
    ['a negative size', ['-5', 'hello'], 'must start with its size'],
    ['a size beyond numbers', ['00000000000005', 'hello'], '13 digits'],
    ['too little', ['6', 'hello', '0', ''], 'divided by CR LF'],
    ['too much', ['4', 'hello'], 'divided by CR LF'],
    ['a control character', ['5;\0', 'hello'], '0x00'],
    ['a bare LF', ['5;\n', 'hello'], '0x0a'],
    ['a folded field behind it', ['0', ' x'], 'folded'],
  ])('with a chunk of %s is refused', (_, lines, reason) => {
    expect(() => read(chunked(...lines, ''))).toThrow(failing('E_CORRUPT', reason) as Error)
  })

  test('with endless extensions or fields behind it is refused', () => {
    expect(() => read(chunked(`1;${'x'.repeat(5000)}`))).toThrow(failing('E_CORRUPT', '4096') as Error)
    const fields = Array.from({ length: 2000 }, () => `x-field: ${'y'.repeat(40)}`)
    expect(() => read(chunked('0', ...fields))).toThrow(failing('E_CORRUPT', '65536') as Error)
  })

  test('may follow interim ones, but not without end', () => {
    const interim = 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\n'
    expect(read(one(`${interim}${sized('body')}`))).toMatchObject({ status: 200, body: 'body', staysOpen: true })
    expect(() => read(one('HTTP/1.1 102 Processing\r\n\r\n'.repeat(33)))).toThrow(failing('E_CORRUPT', '32') as Error)
    expect(() => read(one('HTTP/1.1 101 Switching\r\n\r\n'))).toThrow(failing('E_CORRUPT', 'protocol') as Error)
  })

  test('whose head is over 64 KiB is refused', () => {
    const field = `x: ${'y'.repeat(1000)}\r\n`
    expect(read(one(`HTTP/1.1 204 x\r\n${field.repeat(64)}\r\n`)).status).toBe(204)
    for (const scratch of [100, 100_000]) {
      const answer = one(`HTTP/1.1 204 x\r\n${field.repeat(66)}\r\n`)
      expect(() => read(answer, {}, { scratch })).toThrow(failing('E_LIMIT', '65536') as Error)
    }
  })

  test('that is none is refused with its first bytes', () => {
    expect(() => read(one('S'))).toThrow(failing('E_CORRUPT', '"S"') as Error)
    expect(() => read(one('\x15\x03\x03\0\x02\x02\x16'))).toThrow(failing('E_CORRUPT', '"\\u0015') as Error)
    expect(() => read(one('HTTP/1.1 200 OK\nA: b\n\n'))).toThrow(failing('E_CORRUPT', 'without CR') as Error)
    for (const cut of [14, 15, 16])
      expect(() => read(pieces(Buffer.from('HTTP/1.1 200 OK\nA: b\n\n'), [cut]))).toThrow(failing('E_CORRUPT') as Error)
  })

  test.each([
    ['HTTP/1.1 200 OK\r\nContent-Le', 'within the head'],
    ['HTTP/1.1 100 Continue\r\n\r\n', 'within the head'],
    ['HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n123', '7 bytes before the end'],
    ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n', 'before the last chunk'],
    ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n', 'before the last chunk'],
  ])('that ends early is refused: %j', (text, reason) => {
    expect(() => read(one(text), {}, { ends: true })).toThrow(failing('E_CORRUPT', reason) as Error)
  })

  test('of known length ends there: what follows closes the connection', () => {
    expect(read(one(`${sized('abc')}d`))).toMatchObject({ body: 'abc', staysOpen: false, hasSurplus: true })
    expect(read(one(`${sized('abc')}`))).toMatchObject({ body: 'abc', staysOpen: true, hasSurplus: false })
    expect(read(one(`${sized('abc')}`), { method: 'HEAD' })).toMatchObject({ body: '', hasSurplus: true })
  })
})

describe('a body lands', () => {
  const answers = {
    sized: (body: string) => `${sized(body)}`,
    chunked: (body: string) =>
      `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`,
    'until close': (body: string) => `HTTP/1.0 200 OK\r\n\r\n${body}`,
  }
  const kinds = Object.entries(answers)

  test.each(kinds)('in memory of exactly its length, and nowhere else (%s)', (_, answer) => {
    for (const length of [1, 63, 64, 65, 500]) {
      const around = Buffer.alloc(length + 20, 0xee)
      const memory = around.subarray(10, 10 + length)
      const body = 'b'.repeat(length)
      read(one(answer(body)), { place: () => memory }, { ends: true })
      expect(textOf(around)).toBe(`${'\xee'.repeat(10)}${body}${'\xee'.repeat(10)}`)
    }
  })

  test.each(kinds)('or is refused where it is longer or shorter (%s)', (_, answer) => {
    for (const [length, room] of [
      [100, 99],
      [100, 101],
      [600, 599],
      [5, 0],
      [200, 20],
    ] as const) {
      const around = Buffer.alloc(room + 20, 0xee)
      const place = () => around.subarray(10, 10 + room)
      expect(() => read(one(answer('b'.repeat(length))), { place }, { ends: true })).toThrow(
        failing('E_CORRUPT') as Error,
      )
      expect(textOf(around.subarray(10 + room))).toBe('\xee'.repeat(10))
    }
  })

  test.each(kinds)('or is collected up to a bound (%s)', (_, answer) => {
    const body = 'b'.repeat(70_000)
    expect(read(one(answer(body)), { maxBody: 70_000 }, { ends: true }).body).toBe(body)
    expect(() => read(one(answer(body)), { maxBody: 69_999 }, { ends: true })).toThrow(
      failing('E_LIMIT', '69999') as Error,
    )
  })

  test('is not even begun where the bound is known to be too small', () => {
    expect(() => read(one('HTTP/1.1 200 OK\r\nContent-Length: 17000000\r\n\r\n'))).toThrow(failing('E_LIMIT') as Error)
    const chunk = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffff\r\n'
    expect(() => read(one(chunk))).toThrow(failing('E_LIMIT', '16777216') as Error)
  })

  test('where place says, which sees the head and may decline', () => {
    const seen: unknown[] = []
    const place: HttpRequest['place'] = ({ status, headers }) => {
      seen.push(status, headers['content-length'])
      return undefined
    }
    expect(read(one(`${sized('abc')}`), { place }).body).toBe('abc')
    expect(seen).toEqual([200, '3'])
  })

  test('nowhere where there is none: place is not asked', () => {
    const place = () => {
      throw new Error('asked')
    }
    expect(read(one('HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n'), { place }).isDone).toBe(true)
    expect(read(one('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n'), { place, method: 'HEAD' }).isDone).toBe(true)
  })

  test('or does not, where place throws', () => {
    const error = new RangeError('no room')
    const place = () => {
      throw error
    }
    expect(() => read(one(`${sized('abc')}`), { place })).toThrow(ThrownByCaller as unknown as ErrorConstructor)
  })

  test('not in memory that was taken away meanwhile', () => {
    const memory = new Uint8Array(100)
    const reader = new AnswerReader(Buffer.alloc(64))
    reader.begin(get(origin, { place: () => memory }))
    feed(reader, one('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n12'))
    structuredClone(memory, { transfer: [memory.buffer] })
    expect(() => reader.buffer()).toThrow(failing('E_STATE', 'detached') as Error)
  })
})

const token = fc.string({ unit: fc.constantFrom(...'abcXYZ-09'), minLength: 1, maxLength: 12 })
const value = fc.string({ unit: fc.constantFrom(...'abc XYZ:,"=\t\xe9'), maxLength: 20 })
const fields = fc.array(
  fc.tuple(
    token.filter((name) => !/^(content-length|transfer-encoding|connection)$/i.test(name)),
    value,
  ),
  { maxLength: 8 },
)
const body = fc.uint8Array({ maxLength: 400 })

const framed = fc.record({
  fields,
  body,
  framing: fc.constantFrom('sized', 'chunked', 'until-close'),
  interim: fc.integer({ min: 0, max: 2 }),
  chunkAt: fc.array(fc.integer({ min: 1, max: 399 }), { maxLength: 5 }),
  trailers: fields,
})

function written({
  fields,
  body,
  framing,
  interim,
  chunkAt,
  trailers,
}: typeof framed extends fc.Arbitrary<infer T> ? T : never) {
  const lines = (list: [string, string][]) => list.map(([name, text]) => `${name}: ${text}\r\n`).join('')
  const framingField =
    framing === 'sized'
      ? `Content-Length: ${body.length}\r\n`
      : framing === 'chunked'
        ? 'Transfer-Encoding: chunked\r\n'
        : ''
  const head = `${'HTTP/1.1 103 Hints\r\na: b\r\n\r\n'.repeat(interim)}HTTP/1.1 206 Partial\r\n${lines(fields)}${framingField}\r\n`
  const parts: (string | Uint8Array)[] = [head]
  if (framing === 'chunked') {
    for (const chunk of pieces(body, chunkAt))
      if (chunk.length > 0) parts.push(`${chunk.length.toString(16)};x=y\r\n`, chunk, '\r\n')
    parts.push(`0\r\n${lines(trailers)}\r\n`)
  } else {
    parts.push(body)
  }
  return Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : part)))
}

describe('however it is cut', () => {
  test('an answer is the same', () => {
    fc.assert(
      fc.property(
        framed,
        fc.array(fc.nat(), { maxLength: 12 }),
        fc.integer({ min: 1, max: 300 }),
        fc.boolean(),
        (answer, cuts, scratch, isPlaced) => {
          const around = Buffer.alloc(answer.body.length + 8, 0xee)
          const memory = around.subarray(4, 4 + answer.body.length)
          const ends = answer.framing === 'until-close'
          const place = isPlaced ? { place: () => memory } : {}
          const result = read(pieces(written(answer), cuts), place, { ends, scratch })
          expect(result).toEqual({
            status: 206,
            body: textOf(answer.body),
            isDone: true,
            staysOpen: !ends,
            hasSurplus: false,
          })
          if (isPlaced) expect(textOf(around)).toBe(`\xee\xee\xee\xee${textOf(answer.body)}\xee\xee\xee\xee`)
        },
      ),
      { numRuns: 700 },
    )
  })

  test('an answer that is cut byte by byte is the same', () => {
    fc.assert(
      fc.property(framed, (answer) => {
        const bytes = written(answer)
        const ends = answer.framing === 'until-close'
        const singly = pieces(bytes, [...bytes.keys()])
        expect(read(singly, {}, { ends })).toEqual(read([bytes], {}, { ends, scratch: 4096 }))
      }),
      { numRuns: 100 },
    )
  })

  test('anything else ends in a HeadraceError, or waits for more', () => {
    const fragment = fc.constantFrom(
      ...['HTTP/1.1 200 OK\r\n', 'HTTP/1.1 100\r\n\r\n', 'Content-Length: 5\r\n', 'Transfer-Encoding: chunked\r\n'],
      ...['\r\n', '\r\n\r\n', '0\r\n', '5\r\nhello\r\n', 'a: b\r\n', ' ', '\n', '\0', ':', ';', 'ffffffffff\r\n'],
    )
    const noise = fc.oneof(
      fc.uint8Array({ maxLength: 200 }).map(textOf),
      fc
        .array(fc.oneof({ weight: 8, arbitrary: fragment }, fc.string({ maxLength: 3 })), { maxLength: 15 })
        .map((all) => all.join('')),
    )
    fc.assert(
      fc.property(noise, fc.array(fc.nat(), { maxLength: 4 }), fc.boolean(), (text, cuts, isPlaced) => {
        const memory = new Uint8Array(5)
        try {
          read(pieces(Buffer.from(text, 'latin1'), cuts), isPlaced ? { place: () => memory } : {}, { ends: true })
        } catch (error) {
          if (!isHeadraceError(error)) throw error
        }
      }),
      { numRuns: 500 },
    )
  })

  test('an answer with one byte changed ends in a HeadraceError or in another answer', () => {
    fc.assert(
      fc.property(framed, fc.nat(), fc.integer({ min: 0, max: 255 }), (answer, at, byte) => {
        const bytes = written(answer)
        bytes[at % bytes.length] = byte
        try {
          expect(read([bytes], {}, { ends: true }).isDone).toBe(true)
        } catch (error) {
          if (!isHeadraceError(error)) throw error
        }
      }),
      { numRuns: 1000 },
    )
  })
})
