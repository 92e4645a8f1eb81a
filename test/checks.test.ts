import { expect, it } from 'vitest'
import { finiteNumber, nonNegativeInteger, positiveInteger, show } from '../src/checks.ts'

it('a refusal names the bounds that the value is outside of', () => {
  const refusal = (run: () => unknown) => {
    try {
      return run()
    } catch (error) {
      return (error as Error).message
    }
  }
  expect(refusal(() => positiveInteger('n', 0))).toBe('n must be a positive integer, but got 0')
  expect(refusal(() => positiveInteger('n', 2 ** 53))).toBe(
    'n must be an integer from 1 to 9007199254740991, but got 9007199254740992',
  )
  expect(refusal(() => nonNegativeInteger('n', 2 ** 32, 2 ** 32 - 1))).toBe(
    'n must be an integer from 0 to 4294967295, but got 4294967296',
  )
  expect(refusal(() => finiteNumber('ratio', 0, Number.MIN_VALUE, 1))).toBe(
    'ratio must be a number above 0, up to 1, but got 0',
  )
})

it('values are shown as people would write or call them', () => {
  const named = function named() {}
  expect([named, new Map(), Promise.resolve(), { a: 1 }, [1], 'a', 1n, null].map(show)).toEqual([
    'function named',
    'Map',
    'Promise',
    '{"a":1}',
    '[1]',
    '"a"',
    '1n',
    'null',
  ])
})
