import { expect, it } from 'vitest'
import { memorySource } from '../../src/formats/byte-source.ts'
import { synthetic } from '../../src/formats/synthetic.ts'
import { failing } from '../storage/conformance.ts'
import { recordFormatConformance } from './conformance.ts'
import { contentOf, writeFormat } from './memory-sink.ts'

recordFormatConformance('synthetic', async () => synthetic, {
  dtypes: ['uint8', 'float32'],
  shapes: [[7], [64, 64]],
  samples: [1, 9],
  reads: 'zeros',
  says: 'nothing',
})

it('a synthetic file holds its number in the set', async () => {
  const layout = { samples: 3, shape: [4], dtype: 'uint8', options: {}, index: 12 } as const
  const { bytes } = await writeFormat(synthetic, layout, contentOf([]))
  expect(Buffer.from(bytes).toString()).toBe('12')
  expect(synthetic.fileBytes(layout)).toBe(2)
  await expect(synthetic.open(memorySource('file', bytes))).rejects.toEqual(failing('E_USAGE', 'layout'))
  await expect(synthetic.open(memorySource('file', Buffer.from('12x')), layout)).rejects.toEqual(
    failing('E_CORRUPT', '12x'),
  )
})
