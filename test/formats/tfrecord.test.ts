import { describe, expect, it } from 'vitest'
import { memorySource } from '../../src/formats/byte-source.ts'
import { exampleAround, parseExample } from '../../src/formats/tfrecord/example.ts'
import { frameHead, frameTail } from '../../src/formats/tfrecord/frame.ts'
import { tfrecord } from '../../src/formats/tfrecord/tfrecord.ts'
import { crc32c } from '../../src/storage/crc.ts'
import { failing } from '../storage/conformance.ts'
import { recordFormatConformance } from './conformance.ts'
import { goldenBytes } from './goldens.ts'
import { contentOf, countingSource, openWritten, recordsOf, writeFormat } from './memory-sink.ts'

recordFormatConformance('tfrecord', async () => tfrecord, {
  dtypes: ['uint8', 'int16'],
  shapes: [[1], [130], [64, 64]],
  samples: [1, 5, 40],
  says: 'bytes',
  flips: 'found',
  large: { samples: 4, shape: [1600, 1600], dtype: 'uint8' },
})

const layout = { samples: 5, shape: [130], dtype: 'int16', options: {} } as const
const written = () => writeFormat(tfrecord, layout, contentOf(recordsOf(layout)))

/** A TFRecord file of any messages. */
function frames(...messages: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(messages.flatMap((each) => [frameHead(each.length), each, frameTail(crc32c(each))]))
}

describe('a TFRecord file', () => {
  it("says DALI's index, a line a record", async () => {
    const { sidecars, bytes } = await written()
    expect(Buffer.from(sidecars[0] ?? []).toString()).toBe('0 314\n314 314\n628 314\n942 314\n1256 314\n')
    expect(bytes.length).toBe(1570)
  })

  it('has masked checksums', () => {
    expect([...frameHead(298)].map((byte) => byte.toString(16).padStart(2, '0')).join('')).toBe(
      '2a01000000000000a85d21ad',
    )
  })

  it('is read where it lies: one read a sample, of its frame', async () => {
    const { bytes } = await written()
    const source = countingSource(bytes)
    const reader = await tfrecord.open(source, layout)
    for (const sample of [4, 0, 2]) await reader.read(sample, new Uint8Array(260))
    expect([source.reads, source.bytesRead]).toEqual([3, 3 * 314])
  })

  it('is found by its index, and without one by walking through it', async () => {
    const { bytes, sidecars } = await written()
    const source = countingSource(bytes)
    const reader = await tfrecord.open(source, undefined, async () => memorySource('index', sidecars[0] ?? bytes))
    expect(reader.samples).toBe(5)
    await reader.read(3, new Uint8Array(260))
    // the head and the payload of the first record, and the third
    expect(source.bytesRead).toBe(2 * 314)
    const walked = await tfrecord.open(memorySource('file', bytes))
    expect([walked.samples, walked.shape, walked.dtype]).toEqual([5, [260], 'uint8'])
  })

  it('with a hundred thousand records is walked through with few places kept', async () => {
    const many = { samples: 100_000, shape: [3], dtype: 'uint8', options: {} } as const
    const { bytes } = await writeFormat(tfrecord, many, {
      fill: (sample, offset, target) => {
        for (let i = 0; i < target.length; i++) target[i] = sample >> (8 * (offset + i))
      },
    })
    const reader = await tfrecord.open(memorySource('file', bytes))
    const into = new Uint8Array(3)
    for (const sample of [0, 1, 65_535, 65_537, 99_999]) {
      await reader.read(sample, into)
      expect((into[0] ?? 0) + (into[1] ?? 0) * 256 + (into[2] ?? 0) * 65_536).toBe(sample)
    }
    expect(reader.samples).toBe(100_000)
  })

  it('may have records of several forms and lengths', async () => {
    const message = (bytes: number, value: number) => {
      const { before, behind } = exampleAround(bytes)
      return Buffer.concat([before, new Uint8Array(bytes).fill(value), behind])
    }
    // the features of MLCommons' DLIO come in the other order
    const other = goldenBytes({ case: 'fork_tfr', file: 'img_0_of_4.tfrecord' }).subarray(12, 12 + 4134)
    const file = frames(message(10, 1), message(10, 2), other, message(300, 4), message(300, 5))
    const reader = await openWritten(tfrecord, { bytes: file, sidecars: [] })
    const into = new Uint8Array(5000)
    const found: number[][] = []
    for (const sample of [0, 1, 2, 3, 4, 0]) found.push([await reader.read(sample, into), into[0] ?? 0])
    expect(found).toEqual([
      [10, 1],
      [10, 2],
      [4096, other[38] ?? 0],
      [300, 4],
      [300, 5],
      [10, 1],
    ])
  })

  it('with a wrong bit names file, sample and place', async () => {
    const { bytes } = await written()
    const damaged = bytes.slice()
    damaged[2 * 314 + 100] = (damaged[2 * 314 + 100] ?? 0) ^ 1
    const reader = await tfrecord.open(memorySource('file', damaged), layout)
    await expect(reader.read(2, new Uint8Array(260))).rejects.toMatchObject({
      code: 'E_CORRUPT',
      message: "file: sample 2: the checksum of a record's bytes is wrong (at byte 628)",
      details: { path: 'file', sample: 2, offset: 628 },
    })
    expect(await reader.read(3, new Uint8Array(260))).toBe(260)
  })

  it('without image says what it has', async () => {
    const text = (name: string) => Buffer.from([0x0a, name.length, ...Buffer.from(name)])
    const entry = Buffer.concat([text('label'), Buffer.from([0x12, 4, 0x1a, 2, 0x08, 7])])
    const features = Buffer.concat([Buffer.from([0x0a, entry.length]), entry])
    const message = Buffer.concat([Buffer.from([0x0a, features.length]), features])
    expect(parseExample(message, 'file', 0)).toEqual([
      { name: 'label', kind: 'int64', count: 1, start: 0, length: 0, from: 15, to: 17 },
    ])
    await expect(openWritten(tfrecord, { bytes: frames(message), sidecars: [] })).rejects.toEqual(
      failing('E_CORRUPT', 'without bytes called image', 'label'),
    )
  })
})
