import { describe, expect, test } from 'vitest'
import { parseConfig } from '../../../../src/benchmark/dlio/config/document.ts'
import { dumpYaml, pythonFloat } from '../../../../src/benchmark/dlio/config/dump.ts'
import { nodeAt, plainTree } from '../../../../src/benchmark/dlio/config/node.ts'
import { failing } from '../../../storage/conformance.ts'

function read(text: string): unknown {
  return plainTree(parseConfig(text, 'f.yaml'))
}

describe('YAML is read as PyYAML and OmegaConf read it', () => {
  test.each([
    ['off', false],
    ['Off', false],
    ['no', false],
    ['on', true],
    ['yes', true],
    ['True', true],
    ['y', 'y'],
    ['n', 'n'],
    ['~', null],
    ['', null],
    ['null', null],
    ['010', 8],
    ['08', '08'],
    ['0x1F', 31],
    ['0b101', 5],
    ['0o17', '0o17'],
    ['1_000', 1000],
    ['1:30', 90],
    ['-1', -1],
    ['1.00', 1],
    ['1e3', 1000],
    ['1e-3', 0.001],
    ['.5', 0.5],
    ['5.', 5],
    ['.inf', Infinity],
    ['-.inf', -Infinity],
    ['.', '.'],
    ['1.2.3', '1.2.3'],
    ['2001-01-01', '2001-01-01'],
    ['"off"', 'off'],
    ["'1'", '1'],
    ['!!str 1', '1'],
    ['!!float 1', 1],
    ['!!int "3"', 3],
    ['|\n  a\n  b\n', 'a\nb\n'],
  ])('%s', (text, value) => {
    expect(read(`a: ${text}`)).toEqual({ a: value })
  })

  test('anchors and << are followed; the own key wins', () => {
    expect(read('base: &b {x: 1, y: 2}\nother: &o {y: 3, z: 4}\nthis:\n  <<: [*b, *o]\n  x: 9\n')).toEqual({
      base: { x: 1, y: 2 },
      other: { y: 3, z: 4 },
      this: { x: 9, y: 2, z: 4 },
    })
  })

  test('JSON is YAML', () => {
    expect(read('{"a": {"b": [1, 2.5, "x\\u00e9", null, true]}}')).toEqual({ a: { b: [1, 2.5, 'xé', null, true] } })
  })

  test('an empty file is an empty config', () => {
    expect(read('')).toEqual({})
    expect(read('# nothing\n')).toEqual({})
  })

  test('every value and key knows where it stands', () => {
    const root = parseConfig('a:\n  b: [1, x]\n  c:\n', 'f.yaml')
    expect(nodeAt(root, ['a', 'b', '1'])?.place).toEqual({ file: 'f.yaml', line: 2, column: 10 })
    expect(nodeAt(root, ['a', 'c'])?.named).toEqual({ file: 'f.yaml', line: 3, column: 3 })
  })

  test('__proto__ is a key like others', () => {
    const tree = plainTree(parseConfig('__proto__: {x: 1}\n', 'f.yaml'))
    expect(Object.keys(tree)).toEqual(['__proto__'])
    expect(({} as Record<string, unknown>).x).toBeUndefined()
  })
})

describe('what is not YAML is refused with its place', () => {
  test.each([
    ['a: 1\n\tb: 2\n', 'f.yaml:2:1', 'a tab cannot indent YAML'],
    ['a: 1\na: 2\n', 'f.yaml:2:1', 'this key is there twice'],
    ['a: [1, 2\n', 'f.yaml:2:1', ''],
    ['a: "x\n', 'f.yaml:', 'something is missing'],
    ['a: 1\n---\nb: 2\n', 'f.yaml:', 'more than one YAML document'],
    ['- a\n', 'f.yaml:1:1', 'a config is a map of keys, but this is a list'],
    ['text', 'f.yaml:1:1', 'but this is one value'],
    ['a: *x\n', 'f.yaml:1:4', ''],
    ['a: !!python/object:os.system x\n', 'f.yaml:1:', 'cannot be read here'],
    ['? [a]\n: 1\n', 'f.yaml:1:3', 'a key must be one word or number'],
    ['a: 1\n  b: 2\n', 'f.yaml:1:4', 'a value cannot have keys as well'],
  ])('%j', (text, place, message) => {
    expect(() => read(text)).toThrow(failing('E_CONFIG', place, message))
  })

  test('aliases of aliases do not fill the memory', () => {
    const lines = Array.from({ length: 30 }, (_, i) => `a${i + 1}: &a${i + 1} [${Array(10).fill(`*a${i}`).join(', ')}]`)
    expect(() => read(`a0: &a0 [x]\n${lines.join('\n')}\n`)).toThrow(failing('E_CONFIG', 'more than 1000000 values'))
  })

  test('depth is bounded', () => {
    expect(() => read(`a: ${'['.repeat(200)}${']'.repeat(200)}`)).toThrow(
      failing('E_CONFIG', 'nested deeper than 64 levels'),
    )
  })
})

describe('YAML is written as PyYAML writes it', () => {
  test.each([
    [1, '1.0'],
    [0.968, '0.968'],
    [0.0035, '0.0035'],
    [0.00001, '1.0e-05'],
    [1.5e-7, '1.5e-07'],
    [1e16, '1.0e+16'],
    [123456789.25, '123456789.25'],
    [114660.07, '114660.07'],
    [0.0001, '0.0001'],
    [-2.5, '-2.5'],
    [Infinity, '.inf'],
  ])('the float %d as %s', (value, text) => {
    expect(pythonFloat(value)).toBe(text)
  })

  test('what comes in goes out, floats as floats, texts quoted where they must be', () => {
    const text = [
      'workload:',
      '  model:',
      '    name: unet3d',
      "    'off': 'off'",
      "    digits: '12'",
      "    colon: 'a: b'",
      '    url: s3://bucket/a-b',
      "    empty: ''",
      '  train:',
      '    computation_time: 1.0',
      '    epochs: 5',
      '  list:',
      '  - 1',
      '  - a: 1',
      '    b:',
      '    - x',
      '  none: null',
      '  nothing: []',
      '  emptymap: {}',
      "  'yes': true",
      '',
    ].join('\n')
    const root = parseConfig(text, 'f.yaml')
    expect(dumpYaml(root)).toBe(text)
  })

  test('what was written is read as the same', () => {
    const values = {
      a: 'x\ny',
      b: '# c',
      c: "it's",
      d: '2001-01-01',
      e: '1e3',
      f: ' lead',
      g: '-',
      h: 'null',
      i: '\u0001',
      j: 1.5,
      k: '=',
      l: 'é',
    }
    const lines = Object.entries(values).map(([key, value]) => `${key}: ${JSON.stringify(value)}`)
    const root = parseConfig(lines.join('\n'), 'f.yaml')
    expect(plainTree(parseConfig(dumpYaml(root), 'f.yaml'))).toEqual(values)
  })
})
