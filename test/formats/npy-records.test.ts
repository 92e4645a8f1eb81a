import { describe, expect, it } from 'vitest'
import { memorySource } from '../../src/formats/byte-source.ts'
import { npyHeader } from '../../src/formats/npy.ts'
import { npy } from '../../src/formats/numpy/npy.ts'
import { failing } from '../storage/conformance.ts'
import { recordFormatConformance } from './conformance.ts'

recordFormatConformance('npy', async () => npy, {
  dtypes: ['uint8', 'int16', 'uint32', 'float64'],
  shapes: [[1], [5, 3], [64, 64]],
  samples: [1, 2, 40],
  large: { samples: 2, shape: [1200, 1024], dtype: 'float32' },
  readBytes: (_, fileBytes) => fileBytes + 4096,
})

describe('an .npy file of records', () => {
  it('in Fortran order, of objects or without axes is refused', async () => {
    const file = (header: string, data: number) =>
      Buffer.concat([
        Buffer.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, header.length, 0]),
        Buffer.from(header),
        Buffer.alloc(data),
      ])
    const open = (bytes: Uint8Array) => npy.open(memorySource('file', bytes))
    await expect(open(file("{'descr': '<i2', 'fortran_order': True, 'shape': (2, 3)}", 12))).rejects.toEqual(
      failing('E_UNSUPPORTED', 'Fortran'),
    )
    await expect(open(file("{'descr': '<i2', 'fortran_order': False, 'shape': ()}", 2))).rejects.toEqual(
      failing('E_CORRUPT', 'without axes'),
    )
    await expect(open(file("{'descr': '|S4', 'fortran_order': False, 'shape': (3,)}", 12))).rejects.toEqual(
      failing('E_UNSUPPORTED', '|S4'),
    )
  })

  it('with a header longer than the first look is read', async () => {
    const header = Buffer.from(npyHeader('|u1', [2, 2]))
    const long = Buffer.concat([
      header.subarray(0, 8),
      Buffer.from([0x38, 0x13]),
      header.subarray(10, -1),
      Buffer.alloc(0x1338 + 10 - header.length, 32),
      Buffer.from('\n'),
    ])
    const reader = await npy.open(memorySource('file', Buffer.concat([long, Buffer.from([1, 2, 3, 4])])))
    const into = new Uint8Array(2)
    await reader.read(1, into)
    expect([reader.samples, reader.shape, ...into]).toEqual([2, [2], 2, 4])
  })
})
