// biome-ignore-all lint/suspicious/noTemplateCurlyInString: Hydra's interpolations
import { describe, expect, test } from 'vitest'
import { plain } from '../../../../src/benchmark/dlio/config/node.ts'
import { parseOverride } from '../../../../src/benchmark/dlio/config/overrides.ts'
import { failing } from '../../../storage/conformance.ts'

function read(text: string): unknown {
  const { value } = parseOverride(`a=${text}`)
  return value?.kind === 'value' ? plain(value.node) : undefined
}

describe('an override', () => {
  test.each([
    ['workload.train.epochs=2', 'set', ['workload', 'train', 'epochs'], 2],
    ['+workload.train.epochs=2', 'add', ['workload', 'train', 'epochs'], 2],
    ['++workload.train.epochs=2', 'force', ['workload', 'train', 'epochs'], 2],
    ['~workload.train.epochs=2', 'delete', ['workload', 'train', 'epochs'], 2],
    ['workload=mlperf-v2/unet3d_h100', 'set', ['workload'], 'mlperf-v2/unet3d_h100'],
    ['hydra/job_logging=disabled', 'set', ['hydra/job_logging'], 'disabled'],
    ['workload.dataset.record_dims.0=5', 'set', ['workload', 'dataset', 'record_dims', '0'], 5],
  ])('%s', (text, op, path, value) => {
    const parsed = parseOverride(text)
    expect(parsed).toMatchObject({ op, path, text })
    expect(parsed.value?.kind === 'value' && plain(parsed.value.node)).toEqual(value)
  })

  test('~key needs no value', () => {
    expect(parseOverride('~workload.train')).toEqual({
      op: 'delete',
      path: ['workload', 'train'],
      key: 'workload.train',
      value: undefined,
      text: '~workload.train',
    })
  })

  test.each(['workload', '=1', '++=1', 'a b=1', 'workload..x=1', '--flag=1'])('%s is none', (text) => {
    expect(() => parseOverride(text)).toThrow(failing('E_USAGE', text))
  })

  test('secrets do not stand in its text', () => {
    expect(parseOverride('++workload.storage.storage_options.secret_access_key=abc').text).toBe(
      '++workload.storage.storage_options.secret_access_key=***',
    )
    expect(parseOverride('++a={secret_access_key: abc, region: b}').text).toBe(
      '++a={secret_access_key: ***, region: b}',
    )
  })
})

describe('a value', () => {
  test.each([
    ['', ''],
    ['1', 1],
    ['-20', -20],
    ['1_000_000', 1_000_000],
    ['007', '007'],
    ['3.14', 3.14],
    ['.5', 0.5],
    ['5.', 5],
    ['1e-1', 0.1],
    ['-10e3', -10_000],
    ['inf', Infinity],
    ['true', true],
    ['TrUe', true],
    ['False', false],
    ['null', null],
    ['NULL', null],
    ['off', 'off'],
    ['yes', 'yes'],
    ['abc', 'abc'],
    ['a b', 'a b'],
    ['  a  ', 'a'],
    ['/data/x-1.y', '/data/x-1.y'],
    ['s3://bucket/key', 's3://bucket/key'],
    ['1 2', '1 2'],
    ['3/4', '3/4'],
    ['a\\,b', 'a,b'],
    ['a\\ ', 'a '],
    ['\\(x\\)', '(x)'],
    ['C:\\dir', 'C:\\dir'],
    ["'1'", '1'],
    ['"a,b"', 'a,b'],
    ["'it\\'s'", "it's"],
    ['"a\\\\"', 'a\\'],
    ['"a\\nb"', 'a\\nb'],
    ['[]', []],
    ['{}', {}],
    ['[1,2,3]', [1, 2, 3]],
    ['[a, "b c", [1.5, null]]', ['a', 'b c', [1.5, null]]],
    ['{a:1,b:{c:[x]}}', { a: 1, b: { c: ['x'] } }],
    ['{type: gamma, shape: 2, scale: 0.1}', { type: 'gamma', shape: 2, scale: 0.1 }],
    ['{"a b": 1}', { 'a b': 1 }],
    ['${workload.model.name}-x', '${workload.model.name}-x'],
    ['./out/${now:%Y-%m-%d}', './out/${now:%Y-%m-%d}'],
    ['int(3.7)', 3],
    ['float(3)', 3],
    ['str(3)', '3'],
    ['bool(true)', true],
    ['int([1.5,2.5])', [1, 2]],
    ['str(1.0)', '1.0'],
  ])('%s', (text, value) => {
    expect(read(text)).toEqual(value)
  })

  test.each([
    ['[1,2', 'a ] is missing', 'character 7'],
    ['{a:1', 'a } is missing', 'character 7'],
    ['{a}', 'a : is missing behind a key', 'character 5'],
    ['"x', 'the quote " does not end', 'character 5'],
    ['a"b', 'a quote stands in the middle of a text', 'character 4'],
    ['a]', '"]" is not expected here', 'character 4'],
    ['x(1)', 'there is no function x', 'character 4'],
    ['[,]', 'a value is missing', 'character 4'],
    ['${a', 'the interpolation ${ does not end', 'character 3'],
    ['int(a)', '"a" cannot be made int', 'character 9'],
  ])('%s is refused', (text, message, place) => {
    expect(() => read(text)).toThrow(failing('E_USAGE', message, place))
  })

  test('nesting is bounded', () => {
    expect(() => read('['.repeat(5000))).toThrow(failing('E_USAGE', 'nested deeper than 32 levels'))
  })

  test.each(['1,2', 'range(1,5)', 'choice(a,b)', 'a,b,c', 'glob(*)'])(
    '%s is a sweep, and told how to write a list',
    (text) => {
      expect(() => read(text)).toThrow(failing('E_USAGE', 'names several values'))
      try {
        read(text)
      } catch (error) {
        expect((error as { details: { hint: string } }).details.hint).toContain('a list is a=[a,b]')
      }
    },
  )
})
