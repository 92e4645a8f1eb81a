import { crc32 as zlibs } from 'node:zlib'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { native } from '../../src/native.ts'

test('CRC-32 of the digits is the check value of its catalogue entry', () => {
  expect(native.crc32(Buffer.from('123456789'))).toBe(0xcbf43926)
  expect(native.crc32(new Uint8Array())).toBe(0)
})

test("CRC-32 of bytes of any length at any address is zlib's, in one go or in two", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 700 }), fc.nat(20), fc.nat(700), (bytes, shift, cut) => {
      const data = new Uint8Array(shift + bytes.length).subarray(shift)
      data.set(bytes)
      expect(native.crc32(data)).toBe(zlibs(data))
      expect(native.crc32(data.subarray(cut), native.crc32(data.subarray(0, cut)))).toBe(zlibs(data))
    }),
    { numRuns: 300 },
  )
  for (let length = 100; length < 300; length++) {
    const data = Uint8Array.from({ length }, (_, i) => (i * 37 + length) & 0xff)
    expect(native.crc32(data)).toBe(zlibs(data))
  }
  const long = Uint8Array.from({ length: 1_000_003 }, (_, i) => (i * i * 31) & 0xff)
  expect(native.crc32(long)).toBe(zlibs(long))
})

test('a start that has more than 32 bits is refused', () => {
  expect(() => native.crc32(new Uint8Array(1), 2 ** 32)).toThrow('initial')
})
