import fc from 'fast-check'
import { expect, it } from 'vitest'
import { combineCrc32c } from '../src/crc32c.ts'
import { native } from '../src/native.ts'

it('the checksum of two pieces together follows from theirs', () => {
  const text = Buffer.from('123456789')
  // the check value of CRC-32C's catalogue entry
  expect(native.crc32c(text)).toBe(0xe3069283)
  for (let cut = 0; cut <= text.length; cut++) {
    const [a, b] = [text.subarray(0, cut), text.subarray(cut)]
    expect(combineCrc32c(native.crc32c(a), native.crc32c(b), b.length)).toBe(0xe3069283)
  }
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 3000 }), fc.uint8Array({ maxLength: 3000 }), (a, b) => {
      expect(combineCrc32c(native.crc32c(a), native.crc32c(b), b.length)).toBe(native.crc32c(Buffer.concat([a, b])))
    }),
  )
})

it('is that of the definition, whatever the length and wherever it lies in memory', () => {
  const plain = (bytes: Uint8Array): number => {
    let crc = 0xffffffff
    for (const byte of bytes) {
      crc ^= byte
      for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
    }
    return ~crc >>> 0
  }
  const bytes = Uint8Array.from({ length: 10_000 }, (_, i) => (i * i * 31 + (i >> 3)) & 0xff)
  // Three pieces of 1 KiB are summed side by side.
  for (const length of [0, 1, 7, 8, 1023, 3071, 3072, 3073, 3080, 6143, 6144, 9999])
    for (const start of [0, 1]) {
      const some = bytes.subarray(start, start + length)
      expect(native.crc32c(some)).toBe(plain(some))
      expect(native.crc32c(some.subarray(100), native.crc32c(some.subarray(0, 100)))).toBe(plain(some))
    }
})

it('pieces longer than 4 GiB are combined too', () => {
  // zeros double: the checksum of 2^33 of them from that of 2^32, and so on down
  let crc = native.crc32c(Buffer.alloc(1))
  for (let bytes = 1; bytes < 2 ** 34; bytes *= 2) crc = combineCrc32c(crc, crc, bytes)
  // the same 16 GiB in pieces that are no powers of two
  const third = native.crc32c(Buffer.alloc(3_000_000))
  let other = 0
  let length = 0
  for (; length + 3_000_000 <= 2 ** 34; length += 3_000_000) other = combineCrc32c(other, third, 3_000_000)
  const rest = 2 ** 34 - length
  expect(combineCrc32c(other, native.crc32c(Buffer.alloc(rest)), rest)).toBe(crc)
})
