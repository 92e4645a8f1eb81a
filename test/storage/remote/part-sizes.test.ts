import { describe, expect, test } from 'vitest'
import { partSizes } from '../../../src/storage/remote/part-sizes.ts'
import { failing } from '../conformance.ts'

const MiB = 2 ** 20
const GiB = 2 ** 30
const TiB = 2 ** 40
const S3 = { minPart: 5 * MiB, maxPart: 5 * GiB, maxParts: 10_000, maxObject: 5 * TiB }

describe('the parts of an object', () => {
  test('of known size are equal, and as small as was asked for while that many suffice', () => {
    expect(partSizes('k', 8 * MiB, 1 * GiB, S3)(7)).toBe(8 * MiB)
    expect(partSizes('k', 8 * MiB, 80_000 * MiB, S3)(1)).toBe(8 * MiB)
    expect(partSizes('k', 8 * MiB, 80_000 * MiB + 1, S3)(1)).toBe(9 * MiB)
    const largest = partSizes('k', 8 * MiB, 5 * TiB, S3)(1)
    expect(largest).toBe(525 * MiB)
    expect(largest * 10_000).toBeGreaterThanOrEqual(5 * TiB)
    expect(() => partSizes('k', 8 * MiB, 5 * TiB + 1, S3)).toThrow(failing('E_LIMIT', '5 TiB') as Error)
  })

  test('are never smaller than the protocol takes them, nor larger', () => {
    expect(partSizes('k', 1024, undefined, S3)(1)).toBe(5 * MiB)
    expect(partSizes('k', 6 * GiB, 20 * GiB, S3)(1)).toBe(5 * GiB)
  })

  test.each([5, 8, 16, 100, 525, 1000])(
    'of %i MiB and of unknown size grow so that the largest object fits',
    (mebibytes) => {
      const sizeOf = partSizes('k', mebibytes * MiB, undefined, S3)
      let sum = 0
      let last = 0
      for (let n = 1; n <= 10_000; n++) {
        const size = sizeOf(n)
        expect(size).toBeGreaterThanOrEqual(last)
        last = size
        sum += size
      }
      expect(sum).toBeGreaterThanOrEqual(5 * TiB)
      expect(last).toBeLessThanOrEqual(Math.max(1200, mebibytes) * MiB)
      expect(sizeOf(1000)).toBe(mebibytes * MiB)
    },
  )

  test('of 8 MiB grow late', () => {
    const sizeOf = partSizes('k', 8 * MiB, undefined, S3)
    const sizeAt = (bytes: number) => {
      let n = 1
      for (let sum = 0; sum + sizeOf(n) < bytes; n++) sum += sizeOf(n)
      return sizeOf(n) / MiB
    }
    expect([7.8 * GiB, 10 * GiB, 100 * GiB, TiB, 5 * TiB].map(sizeAt)).toEqual([8, 25, 155, 515, 1155])
  })
})
