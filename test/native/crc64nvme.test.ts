import fc from 'fast-check'
import { expect, test } from 'vitest'
import { native } from '../../src/native.ts'

/** Bit by bit, from the definition: polynomial 0xAD93D23594C93659, reversed. */
function slowly(data: Uint8Array): bigint {
  let crc = 0xffffffffffffffffn
  for (const byte of data) {
    crc ^= BigInt(byte)
    for (let bit = 0; bit < 8; bit++) crc = (crc >> 1n) ^ (crc & 1n ? 0x9a6c9329ac4bc9b5n : 0n)
  }
  return crc ^ 0xffffffffffffffffn
}

test('CRC-64/NVME of the digits is the check value of its catalogue entry', () => {
  expect(native.crc64nvme(Buffer.from('123456789'))).toBe(0xae8b14860a799888n)
  expect(native.crc64nvme(new Uint8Array())).toBe(0n)
})

test('CRC-64/NVME of bytes of any length at any address is what the definition says, in one go or in two', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 700 }), fc.nat(20), fc.nat(700), (bytes, shift, cut) => {
      const data = new Uint8Array(shift + bytes.length).subarray(shift)
      data.set(bytes)
      const whole = slowly(data)
      expect(native.crc64nvme(data)).toBe(whole)
      expect(native.crc64nvme(data.subarray(cut), native.crc64nvme(data.subarray(0, cut)))).toBe(whole)
    }),
    { numRuns: 300 },
  )
  for (let length = 100; length < 300; length++) {
    const data = Uint8Array.from({ length }, (_, i) => (i * 37 + length) & 0xff)
    expect(native.crc64nvme(data)).toBe(slowly(data))
  }
})

test('a start that has more than 64 bits is refused', () => {
  expect(() => native.crc64nvme(new Uint8Array(1), 1n << 64n)).toThrow('initial')
})
