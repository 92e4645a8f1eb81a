import { readFile } from 'node:fs/promises'
import { expect, it } from 'vitest'
import { diagnose } from './compile.ts'

const types = await readFile(new URL('batch-types.ts', import.meta.url), 'utf8')

it('the types of a batch follow from dataset and options', () => expect(diagnose(types)).toEqual([]))

it('and the compiler would say so if they did not', () => {
  const wrong = types.replace("toEqualTypeOf<Tensor<'float16'>>", "toEqualTypeOf<Tensor<'float32'>>")
  expect(wrong).not.toBe(types)
  expect(diagnose(wrong).length).toBe(1)
})
