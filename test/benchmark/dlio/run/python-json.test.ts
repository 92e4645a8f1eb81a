import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  Float,
  fixed,
  floatText,
  type PythonValue,
  pythonJson,
} from '../../../../src/benchmark/dlio/run/python-json.ts'

test.each([
  [0, '0.0'],
  [-0, '-0.0'],
  [1, '1.0'],
  [100, '100.0'],
  [0.1, '0.1'],
  [0.0001, '0.0001'],
  [0.00012345, '0.00012345'],
  [0.00001, '1e-05'],
  [6.103515625e-5, '6.103515625e-05'],
  [9.5367431640625e-6, '9.5367431640625e-06'],
  [1.4901161193847656e-8, '1.4901161193847656e-08'],
  [1e-7, '1e-07'],
  [123456789012345680, '1.2345678901234568e+17'],
  [1e15, '1000000000000000.0'],
  [1e16, '1e+16'],
  [1.5e300, '1.5e+300'],
  [-15406.075298438935, '-15406.075298438935'],
  [Number.NaN, 'NaN'],
  [Number.NEGATIVE_INFINITY, '-Infinity'],
])('%d is written as Python does: %s', (value, text) => {
  expect(floatText(value)).toBe(text)
})

test('every float is read back as it was', () => {
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
      const text = floatText(value)
      expect(Number(text)).toBe(value)
      expect(text).toMatch(/[.e]/)
    }),
    { numRuns: 2000 },
  )
})

test.each([
  [0.125, 2, '0.12'],
  [0.375, 2, '0.38'],
  [2.5, 0, '2'],
  [-0.125, 2, '-0.12'],
  [2.675, 2, '2.67'],
  [1.005, 2, '1.00'],
  [0.57, 2, '0.57'],
  [Number.NaN, 4, 'nan'],
])('%d with %d digits is %s', (value, digits, text) => {
  expect(fixed(value, digits)).toBe(text)
})

test('documents are indented by four, maps keep their order, and empty ones stay on their line', () => {
  const document = new Map<string, PythonValue>([
    ['b', [1, new Float(1), 'ä"\n', true, null]],
    ['1', new Map([['x', Float64Array.of(0.5, 1)]])],
    ['none', new Map()],
    ['nothing', []],
    ['empty', new Float64Array(0)],
  ])
  expect([...pythonJson(document)].join('')).toBe(`{
    "b": [
        1,
        1.0,
        "\\u00e4\\"\\n",
        true,
        null
    ],
    "1": {
        "x": [
            0.5,
            1.0
        ]
    },
    "none": {},
    "nothing": [],
    "empty": []
}`)
})

test('a long list comes in pieces', () => {
  const pieces = [...pythonJson(new Float64Array(5000))]
  expect(pieces.length).toBeGreaterThan(4)
  expect(JSON.parse(pieces.join(''))).toHaveLength(5000)
})
