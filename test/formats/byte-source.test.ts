import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type OpenSource, openFileSource, openObjectSource } from '../../src/formats/byte-source.ts'
import { MemoryStore } from '../../src/storage/memory.ts'
import { failing } from '../storage/conformance.ts'

const bytes = Uint8Array.from({ length: 200_000 }, (_, i) => (i * 7) & 0xff)

let folder: string
let path: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'headrace-source-'))
  path = join(folder, 'file')
  await writeFile(path, bytes)
})
afterEach(() => rm(folder, { recursive: true }))

const kinds: Readonly<Record<string, () => Promise<OpenSource>>> = {
  'a file': () => openFileSource(path),
  'a file, waiting': () => openFileSource(path, { blocking: true }),
  'an object': async () => {
    const store = new MemoryStore('sources')
    await store.put('file', bytes)
    return openObjectSource(store, 'file', path)
  },
}

describe.each(Object.keys(kinds))('%s as a source', (kind) => {
  let source: OpenSource
  beforeEach(async () => {
    source = await (kinds[kind] ?? (() => openFileSource(path)))()
    return () => source.close()
  })

  it('gives any range, in memory of its own or of the caller', async () => {
    expect([source.name, source.size]).toEqual([path, 200_000])
    for (const [offset, length] of [
      [0, 10],
      [65_530, 20],
      [199_990, 10],
      [0, 200_000],
      [200_000, 0],
    ] as const) {
      expect(Buffer.compare(await source.read(offset, length), bytes.subarray(offset, offset + length))).toBe(0)
      const into = new Uint8Array(length + 5).fill(9)
      const found = await source.read(offset, length, into)
      expect([found.buffer === into.buffer, found.length, [...into.subarray(length)]]).toEqual([
        true,
        length,
        [9, 9, 9, 9, 9],
      ])
      expect(Buffer.compare(found, bytes.subarray(offset, offset + length))).toBe(0)
    }
  })

  it('refuses what lies beyond its end', async () => {
    await expect(source.read(199_999, 2)).rejects.toEqual(failing('E_CORRUPT', path, '200000', 'byte 199999'))
    await expect(source.read(-1, 2)).rejects.toEqual(failing('E_CORRUPT', path))
    await expect(source.read(Number.NaN, 2)).rejects.toEqual(failing('E_CORRUPT', path))
    await expect(source.read(0, 3, new Uint8Array(2))).rejects.toEqual(failing('E_LIMIT', path, '3', '2'))
  })
})

describe('a file as a source', () => {
  it('fills several parts with one read', async () => {
    for (const blocking of [false, true]) {
      const source = await openFileSource(path, { blocking })
      const parts = [new Uint8Array(3), new Uint8Array(0), new Uint8Array(70_000), new Uint8Array(2)]
      await source.readParts?.(100, parts)
      expect(Buffer.concat(parts).equals(bytes.subarray(100, 100 + 70_005))).toBe(true)
      await expect(source.readParts?.(199_998, parts)).rejects.toEqual(failing('E_CORRUPT', path))
      source.close()
    }
  })

  it('that became shorter is E_CORRUPT where it ends now', async () => {
    for (const blocking of [false, true]) {
      await writeFile(path, bytes)
      const source = await openFileSource(path, { blocking })
      await writeFile(path, bytes.subarray(0, 1000))
      await expect(source.read(990, 20)).rejects.toEqual(failing('E_CORRUPT', path, '1000', 'byte 990'))
      await expect(source.readParts?.(995, [new Uint8Array(10), new Uint8Array(10)])).rejects.toEqual(
        failing('E_CORRUPT', path),
      )
      source.close()
    }
  })

  it('that is none, or is closed, says so', async () => {
    for (const blocking of [false, true]) {
      await expect(openFileSource(`${path}.no`, { blocking })).rejects.toEqual(failing('E_NOT_FOUND', `${path}.no`))
      await expect(openFileSource(folder, { blocking })).rejects.toEqual(failing('E_UNSUPPORTED', folder, 'regular'))
      const source = await openFileSource(path, { blocking })
      source.close()
      source.close()
      await expect(source.read(0, 1)).rejects.toEqual(failing('E_STATE', path, 'closed'))
    }
  })
})

describe('an object as a source', () => {
  it('comes with one request while its first 64 KiB are enough, and nothing is asked for twice', async () => {
    const store = new MemoryStore('sources')
    await store.put('file', bytes)
    const ranges: unknown[] = []
    const get = store.get.bind(store)
    store.get = (key, options) => {
      ranges.push(options?.range)
      return get(key, options)
    }
    const source = await openObjectSource(store, 'file')
    await source.read(0, 65_536)
    await source.read(65_000, 1000)
    expect(ranges).toEqual([
      { offset: 0, length: 65_536 },
      { offset: 65_536, length: 464 },
    ])
  })

  it('that is replaced while it is read is E_STATE, one that is not there E_NOT_FOUND', async () => {
    const store = new MemoryStore('sources')
    await store.put('a/b', bytes)
    const source = await openObjectSource(store, 'a/b')
    expect(source.name).toBe('mem://sources/a/b')
    await store.put('a/b', bytes.slice().fill(1))
    await expect(source.read(100_000, 10)).rejects.toEqual(failing('E_STATE', 'a/b'))
    await expect(openObjectSource(store, 'a/c')).rejects.toEqual(failing('E_NOT_FOUND', 'mem://sources/a/c'))
  })
})
