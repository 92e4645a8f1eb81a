import { describe, expect, it } from 'vitest'
import { native } from '../../src/native.ts'

/** Item by item. */
function turned(
  from: Uint8Array,
  fromStride: number,
  to: Uint8Array,
  toStride: number,
  rows: number,
  columns: number,
  item: number,
) {
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++)
      for (let byte = 0; byte < item; byte++)
        to[(column * toStride + row) * item + byte] = from[(row * fromStride + column) * item + byte] ?? 0
}

describe('transposeItems', () => {
  it.each([1, 2, 3, 4, 8, 16])('turns matrices of any size, of items of %d bytes', (item) => {
    for (const rows of [1, 2, 7, 8, 9, 63, 64, 65, 130])
      for (const columns of [1, 3, 4, 5, 8, 11, 64, 71]) {
        const [fromStride, toStride] = [columns + 3, rows + 5]
        // From odd addresses, between bytes that are nobody's.
        const from = Uint8Array.from({ length: 1 + rows * fromStride * item }, (_, i) => (i * 7) & 0xff).subarray(1)
        const [found, expected] = [0, 1].map(() => new Uint8Array(1 + columns * toStride * item).fill(0xee).subarray(1))
        native.transposeItems(from, fromStride, found as Uint8Array, toStride, rows, columns, item)
        turned(from, fromStride, expected as Uint8Array, toStride, rows, columns, item)
        expect(Buffer.compare(found as Uint8Array, expected as Uint8Array), `${rows} x ${columns}`).toBe(0)
      }
  })

  it('takes no more than it needs, and refuses less', () => {
    const from = new Uint8Array(2 * 10 + 4)
    const to = new Uint8Array(3 * 6 + 3)
    native.transposeItems(from, 10, to, 6, 3, 4, 1)
    expect(() => native.transposeItems(from.subarray(1), 10, to, 6, 3, 4, 1)).toThrow('from')
    expect(() => native.transposeItems(from, 10, to.subarray(1), 6, 3, 4, 1)).toThrow('to')
    expect(() => native.transposeItems(from, 3, to, 6, 3, 4, 1)).toThrow('from')
    expect(() => native.transposeItems(from, 10, to, 6, 3, 4, 0)).toThrow('itemBytes')
    expect(() => native.transposeItems(from, 10, to, 6, 2 ** 40, 4, 1)).toThrow('from')
    native.transposeItems(from, 0, to, 0, 0, 4, 1)
  })
})
