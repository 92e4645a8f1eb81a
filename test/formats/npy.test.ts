import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { HeadraceError } from '../../src/errors.ts'
import { dtypeOfDescr, npyHeader, parseNpyHeader } from '../../src/formats/npy.ts'

const fixture = (name: string): Buffer => readFileSync(new URL(`../fixtures/slipcache/jpeg/${name}`, import.meta.url))
const BLOB_ROW = [
  ['data_ptr', '<u8'],
  ['data_size', '<u8'],
  ['height', '<u4'],
  ['width', '<u4'],
] as const

/** An .npy file of format version 1.0 with this header text and `dataBytes` zeros after it. */
function file(text: string, dataBytes = 0, version = [1, 0]): Buffer {
  const length = version[0] === 1 ? [text.length & 255, text.length >> 8] : [text.length & 255, text.length >> 8, 0, 0]
  return Buffer.concat([
    Buffer.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, ...version, ...length]),
    Buffer.from(text, 'latin1'),
    Buffer.alloc(dataBytes),
  ])
}
const parse = (bytes: Buffer, fileBytes = bytes.length) => parseNpyHeader(bytes, fileBytes, 'a.npy')

describe('an .npy header', () => {
  it.each([
    ['label.npy', '<i8', [24], 8, 128],
    ['weight.npy', '<f8', [24], 8, 128],
    ['name.offsets.npy', '<u8', [24, 2], 8, 128],
    ['image.meta.npy', BLOB_ROW, [24], 24, 192],
  ])(
    'of %s is read as NumPy wrote it, and written byte for byte the same',
    (name, descr, shape, itemBytes, dataOffset) => {
      const bytes = fixture(name)
      const count = shape.reduce((a, b) => a * b, 1)
      expect(parse(bytes)).toEqual({ descr, shape, itemBytes, count, dataOffset })
      expect(Buffer.compare(npyHeader(descr, shape), bytes.subarray(0, dataOffset))).toBe(0)
    },
  )

  it('has the same length for any number of rows, so that room for it can be left', () => {
    for (const [descr, rest] of [
      ['<i8', []],
      [BLOB_ROW, []],
      ['<u8', [2]],
    ] as const) {
      const lengths = [0, 1, 24, 1_281_167, 2 ** 52].map((rows) => npyHeader(descr, [rows, ...rest]).length)
      expect(new Set(lengths).size).toBe(1)
      expect((lengths[0] ?? 1) % 64).toBe(0)
    }
  })

  it('is read in versions 2.0 and 3.0, of a scalar, of one byte items, and as Python 2 wrote it', () => {
    const text = (descr: string, shape: string) => `{'descr': ${descr}, 'fortran_order': False, 'shape': ${shape}, }\n`
    expect(parse(file(text("'<f4'", '(3, 5)'), 60, [2, 0]))).toMatchObject({ descr: '<f4', shape: [3, 5], count: 15 })
    expect(parse(file(text("'|b1'", '(7,)'), 7, [3, 0]))).toMatchObject({ descr: '|b1', itemBytes: 1, count: 7 })
    expect(parse(file(text("'<f8'", '()'), 8))).toMatchObject({ shape: [], count: 1 })
    expect(parse(file(text("'|u1'", '(24L,)'), 24))).toMatchObject({ shape: [24] })
    expect(parse(file(`{"shape": (2,), "descr": "<i2", "fortran_order": True}`, 4))).toMatchObject({ shape: [2] })
  })

  it.each([
    ['E_CORRUPT', 'not an .npy file', Buffer.from('PK\u0003\u0004 something else')],
    ['E_CORRUPT', 'not an .npy file', Buffer.alloc(0)],
    ['E_CORRUPT', 'version 9.0', file('{}', 0, [9, 0])],
    ['E_CORRUPT', 'cut short', fixture('label.npy').subarray(0, 60)],
    [
      'E_CORRUPT',
      'at most 65536',
      Buffer.concat([Buffer.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 2, 0, 255, 255, 255, 255]), Buffer.alloc(100)]),
    ],
    ['E_CORRUPT', 'do not make a file of 319', fixture('label.npy').subarray(0, 319)],
    [
      'E_CORRUPT',
      'do not make a file of',
      file("{'descr': '<i8', 'fortran_order': False, 'shape': (9007199254740991,)}", 8),
    ],
    [
      'E_CORRUPT',
      'do not make a file of',
      file("{'descr': '<i8', 'fortran_order': False, 'shape': (99999999, 99999999, 99999999)}", 8),
    ],
    ['E_CORRUPT', 'axis of -1', file("{'descr': '<i8', 'fortran_order': False, 'shape': (-1,)}", 8)],
    ['E_CORRUPT', 'axis of "a"', file("{'descr': '<i8', 'fortran_order': False, 'shape': ('a',)}", 8)],
    ['E_CORRUPT', 'unknown key "x"', file("{'descr': '<i8', 'fortran_order': False, 'shape': (1,), 'x': 1}", 8)],
    ['E_CORRUPT', 'not a dict', file('(1, 2)', 8)],
    ['E_CORRUPT', 'expected', file("__import__('os').system('true')", 8)],
    ['E_CORRUPT', 'fewer brackets', file(`{'descr': ${'['.repeat(1000)}`)],
    ['E_UNSUPPORTED', 'Fortran', file("{'descr': '<i8', 'fortran_order': True, 'shape': (1, 1)}", 8)],
    ['E_UNSUPPORTED', 'pickled', file("{'descr': '|O', 'fortran_order': False, 'shape': ()}", 8)],
    ['E_UNSUPPORTED', 'big-endian', file("{'descr': '>i8', 'fortran_order': False, 'shape': (1,)}", 8)],
    [
      'E_UNSUPPORTED',
      'record column',
      file("{'descr': [('a', '<i4', (2,))], 'fortran_order': False, 'shape': (1,)}", 8),
    ],
  ])('that is hostile is refused: %s %s', (code, message, bytes) => {
    expect(() => parse(bytes)).toThrow(expect.objectContaining({ code, message: expect.stringContaining(message) }))
  })

  it('never fails in another way, whatever the bytes', () => {
    const good = fixture('image.meta.npy').subarray(0, 192)
    const mutation = fc.array(fc.tuple(fc.nat(191), fc.nat(255)), { maxLength: 6 })
    fc.assert(
      fc.property(mutation, fc.nat(192), (changes, length) => {
        const bytes = Buffer.from(good)
        for (const [at, value] of changes) bytes[at] = value
        try {
          parseNpyHeader(bytes.subarray(0, length), 768, 'a.npy')
        } catch (error) {
          expect(error).toBeInstanceOf(HeadraceError)
        }
      }),
      { numRuns: 2000 },
    )
  })

  it('names no file that it cannot quote', () => {
    expect(() => npyHeader([["a'b", '<i8']], [1])).toThrow('plain ASCII, but got "a\'b"')
  })
})

describe('a dtype string', () => {
  it('is one of ours if it is a plain little-endian number', () => {
    expect(['<i8', '<f8', '|u1', '|b1', '<u4', '<f2'].map(dtypeOfDescr)).toEqual([
      'int64',
      'float64',
      'uint8',
      'bool',
      'uint32',
      'float16',
    ])
    expect(['>i8', '|S8', '<U4', '|O', '|i8', 'i8'].map(dtypeOfDescr)).toEqual(Array(6).fill(undefined))
  })
})
