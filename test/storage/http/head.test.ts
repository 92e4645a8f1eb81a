import { describe, expect, test } from 'vitest'
import { bodyLength, CHUNKED, staysOpen, UNTIL_CLOSE } from '../../../src/storage/http/framing.ts'
import { hasToken, keepAliveTimeout, parseHead } from '../../../src/storage/http/head.ts'
import type { Method } from '../../../src/storage/http/types.ts'
import { failing } from '../conformance.ts'

const head = (...lines: string[]) => parseHead(lines.join('\r\n'))
const refusal = (...words: string[]) => failing('E_CORRUPT', ...words) as Error

describe('the head of an answer', () => {
  test('is a status and fields whose names are in lower case', () => {
    const { status, headers, version } = head(
      'HTTP/1.1 206 Partial Content',
      'ETag: "a:b"',
      'x-amz-Meta-a:b',
      'Content-Range: \t bytes 0-1/2 \t',
      'Empty:',
    )
    expect([status, version]).toEqual([206, '1.1'])
    expect(Object.entries(headers)).toEqual([
      ['etag', '"a:b"'],
      ['x-amz-meta-a', 'b'],
      ['content-range', 'bytes 0-1/2'],
      ['empty', ''],
    ])
  })

  test('joins fields that came more than once', () => {
    expect(head('HTTP/1.1 200 OK', 'Via: a', 'Server: s', 'via: b').headers.via).toBe('a, b')
    expect(head('HTTP/1.1 200 OK', 'Content-Length: 5', 'content-length: 5').headers['content-length']).toBe('5')
  })

  test('takes names that objects have already for names', () => {
    const { headers } = head('HTTP/1.1 200 OK', '__proto__: x', 'constructor: y')
    expect(Object.entries(headers)).toEqual([
      ['__proto__', 'x'],
      ['constructor', 'y'],
    ])
    expect(head('HTTP/1.1 200 OK').headers.constructor).toBeUndefined()
  })

  test('needs no reason, and no fields', () => {
    expect(head('HTTP/1.0 404')).toEqual({ status: 404, headers: {}, version: '1.0' })
    expect(head('HTTP/1.1 200 ').status).toBe(200)
    expect(head('HTTP/1.1 200 caf\xe9').status).toBe(200)
  })

  test.each([
    ['HTTP/2 200 OK', 'not HTTP/1'],
    ['HTTP/1.2 200 OK', 'not HTTP/1'],
    ['http/1.1 200 OK', 'not HTTP/1'],
    ['SSH-2.0-OpenSSH', 'SSH-2.0-OpenSSH'],
    ['', 'not HTTP/1'],
    ['HTTP/1.1 20 OK', 'no status'],
    ['HTTP/1.1 2000', 'no status'],
    ['HTTP/1.1 099 low', 'no status'],
    ['HTTP/1.1  200 OK', 'no status'],
  ])('of %j is refused', (line, reason) => {
    expect(() => head(line)).toThrow(refusal(reason))
  })

  test.each([
    ['folded', ['A: b', ' c: d'], 'bad name'],
    ['folded without a colon', ['A: b', '\tcd'], 'no colon'],
    ['with a blank before the colon', ['Content-Length : 5'], 'bad name'],
    ['without a name', [': 5'], 'bad name'],
    ['without a colon', ['Content-Length 5'], 'no colon'],
    ['with a name of other characters', ['Content\xe9: 5'], 'bad name'],
    ['with NUL', ['A: b\0'], 'control character'],
    ['with a bare LF', ['A: b\nContent-Length: 5'], 'bare line end'],
    ['with a bare CR', ['A: b\rContent-Length: 5'], 'bare line end'],
    ['with DEL', ['A: b\x7f'], 'control character'],
    ['of two lengths', ['Content-Length: 5', 'Content-Length: 6'], 'two lengths: content-length "5" and "6"'],
  ])('with a field %s is refused', (_, fields, reason) => {
    expect(() => head('HTTP/1.1 200 OK', ...fields)).toThrow(refusal(reason))
  })

  test('has 256 fields at most', () => {
    const fields = Array.from({ length: 256 }, (_, i) => `x-${i}: ${i}`)
    expect(Object.keys(head('HTTP/1.1 200 OK', ...fields).headers)).toHaveLength(256)
    expect(() => head('HTTP/1.1 200 OK', ...fields, 'one: more')).toThrow(failing('E_LIMIT', '256') as Error)
  })
})

