import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { Columns, columnPieces } from '../../src/formats/columns.ts'

const folder = mkdtempSync(join(tmpdir(), 'headrace-columns-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const offsets = Float64Array.from({ length: 5000 }, (_, i) => i * 2 ** 33)
const pieces = columnPieces(
  { of: 'é', kinds: ['a'] },
  { offsets, sizes: Uint32Array.of(7, 4_294_967_295), text: Buffer.from('häuser'), none: new Float64Array(0) },
)
const path = join(folder, 'index')
writeFileSync(path, Buffer.concat(pieces))

describe.each([
  ['mapped', () => Columns.map(path)],
  ['in memory', () => Columns.inMemory(pieces, 'index')],
])('columns %s', (_, open) => {
  it('give what was put into them, in any order', () => {
    const columns = open()
    expect(columns.about).toEqual({ of: 'é', kinds: ['a'] })
    const numbers = columns.numbers('offsets')
    expect(numbers.length).toBe(5000)
    for (const i of [4999, 0, 511, 512, 513, 0, 2500]) expect(numbers.at(i)).toBe(i * 2 ** 33)
    expect([...columns.all('sizes')]).toEqual([7, 4_294_967_295])
    expect(Buffer.from(columns.bytes('text', 1, 3)).toString()).toBe('ä')
    expect(columns.all('none')).toHaveLength(0)
    columns.close()
    columns.close()
  })
})

it('a file that is cut off, damaged or something else is refused', () => {
  const whole = Buffer.concat(pieces)
  const broken = (bytes: Uint8Array, message: string) => {
    const other = join(folder, 'broken')
    writeFileSync(other, bytes)
    expect(() => Columns.map(other)).toThrow(
      expect.objectContaining({ code: 'E_CORRUPT', message: expect.stringContaining(message) }),
    )
  }
  broken(whole.subarray(0, -64), 'cut off')
  broken(whole.subarray(0, 40), 'cut off')
  broken(Buffer.from('no index at all'), 'no index')
  const flipped = Buffer.from(whole)
  flipped[20] = (flipped[20] ?? 0) ^ 1
  broken(flipped, 'checksum')
})

it('a file that loses its end while it is mapped gives an error, not the end of the process', () => {
  const other = join(folder, 'shrinking')
  writeFileSync(other, Buffer.concat(pieces))
  const columns = Columns.map(other)
  truncateSync(other, 128)
  expect(() => columns.numbers('offsets').at(4999)).toThrow()
  columns.close()
})
