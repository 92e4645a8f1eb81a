import { expect, it } from 'vitest'
import { type Preset, preset } from '../../src/vision/index.ts'

it.each(['rcc', '', undefined, 'toString'])('%s is no pipeline', (name) => {
  expect(() => preset(name as Preset)).toThrow(/^name must be one of "raw", .*"train", but got /)
})

it('an option that does not exist is refused', () => {
  expect(() => preset('rrc', { sizes: 3 } as object)).toThrow('preset has no option "sizes"; it has size, ratio, dct')
})
