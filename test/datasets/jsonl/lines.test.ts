import { describe, expect, it } from 'vitest'
import { LineFinder } from '../../../src/datasets/jsonl/index-build.ts'

/** The lines of a text that comes in pieces of `step` bytes. */
function linesOf(text: string, step: number): string[] {
  const bytes = Buffer.from(text)
  const found: string[] = []
  const finder = new LineFinder('a.jsonl', (offset, size) => {
    found.push(bytes.toString('utf8', offset, offset + size))
  })
  for (let at = 0; at < bytes.length; at += step) finder.push(bytes.subarray(at, at + step))
  finder.end()
  return found
}

describe('lines of a text', () => {
  it.each([
    ['{"a":1}\n{"b":2}\n', ['{"a":1}', '{"b":2}']],
    ['{"a":1}\n{"b":2}', ['{"a":1}', '{"b":2}']],
    ['{"a":1}\r\n\r\n  {"b":2} \t\r\n \n\n', ['{"a":1}', '{"b":2}']],
    ['\n\n\n', []],
    ['', []],
    ['  x  y  ', ['x  y']],
    ['"é日本😀"\n1', ['"é日本😀"', '1']],
    ['a\u2028b\nc', ['a\u2028b', 'c']],
  ])('%j are the same however it is cut', (text, lines) => {
    for (const step of [1, 2, 3, 5, 1000]) expect(linesOf(text, step)).toEqual(lines)
  })

  it('do not begin with the mark of a byte order', () => {
    expect(linesOf('\ufeff{"a":1}\n\ufeffb', 100)).toEqual(['{"a":1}', '\ufeffb'])
  })

  it('have an end', () => {
    const finder = new LineFinder('a.jsonl', () => {})
    const piece = Buffer.alloc(2 ** 20, 'x')
    for (let i = 0; i < 64; i++) finder.push(piece)
    expect(() => finder.push(piece)).toThrow(
      expect.objectContaining({ code: 'E_LIMIT', message: 'a.jsonl: a line of more than 67108864 bytes' }),
    )
  })
})
