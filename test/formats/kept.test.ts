import { describe, expect, it } from 'vitest'
import { forget, keep, touch } from '../../src/formats/kept.ts'
import { npy } from '../../src/formats/numpy/npy.ts'
import { contentOf, countingSource, recordsOf, writeFormat } from './memory-sink.ts'

const MiB = 2 ** 20

describe('what open files keep', () => {
  it('is bounded: the one that was not used for the longest time drops what it has', () => {
    const dropped: string[] = []
    const owners = ['a', 'b', 'c', 'd'].map((name) => ({ name }))
    const [a, b, c, d] = owners as [object, object, object, object]
    for (const owner of owners.slice(0, 3)) keep(owner, 80 * MiB, () => dropped.push(owner.name))
    expect(dropped).toEqual([])
    touch(a)
    keep(d, 80 * MiB, () => dropped.push('d'))
    expect(dropped).toEqual(['b'])
    // In place of its 80 MiB.
    keep(c, 90 * MiB, () => dropped.push('c again'))
    expect(dropped).toEqual(['b'])
    keep(b, 20 * MiB, () => dropped.push('b again'))
    expect(dropped).toEqual(['b', 'a'])
    for (const owner of [b, c, d]) forget(owner)
    keep(a, 256 * MiB, () => dropped.push('a again'))
    forget(a)
    expect(dropped).toEqual(['b', 'a'])
  })

  it('may be more where one file has it all', () => {
    const owner = {}
    keep(owner, 300 * MiB, () => expect.fail('it is in use'))
    forget(owner)
  })

  it('is read again where it was dropped', async () => {
    const layout = { samples: 4, shape: [1000], dtype: 'uint8', options: {} } as const
    const records = recordsOf(layout)
    const source = countingSource((await writeFormat(npy, layout, contentOf(records))).bytes)
    const reader = await npy.open(source)
    const into = new Uint8Array(1000)
    await reader.read(1, into)
    const once = source.bytesRead
    await reader.read(2, into)
    expect(source.bytesRead).toBe(once)
    const large = {}
    keep(large, 256 * MiB, () => {})
    await reader.read(2, into)
    expect(into).toEqual(records[2])
    expect(source.bytesRead).toBe(once + 4000)
    await reader.close()
    forget(large)
  })
})
