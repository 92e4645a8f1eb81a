import { describe, expect, test } from 'vitest'
import { formatBytes, formatRate, parseSize } from '../src/bytes.ts'

describe('parseSize', () => {
  test.each<[string | number, number]>([
    [1024, 1024],
    [0, 0],
    ['512', 512],
    ['512B', 512],
    ['64KiB', 65536],
    ['64 kib', 65536],
    ['64KB', 64000],
    ['1GB', 1e9],
    ['1GiB', 1073741824],
    ['1.5MiB', 1572864],
    ['2.3GB', 2300000000],
    ['0.3KiB', 307],
    ['2TB', 2e12],
    ['1PiB', 2 ** 50],
  ])('%j is %d bytes', (text, bytes) => {
    expect(parseSize(text)).toBe(bytes)
  })

  test.each(['', 'KiB', '-1', '1.5', '1.5B', '1e3', '64 KiBs', '1,5GB', 'all'])('%j is refused, quoted', (text) => {
    expect(() => parseSize(text, 'ringBytes')).toThrow(
      `ringBytes must be a size such as 512, 64KiB or 1GB, but got ${JSON.stringify(text)}`,
    )
  })

  test('a bare letter is refused with both readings', () => {
    expect(() => parseSize('64K')).toThrow('but got "64K"; write KB (powers of 1000) or KiB (powers of 1024)')
  })

  test('numbers must be whole, and sizes safe integers', () => {
    expect(() => parseSize(-1, 'blockSize')).toThrow('blockSize must be an integer of 0 or more, but got -1')
    expect(() => parseSize(1.5)).toThrow('size must be an integer of 0 or more, but got 1.5')
    expect(() => parseSize('9000000PB')).toThrow('size is too large: "9000000PB"')
  })
})

describe('formatBytes', () => {
  test.each<[number, string]>([
    [0, '0 B'],
    [999, '999 B'],
    [1023, '1023 B'],
    [1024, '1 KiB'],
    [1536, '1.5 KiB'],
    [65536, '64 KiB'],
    [1023 * 1024, '1023 KiB'],
    [1024 * 1024 - 1, '1 MiB'],
    [123456789, '118 MiB'],
    [22_870_000_000, '21.3 GiB'],
    [2 ** 60, '1024 PiB'],
  ])('%d is %s', (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text)
  })
})

test('formatRate says per second', () => {
  expect(formatRate(1.21 * 2 ** 30)).toBe('1.21 GiB/s')
})
