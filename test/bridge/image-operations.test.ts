import { describe, expect, it } from 'vitest'
import { operationsOf } from '../../src/bridge/image-operations.ts'
import {
  centerCrop,
  decode,
  directRandomResizedCrop,
  imagenet,
  normalize,
  preset,
  randomHorizontalFlip,
  randomResizedCrop,
  resizeCenterCrop,
} from '../../src/vision/index.ts'

describe('operations as data', () => {
  it('are those of the functions of their names', () => {
    const data = [
      { op: 'decode', dct: 'ifast', tolerant: true },
      { op: 'randomResizedCrop', size: [160, 224], scale: [0.2, 1], law: 'slipstream' },
      { op: 'directRandomResizedCrop', size: 64, ratio: [1, 1] },
      { op: 'centerCrop', size: 32, ratio: 0.875 },
      { op: 'centerCrop', size: 32 },
      { op: 'resizeCenterCrop', resize: 256, size: 224 },
      { op: 'randomHorizontalFlip', p: 0.25 },
      { op: 'randomHorizontalFlip' },
      { op: 'normalize' },
      { op: 'normalize', mean: [0.5, 0.5, 0.5], std: [0.1, 0.2, 0.3] },
    ]
    const wanted = [
      decode({ dct: 'ifast', tolerant: true }),
      randomResizedCrop([160, 224], { scale: [0.2, 1], law: 'slipstream' }),
      directRandomResizedCrop(64, { ratio: [1, 1] }),
      centerCrop(32, { ratio: 0.875 }),
      centerCrop(32),
      resizeCenterCrop(256, 224),
      randomHorizontalFlip(0.25),
      randomHorizontalFlip(),
      normalize(imagenet),
      normalize([0.5, 0.5, 0.5], [0.1, 0.2, 0.3]),
    ]
    expect(JSON.stringify(operationsOf('image', data))).toBe(JSON.stringify(wanted))
  })

  it('may be a pipeline with a name', () => {
    expect(JSON.stringify(operationsOf('image', 'train'))).toBe(JSON.stringify(preset('train')))
    const small = JSON.stringify(preset('rrc', { size: 64 }))
    expect(JSON.stringify(operationsOf('image', { preset: 'rrc', size: 64 }))).toBe(small)
  })

  it.each([
    [[{ op: 'sharpen' }], 'image: op must be one of decode, randomResizedCrop, '],
    [[{ op: 'toString' }], 'but got "toString"'],
    [['decode'], 'image must hold objects such as {"op":"decode"}, but got "decode"'],
    [[{ op: 'decode', dtc: 'ifast' }], 'decode has no option "dtc"'],
    [[{ op: 'normalize', men: [0, 0, 0] }], 'normalize has no option "men"'],
    [[{ op: 'resizeCenterCrop', resize: 'x', size: 1 }], 'resize must be an integer from 1 to 65500, but got "x"'],
    [[{ op: 'centerCrop', size: -1 }], 'size must be an integer from 1 to 65500, but got -1'],
    ['trian', 'name must be one of "raw", '],
    [{ preset: 'rrc', sise: 1 }, 'preset has no option "sise"'],
    [7, 'image must be a list of operations or the name of a pipeline, but got 7'],
  ])('refuse %j', (data, message) => {
    expect(() => operationsOf('image', data)).toThrow(message)
  })
})