describe('the length of a body', () => {
  const of = (method: Method, status: number, ...fields: string[]) =>
    bodyLength(method, head(`HTTP/1.1 ${status} x`, ...fields))

  test('is what content-length or chunks say, and lasts until the end without either', () => {
    expect(of('GET', 200, 'Content-Length: 007')).toBe(7)
    expect(of('GET', 200, 'Transfer-Encoding: Chunked')).toBe(CHUNKED)
    expect(of('GET', 200)).toBe(UNTIL_CLOSE)
  })

  test('is 0 where there is none, whatever the fields say', () => {
    expect(of('HEAD', 200, 'Content-Length: 7')).toBe(0)
    expect(of('HEAD', 200, 'Transfer-Encoding: chunked')).toBe(0)
    expect(of('GET', 204)).toBe(0)
    expect(of('GET', 304, 'Content-Length: 7')).toBe(0)
    expect(of('PUT', 100)).toBe(0)
  })

  test.each([
    ['both', ['Transfer-Encoding: chunked', 'Content-Length: 5'], 'both'],
    ['codings besides chunked', ['Transfer-Encoding: gzip, chunked'], 'must be "chunked"'],
    ['another coding', ['Transfer-Encoding: identity'], 'must be "chunked"'],
    ['chunked twice', ['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'], 'must be "chunked"'],
    ['a signed length', ['Content-Length: +5'], 'no number: "+5"'],
    ['a negative length', ['Content-Length: -5'], 'no number'],
    ['a hexadecimal length', ['Content-Length: 0x5'], 'no number'],
    ['a list of lengths', ['Content-Length: 5, 5'], 'no number'],
    ['an empty length', ['Content-Length:'], 'no number'],
    ['a length beyond numbers', ['Content-Length: 9999999999999999'], 'no number'],
  ])('given as %s is refused', (_, fields, reason) => {
    for (const method of ['GET', 'HEAD'] as const) expect(() => of(method, 200, ...fields)).toThrow(refusal(reason))
  })

  test('is not chunked in HTTP/1.0', () => {
    const old = head('HTTP/1.0 200 OK', 'Transfer-Encoding: chunked')
    expect(() => bodyLength('GET', old)).toThrow(refusal('HTTP/1.0'))
  })
})

test('a connection stays open unless the answer says otherwise', () => {
  const stays = (line: string, ...fields: string[]) => {
    const answer = head(line, ...fields)
    return staysOpen(answer, bodyLength('GET', answer))
  }
  expect(stays('HTTP/1.1 200 OK', 'Content-Length: 1')).toBe(true)
  expect(stays('HTTP/1.1 200 OK', 'Content-Length: 1', 'Connection: keep-alive')).toBe(true)
  expect(stays('HTTP/1.1 200 OK', 'Content-Length: 1', 'Connection: Close')).toBe(false)
  expect(stays('HTTP/1.1 200 OK', 'Content-Length: 1', 'Connection: x, CLOSE')).toBe(false)
  expect(stays('HTTP/1.1 200 OK')).toBe(false)
  expect(stays('HTTP/1.0 200 OK', 'Content-Length: 1', 'Connection: keep-alive')).toBe(false)
})

test('tokens are told from parts of words', () => {
  expect(hasToken('closed', 'close')).toBe(false)
  expect(hasToken('x,close', 'close')).toBe(true)
})

test('a server says how long it keeps connections', () => {
  expect(keepAliveTimeout({ 'keep-alive': 'timeout=5, max=1000' })).toBe(5000)
  expect(keepAliveTimeout({ 'keep-alive': 'max=5' })).toBeUndefined()
  expect(keepAliveTimeout({})).toBeUndefined()
})
