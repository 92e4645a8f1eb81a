import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { childrenOf, childText, escapeXml, isWritable, readXml, scanXml } from '../../../src/storage/remote/xml.ts'
import { failing } from '../conformance.ts'

const refused = (...words: string[]) => failing('E_CORRUPT', 'not the XML', ...words)

describe('readXml', () => {
  test('reads elements, text and children in order', () => {
    const root = readXml(
      '<?xml version="1.0" encoding="UTF-8"?>\n<A xmlns="http://x/">\n <B>one</B><C><D>2</D></C><B/><B>three</B></A>\n',
      'A',
    )
    expect(childrenOf(root, 'B').map(({ text }) => text)).toEqual(['one', '', 'three'])
    expect(childText(root, 'B')).toBe('one')
    expect(childText(root, 'E')).toBeUndefined()
    expect(childrenOf(root, 'C')[0]?.children).toEqual([{ name: 'D', text: '2', children: [] }])
  })

  test('takes bytes, a byte order mark, comments, CDATA, attributes with > and numeric references', () => {
    const text = '\ufeff<!-- <x> --><A a=">" b=\'/>\'><![CDATA[<&lt;]]>&#x1F600;&#10;&amp;lt;é</A><!-- end -->'
    expect(readXml(new TextEncoder().encode(text), 'A').text).toBe('<&lt;\u{1f600}\n&lt;é')
    expect(readXml(text, 'A').text).toBe('<&lt;\u{1f600}\n&lt;é')
  })

  test.each([
    ['', 'ends too early'],
    ['text', 'text outside'],
    ['<A>', 'ends too early'],
    ['<A', 'ends too early'],
    ['<A a=">', 'within a tag'],
    ['<A></B>', 'ends A'],
    ['</A>', 'ends nothing'],
    ['<A></A><A></A>', 'a second document'],
    ['<A/><A/>', 'a second document'],
    ['<A></A>x', 'text outside'],
    ['<!DOCTYPE A [<!ENTITY a "b">]><A>&a;</A>', 'a document type'],
    ['<A><!ENTITY a "b"></A>', 'a document type'],
    ['<A>&a;</A>', 'the reference &a;'],
    ['<A>&constructor;</A>', 'the reference &constructor;'],
    ['<A>&#0;</A>', 'the reference &#0;'],
    ['<A>&#xD800;</A>', 'the reference &#xD800;'],
    ['<A>&#1114112;</A>', 'the reference'],
    ['<A>a & b</A>', 'begins no reference'],
    ['<A>&amp</A>', 'begins no reference'],
    ['<A <B>></A>', '< within a tag'],
    ['<1A></1A>', 'without a name'],
    ['<A,B></A,B>', 'odd name'],
    ['<A><!-- </A>', 'too early'],
    ['<B></B>', 'its root is B, not A'],
    [`${'<A>'.repeat(33)}${'</A>'.repeat(33)}`, 'nested more than 32 deep'],
  ])('refuses %j', (text, reason) => {
    expect(() => readXml(text, 'A')).toThrow(refused(reason) as Error)
  })

  test('refuses more than 64 MiB', () => {
    expect(() => readXml(new Uint8Array(64 * 2 ** 20 + 1), 'A')).toThrow(refused('67108865 bytes') as Error)
  })

  test('gives back any text that was escaped, one element after the other', () => {
    const text = fc.string({ unit: 'binary', maxLength: 20 }).filter(isWritable)
    fc.assert(
      fc.property(fc.array(text, { minLength: 1 }), (texts) => {
        const xml = `<A>${texts.map((each) => `<K>${escapeXml(each)}</K>`).join('\n')}</A>`
        expect(childrenOf(readXml(Buffer.from(xml), 'A'), 'K').map((each) => each.text)).toEqual(texts)
      }),
      { numRuns: 300 },
    )
  })

  test('ends with a document or a refusal for any bytes, in time that grows with them only', () => {
    const piece = fc.constantFrom(
      '<',
      '>',
      '/',
      'A',
      '!',
      '--',
      '?',
      '&',
      ';',
      '"',
      "'",
      ' ',
      '[CDATA[',
      ']]>',
      '#',
      'x',
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => {
        try {
          scanXml(pieces.join(''), { close: () => {} })
        } catch (error) {
          expect(error).toEqual(refused())
        }
      }),
      { numRuns: 2000 },
    )
    const began = performance.now()
    for (const evil of ['<A>&'.padEnd(1e6, 'x'), '<A>'.padEnd(1e6, '<!--'), '<'.repeat(1e6), '<A '.padEnd(1e6, '"')])
      expect(() => readXml(evil, 'A')).toThrow(refused() as Error)
    expect(performance.now() - began).toBeLessThan(2000)
  })
})

test('what XML 1.0 cannot write is known', () => {
  for (const text of ['\x01', 'a\x0bb', '\x1f', '\ufffe', '\uffff', '\0']) expect(isWritable(text)).toBe(false)
  for (const text of ['a\tb', '\r\n', '\x7f', '\u{1f600}', '\ufffd', '\u{10ffff}']) expect(isWritable(text)).toBe(true)
})
