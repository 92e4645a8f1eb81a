import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Refusal } from '../../src/dev/s3/refusal.ts'
import { childText, parseXml, type XmlElement } from '../../src/dev/s3/xml/read.ts'
import { type XmlNode, xmlDocument } from '../../src/dev/s3/xml/write.ts'

const name = fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_.-]{0,10}$/)
/** Whatever a key may hold; carriage returns too, which are written as references. */
const text = fc.string({ unit: 'binary', maxLength: 40 }).filter((value) => !value.includes('\0'))
const { node } = fc.letrec<{ node: XmlNode }>((tie) => ({
  node: fc.oneof(
    { depthSize: 'small', maxDepth: 4 },
    fc.tuple(name, text),
    fc.tuple(name, fc.array(tie('node'), { maxLength: 4 })),
  ) as fc.Arbitrary<XmlNode>,
}))

function plain([of, content]: XmlNode): XmlElement {
  if (typeof content !== 'object') return { name: of, text: String(content), children: [] }
  return { name: of, text: '', children: content.map(plain) }
}

test('what is written is read back, whatever stands in it', () => {
  fc.assert(
    fc.property(name, fc.array(node, { maxLength: 5 }), (root, children) => {
      expect(parseXml(xmlDocument(root, children))).toEqual(plain([root, children]))
    }),
  )
})

test('documents of clients are read: prefixes, attributes, comments, CDATA, empty elements', () => {
  const root = parseXml(
    '\ufeff<?xml version="1.0"?><!-- a -->\n<s:Delete xmlns:s="http://x/" a=\'1\'>\r\n <s:Object ><Key>a&amp;b&#x26;&#38;<![CDATA[<c>]]></Key></s:Object><Quiet/>\n</s:Delete>\n',
  )
  expect(root.name).toBe('Delete')
  expect(root.children.map((child) => child.name)).toEqual(['Object', 'Quiet'])
  expect(childText(root.children[0] ?? root, 'Key')).toBe('a&b&&<c>')
  expect(childText(root, 'Quiet')).toBe('')
})

test.each([
  ['', 'nothing'],
  ['<a>', 'an element without an end'],
  ['<a></b>', 'another end'],
  ['<a/><b/>', 'two roots'],
  ['x<a/>', 'text beside the root'],
  ['<a>&unknown;</a>', 'an entity that is none'],
  ['<a>&</a>', 'a bare ampersand'],
  ['<a>&#xD800;</a>', 'half a character'],
  ['<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>', 'a document type'],
  [`${'<a>'.repeat(50)}${'</a>'.repeat(50)}`, 'depths'],
  ['<a b=1/>', 'an attribute without quotes'],
])('%j is refused: %s', (document) => {
  expect(() => parseXml(document)).toThrow(Refusal)
})

test('any other text is refused, or read, at once', () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom('<', '>', '/', 'a', ' ', '=', '"', '&', ';', '!', '-', '?', '[', ']')),
      (pieces) => {
        try {
          parseXml(pieces.join(''))
        } catch (error) {
          expect(error).toBeInstanceOf(Refusal)
        }
      },
    ),
  )
  for (const hostile of [
    '<'.repeat(1e5),
    '<a '.repeat(1e5),
    `<a ${'b="c" '.repeat(1e5)}`,
    '<!--'.repeat(1e5),
    '&'.repeat(1e5),
  ])
    expect(() => parseXml(`<r>${hostile}`)).toThrow(Refusal)
})
