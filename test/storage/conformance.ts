import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { isHeadraceError } from '../../src/errors.ts'
import { compareKeys } from '../../src/storage/keys.ts'
import type { ListEntry, ListOptions, ObjectInfo, Store } from '../../src/storage/types.ts'

const utf8 = new TextEncoder()

export function bytesOf(text: string): Uint8Array {
  return utf8.encode(text)
}

export async function textAt(store: Store, key: string): Promise<string | undefined> {
  const body = await store.get(key)
  return body && new TextDecoder().decode(body.data)
}

/** What a listing says: keys, and prefixes. */
export async function listed(store: Store, prefix = '', options?: ListOptions): Promise<string[]> {
  const names: string[] = []
  for await (const entry of store.list(prefix, options)) names.push(nameOf(entry))
  return names
}

function nameOf(entry: ListEntry): string {
  return entry.kind === 'object' ? entry.key : entry.prefix
}

export function failing(code: Parameters<typeof isHeadraceError>[1], ...words: string[]): unknown {
  return expect.toSatisfy(
    (error) => isHeadraceError(error, code) && words.every((word) => error.message.includes(word)),
    `${code} that says ${words.join(' and ')}`,
  )
}

function byUtf8(a: string, b: string): number {
  return Buffer.compare(utf8.encode(a), utf8.encode(b))
}

/** What `list` must say, the slow way. */
function expectedListing(keys: Iterable<string>, prefix: string, options: ListOptions = {}): string[] {
  const { delimiter, startAfter = '' } = options
  const names = [...keys]
    .filter((key) => key.startsWith(prefix) && byUtf8(key, startAfter) > 0)
    .map((key) => {
      const cut = delimiter === undefined ? -1 : key.indexOf(delimiter, prefix.length)
      return cut < 0 ? key : key.slice(0, cut + 1)
    })
  return [...new Set(names)].sort(byUtf8)
}

const ODD_KEYS = [
  'a',
  'a-b',
  'a.b',
  'a0',
  'ab',
  'd/a',
  'd-/a',
  'd./a',
  'd.txt',
  'd0',
  'd/a-b',
  'd/e/f',
  'd/e-/f',
  'd/e.f',
  'dir with space/x y',
  'x?y=1',
  'x#y',
  'x%41y',
  'xAy',
  'x+y',
  '...',
  '.hidden',
  'tab\there',
  'line\nbreak',
  'quote"s',
  "apo'strophe",
  'back\\slash',
  'star*',
  'ä',
  'a\u0308',
  'Ä/é',
  '日本/語',
  '\ue000',
  '\uffee',
  '\u{1f600}',
  '\u{1f600}x/\u{10ffff}',
  '~',
  '-',
  '--help',
  'CON',
  'z'.repeat(200),
]

/** Where protocols differ from each other. What stands first holds if nothing is said. */
export interface StoreTraits {
  /** Keys are relative paths, or any text. */
  readonly keys?: 'paths' | 'any'
  /** An etag is that of a version, or follows from the bytes. */
  readonly etags?: 'versions' | 'contents'
  /** A listing says all that `head` says, or only what it is about. */
  readonly listing?: 'full' | 'brief'
  /** What random keys are made of. */
  readonly letters?: readonly string[]
  /** Milliseconds between the times that answers of different kinds say of one object. */
  readonly timeError?: number
  /** Of the odd keys, those that the protocol cannot keep. */
  readonly without?: readonly string[]
  /** Sets of keys that are tried, each in a store of its own; 40. */
  readonly keySets?: number
}

const LETTERS = ['a', 'b', '-', '.', '0', 'é', '\u{1f600}', '\uff21']

const NO_PATHS = ['/a', 'a/', 'a//b', '.', '..', '../a', 'a/../b', 'a/./b', 'a/..']

/**
 * What every store keeps to. `makeStore` gives an empty store each time; `cleanUp` takes it away.
 */
export function storeConformance(
  name: string,
  makeStore: () => Promise<Store>,
  cleanUp: () => Promise<void>,
  traits: StoreTraits = {},
): void {
  const {
    keys: keyRules = 'paths',
    etags: etagRules = 'versions',
    listing = 'full',
    letters = LETTERS,
    timeError = 0,
    without = [],
    keySets = 40,
  } = traits
  const ODD = ODD_KEYS.filter((key) => !without.includes(key))

  /** Two answers about one object. A checksum and a storage class stand only in some. */
  const expectSame = (one: ObjectInfo | undefined, other: ObjectInfo | undefined) => {
    const { checksum: _, storageClass: __, modified = Number.NaN, ...plain } = one ?? {}
    const { checksum: ___, storageClass: ____, modified: otherwise = Number.NaN, ...plainly } = other ?? {}
    expect(plain).toEqual(plainly)
    expect(Math.abs(modified - otherwise)).toBeLessThanOrEqual(timeError)
  }

  describe(`${name} keeps the contract of stores`, () => {
    let store: Store
    beforeEach(async () => {
      store = await makeStore()
    })
    afterEach(async () => {
      await store.close()
      await cleanUp()
    })

    const fill = async (keys: Iterable<string>) => {
      for (const key of keys) await store.put(key, bytesOf(`at ${key}`))
    }

    describe('put, head and get', () => {
      test('what was put comes back, with its size, time and etag', async () => {
        const before = Date.now()
        const put = await store.put('a/b.bin', Uint8Array.of(1, 2, 3))
        expect(put).toMatchObject({ key: 'a/b.bin', size: 3 })
        expect(Number.isInteger(put.modified)).toBe(true)
        expect(Math.abs(put.modified - before)).toBeLessThan(60_000)
        expect(put.etag).not.toBe('')
        expectSame(await store.head('a/b.bin'), put)
        const body = await store.get('a/b.bin')
        expectSame(body?.info, put)
        expect(body?.data).toEqual(Uint8Array.of(1, 2, 3))
      })

      test('an object may have no bytes', async () => {
        expect((await store.put('empty', new Uint8Array())).size).toBe(0)
        expect((await store.get('empty'))?.data).toEqual(new Uint8Array())
        expect((await store.get('empty', { range: { offset: 0, length: 5 } }))?.data).toEqual(new Uint8Array())
      })

      test('what is not there is undefined, also where only a longer or a shorter key is', async () => {
        await fill(['a/b'])
        for (const key of ['nothing', 'a', 'a/b/c', 'a/c']) {
          expect(await store.head(key)).toBeUndefined()
          expect(await store.get(key)).toBeUndefined()
          expect(await store.get(key, { range: { offset: 3, length: 4 } })).toBeUndefined()
        }
      })

      test('the bytes are copied: neither side sees the other change them', async () => {
        const body = Uint8Array.of(1, 2, 3)
        await store.put('k', body)
        body[0] = 9
        const read = await store.get('k')
        if (read) read.data[1] = 9
        expect((await store.get('k'))?.data).toEqual(Uint8Array.of(1, 2, 3))
      })

      test('a put replaces what was there, and its etag changes as the bytes do', async () => {
        const etags = new Set<string>()
        for (let version = 0; version < 50; version++)
          etags.add((await store.put('k', bytesOf(`${version % 10}`))).etag)
        expect(etags.size).toBe(etagRules === 'versions' ? 50 : 10)
        expect(await textAt(store, 'k')).toBe('9')
      })

      test('keys are literal', async () => {
        await fill(ODD)
        for (const key of ODD) expect(await textAt(store, key)).toBe(`at ${key}`)
      })

      test.each(['', 'nul\0', 'half \ud800', ...(keyRules === 'paths' ? NO_PATHS : [])])(
        '%j is no key',
        async (key) => {
          const refusal = failing('E_USAGE', JSON.stringify(key))
          await expect(store.head(key)).rejects.toEqual(refusal)
          await expect(store.get(key)).rejects.toEqual(refusal)
          await expect(store.put(key, bytesOf('x'))).rejects.toEqual(refusal)
          expect(() => store.writer(key)).toThrow(refusal as Error)
          for await (const result of store.delete([key])) expect(result.error).toEqual(refusal)
          expect(await listed(store)).toEqual([])
        },
      )
    })

    describe('ranges', () => {
      const get = async (range: { offset: number; length?: number }) => {
        const body = await store.get('k', { range })
        return body && Buffer.from(body.data).toString()
      }
      beforeEach(() => store.put('k', bytesOf('0123456789')))

      test('from the middle, to the end, and cut at the end', async () => {
        expect(await get({ offset: 2, length: 3 })).toBe('234')
        expect(await get({ offset: 7 })).toBe('789')
        expect(await get({ offset: 7, length: 100 })).toBe('789')
        expect(await get({ offset: 0, length: 10 })).toBe('0123456789')
        expect(await get({ offset: 4, length: 0 })).toBe('')
      })

      test('at the end is empty, past it is E_USAGE', async () => {
        expect(await get({ offset: 10 })).toBe('')
        expect(await get({ offset: 10, length: 4 })).toBe('')
        await expect(get({ offset: 11 })).rejects.toEqual(
          failing('E_USAGE', 'range.offset must be at most 10', 'got 11'),
        )
        await expect(get({ offset: 11, length: 1 })).rejects.toEqual(failing('E_USAGE', 'got 11'))
      })

      test.each([{ offset: -1 }, { offset: 1.5 }, { offset: 0, length: -1 }, { offset: 0, length: Number.NaN }])(
        '%j is refused',
        async (range) => {
          await expect(get(range)).rejects.toEqual(failing('E_USAGE', 'must be an integer of 0 or more'))
        },
      )

      test('the info is that of the whole object', async () => {
        expectSame((await store.get('k', { range: { offset: 2, length: 3 } }))?.info, await store.head('k'))
      })

      test('any range of any object is the slice of its bytes', async () => {
        const body = Uint8Array.from({ length: 5000 }, (_, i) => (i * 31) & 0xff)
        await store.put('big', body)
        await fc.assert(
          fc.asyncProperty(
            fc.nat(5000),
            fc.option(fc.nat(6000), { nil: undefined }),
            fc.boolean(),
            async (offset, length, reuse) => {
              const range = length === undefined ? { offset } : { offset, length }
              const expected = body.subarray(offset, length === undefined ? undefined : offset + length)
              const read = await store.get('big', reuse ? { range, into: new Uint8Array(expected.length) } : { range })
              expect(read?.data).toEqual(Uint8Array.from(expected))
            },
          ),
          { numRuns: 100 },
        )
      })
    })

    describe('into', () => {
      const memory = new Uint8Array(32)
      beforeEach(async () => {
        memory.fill(0xee)
        await store.put('k', bytesOf('0123456789'))
      })

      test('the data is a view of the caller’s memory, and nothing beyond it is touched', async () => {
        for (const range of [undefined, { offset: 0, length: 10 }, { offset: 0, length: 12 }]) {
          memory.fill(0xee)
          const into = memory.subarray(4, 4 + 16)
          const body = await store.get('k', range ? { into, range } : { into })
          expect(body?.data.buffer).toBe(memory.buffer)
          expect([body?.data.byteOffset, body?.data.length]).toEqual([4, 10])
          expect(Buffer.from(memory.subarray(4, 14)).toString()).toBe('0123456789')
          expect([...memory.subarray(0, 4), ...memory.subarray(14)]).toEqual(Array(22).fill(0xee))
        }
      })

      test('too small is E_LIMIT that says by how much', async () => {
        await expect(store.get('k', { into: memory.subarray(0, 9) })).rejects.toEqual(
          failing('E_LIMIT', '10 bytes', 'has 9'),
        )
        await expect(store.get('k', { into: memory.subarray(0, 2), range: { offset: 1, length: 3 } })).rejects.toEqual(
          failing('E_LIMIT', '3 bytes', 'has 2'),
        )
        expect([...memory]).toEqual(Array(32).fill(0xee))
      })

      test('just large enough for what a cut range gives will do', async () => {
        const body = await store.get('k', { into: memory.subarray(0, 3), range: { offset: 7, length: 100 } })
        expect(body && Buffer.from(body.data).toString()).toBe('789')
      })
    })

    describe('conditions', () => {
      test('ifMatch reads only the version that is meant', async () => {
        const { etag } = await store.put('k', bytesOf('one'))
        expect((await store.get('k', { ifMatch: etag }))?.data).toEqual(bytesOf('one'))
        await store.put('k', bytesOf('two'))
        await expect(store.get('k', { ifMatch: etag, range: { offset: 0, length: 1 } })).rejects.toEqual(
          failing('E_STATE', 'k has changed', JSON.stringify(etag)),
        )
        expect(await store.get('absent', { ifMatch: etag })).toBeUndefined()
      })

      test('ifNoneMatch writes only what is not there, by put, writer and copy', async () => {
        await store.put('a/k', bytesOf('first'), { ifNoneMatch: '*' })
        const refusal = failing('E_EXISTS', 'a/k')
        await expect(store.put('a/k', bytesOf('second'), { ifNoneMatch: '*' })).rejects.toEqual(refusal)
        const writer = store.writer('a/k', { ifNoneMatch: '*' })
        await writer.write(bytesOf('third'))
        await expect(writer.close()).rejects.toEqual(refusal)
        await store.put('other', bytesOf('fourth'))
        await expect(store.copy?.('other', 'a/k', { ifNoneMatch: '*' })).rejects.toEqual(refusal)
        expect(await textAt(store, 'a/k')).toBe('first')
        expect(await listed(store)).toEqual(['a/k', 'other'])
      })

      test('of many who put at once with ifNoneMatch, one wins', async () => {
        const puts = Array.from({ length: 20 }, (_, i) => store.put('k', bytesOf(`${i}`), { ifNoneMatch: '*' }))
        const outcomes = await Promise.allSettled(puts)
        const winners = outcomes.flatMap(({ status }, i) => (status === 'fulfilled' ? [i] : []))
        expect(winners).toHaveLength(1)
        expect(await textAt(store, 'k')).toBe(`${winners[0]}`)
      })
    })

    describe('a writer', () => {
      test('writes piece by piece; nothing is visible before it is closed', async () => {
        const writer = store.writer('a/b/k')
        await writer.write(bytesOf('one '))
        await writer.write(bytesOf('two'))
        expect(await store.head('a/b/k')).toBeUndefined()
        expect(await listed(store)).toEqual([])
        expect(await listed(store, '', { delimiter: '/' })).toEqual([])
        const info = await writer.close()
        expectSame(info, await store.head('a/b/k'))
        expect(await textAt(store, 'a/b/k')).toBe('one two')
      })

      test('writes in the order of the calls, awaited or not', async () => {
        const writer = store.writer('k')
        const writes = Array.from({ length: 100 }, (_, i) => writer.write(bytesOf(`${i},`)))
        const closed = writer.close()
        await Promise.all([...writes, closed])
        expect(await textAt(store, 'k')).toBe(`${Array.from({ length: 100 }, (_, i) => i).join()},`)
      })

      test('may write nothing', async () => {
        expect((await store.writer('k').close()).size).toBe(0)
        expect(await textAt(store, 'k')).toBe('')
      })

      test('that is aborted leaves everything as it was', async () => {
        await store.put('k', bytesOf('before'))
        const writer = store.writer('k')
        await writer.write(bytesOf('after'))
        await writer.abort()
        await writer.abort()
        await store.writer('never').abort()
        expect(await textAt(store, 'k')).toBe('before')
        expect(await listed(store)).toEqual(['k'])
        await expect(writer.write(bytesOf('x'))).rejects.toEqual(failing('E_STATE', 'write to "k"'))
        await expect(writer.close()).rejects.toEqual(failing('E_STATE', 'close "k"'))
        expect(await textAt(store, 'k')).toBe('before')
      })

      test('that is closed takes no more, and an abort comes too late', async () => {
        const writer = store.writer('k')
        await writer.write(bytesOf('done'))
        await writer.close()
        await expect(writer.write(bytesOf('x'))).rejects.toEqual(failing('E_STATE', 'write to "k"', 'closed'))
        await expect(writer.close()).rejects.toEqual(failing('E_STATE', 'close "k"', 'closed'))
        await writer.abort()
        expect(await textAt(store, 'k')).toBe('done')
      })

      test('is dropped by its signal', async () => {
        const controller = new AbortController()
        const writer = store.writer('k', { signal: controller.signal })
        await writer.write(bytesOf('x'))
        controller.abort()
        await expect(writer.write(bytesOf('y'))).rejects.toEqual(failing('E_CANCELLED', 'k'))
        await expect(writer.close()).rejects.toEqual(failing('E_CANCELLED', 'k'))
        expect(await store.head('k')).toBeUndefined()
      })
    })

    test('a reader never sees half a put', async () => {
      const size = 300_000
      await store.put('k', new Uint8Array(size).fill(0))
      let writing = true
      const write = async () => {
        for (let version = 1; version <= 40; version++)
          await store.put('k', new Uint8Array(size + version).fill(version))
        writing = false
      }
      const read = async () => {
        let reads = 0
        for (; writing; reads++) {
          const body = await store.get('k')
          const version = body?.data[0] ?? -1
          if (body?.data.length !== size + version || !body.data.every((byte) => byte === version))
            throw new Error(`version ${version} came with ${body?.data.length} bytes, not all of it`)
          await new Promise(setImmediate)
        }
        return reads
      }
      const [, reads] = await Promise.all([write(), read()])
      expect(reads).toBeGreaterThan(0)
    })

    describe('list', () => {
      test('is ordered by the UTF-8 bytes of the keys, whatever they are', async () => {
        await fill([...ODD].reverse())
        expect(await listed(store)).toEqual([...ODD].sort(byUtf8))
        expect([...ODD].sort(compareKeys)).toEqual([...ODD].sort(byUtf8))
      })

      test('gives what head gives', async () => {
        await fill(['a/b', 'c'])
        for await (const entry of store.list('')) {
          if (entry.kind !== 'object') throw new Error('without a delimiter there are objects only')
          const { kind, ...info } = entry
          const head = await store.head(entry.key)
          if (listing === 'full') expect(info).toEqual(head)
          else expect(head).toMatchObject(info)
        }
      })

      test('takes prefixes that end anywhere', async () => {
        await fill(ODD)
        for (const prefix of [
          'a',
          'd',
          'd/',
          'd/e',
          'd/e/',
          'd/e/f',
          'd-/',
          'x',
          '日',
          '日本/',
          'nothing',
          'nothing/',
          'a/',
          'a/b',
        ])
          expect(await listed(store, prefix)).toEqual(expectedListing(ODD, prefix))
      })

      test('rolls up what lies behind a delimiter', async () => {
        await fill(ODD)
        for (const prefix of ['', 'd', 'd/', 'd/e', 'd/e/', '日'])
          expect(await listed(store, prefix, { delimiter: '/' })).toEqual(
            expectedListing(ODD, prefix, { delimiter: '/' }),
          )
        expect(await listed(store, 'd', { delimiter: '/' })).toEqual([
          'd-/',
          'd./',
          'd.txt',
          'd/',
          'd0',
          'dir with space/',
        ])
      })

      test('goes on after any key, there or not', async () => {
        await fill(ODD)
        for (const startAfter of [...ODD, 'd', 'd/', 'd/d', 'd/e', 'd/f', 'zz', '\u{10ffff}']) {
          expect(await listed(store, '', { startAfter })).toEqual(expectedListing(ODD, '', { startAfter }))
          const options = { startAfter, delimiter: '/' } as const
          expect(await listed(store, '', options)).toEqual(expectedListing(ODD, '', options))
          expect(await listed(store, 'd/', options)).toEqual(expectedListing(ODD, 'd/', options))
        }
      })

      test('leaves out prefixes of which every object was deleted', async () => {
        await fill(['a/b/c', 'd'])
        for await (const _ of store.delete(['a/b/c']));
        expect(await listed(store)).toEqual(['d'])
        expect(await listed(store, '', { delimiter: '/' })).toEqual(['d'])
        expect(await listed(store, 'a/')).toEqual([])
      })

      test('of an empty store is empty', async () => {
        expect(await listed(store)).toEqual([])
        expect(await listed(store, 'a/')).toEqual([])
      })

      if (keyRules === 'paths')
        test('refuses prefixes that lead out of the store', async () => {
          for (const prefix of ['/', '/etc/', '../', 'a/../', 'a//', 'a/./b'])
            await expect(listed(store, prefix)).rejects.toEqual(failing('E_USAGE', JSON.stringify(prefix)))
        })

      test('may be left early', async () => {
        await fill(['a', 'b/c', 'd'])
        for await (const entry of store.list('')) {
          expect(nameOf(entry)).toBe('a')
          break
        }
      })

      test('is the sorted list of any set of keys, for any prefix, delimiter and start', async () => {
        const segment = fc.string({
          unit: fc.constantFrom(...letters),
          minLength: 1,
          maxLength: 3,
        })
        // Segments of a level's names and directories end differently, since a file system cannot have both of one name.
        const key = fc
          .array(segment, { minLength: 1, maxLength: 4 })
          .map((parts) => parts.map((part, i) => part + (i < parts.length - 1 ? 'D' : 'F')).join('/'))
        const startAfter = fc.oneof(key, segment, fc.constant(''))
        await fc.assert(
          fc.asyncProperty(
            fc.uniqueArray(key, { maxLength: 30 }),
            fc.array(fc.tuple(fc.nat(), fc.nat(), startAfter), { minLength: 1, maxLength: 6 }),
            async (keys, questions) => {
              const fresh = await makeStore()
              try {
                await Promise.all(keys.map((each) => fresh.put(each, new Uint8Array(1))))
                expect(await listed(fresh)).toEqual(expectedListing(keys, ''))
                for (const [which, cut, start] of questions) {
                  const some = Array.from(keys[which % Math.max(1, keys.length)] ?? '')
                  const prefix = some.slice(0, cut % (some.length + 1)).join('')
                  for (const options of [{ startAfter: start }, { startAfter: start, delimiter: '/' as const }])
                    expect(await listed(fresh, prefix, options)).toEqual(expectedListing(keys, prefix, options))
                }
              } finally {
                await fresh.close()
              }
            },
          ),
          { numRuns: keySets },
        )
      })
    })

    describe('delete', () => {
      test('removes, answers key by key in order, and does not mind what is not there', async () => {
        await fill(['a', 'b/c', 'b/d', 'e'])
        const answers: unknown[] = []
        for await (const answer of store.delete(['b/c', 'nothing', 'a', 'a', 'b', 'a/x'])) answers.push(answer)
        expect(answers).toEqual(['b/c', 'nothing', 'a', 'a', 'b', 'a/x'].map((key) => ({ key })))
        expect(await listed(store)).toEqual(['b/d', 'e'])
      })

      test('takes any number of keys', async () => {
        const keys = Array.from({ length: 100 }, (_, i) => `many/${i}`)
        await fill(keys)
        let answers = 0
        for await (const { error } of store.delete(keys.values())) {
          expect(error).toBeUndefined()
          answers++
        }
        expect(answers).toBe(100)
        expect(await listed(store)).toEqual([])
      })
    })

    describe('copy', () => {
      test('makes another object of the same bytes', async () => {
        const original = await store.put('a', bytesOf('text'))
        const copy = await store.copy?.('a', 'deep/er/b')
        expectSame(copy, await store.head('deep/er/b'))
        expect(copy?.etag === original.etag).toBe(etagRules === 'contents')
        expect(await textAt(store, 'deep/er/b')).toBe('text')
        await store.put('a', bytesOf('changed'))
        expect(await textAt(store, 'deep/er/b')).toBe('text')
        await store.copy?.('a', 'a')
        expect(await textAt(store, 'a')).toBe('changed')
      })

      test('of what is not there is E_NOT_FOUND and makes nothing', async () => {
        await fill(['d/x'])
        await expect(store.copy?.('nothing', 'b')).rejects.toEqual(failing('E_NOT_FOUND', '"nothing"'))
        await expect(store.copy?.('d', 'b')).rejects.toEqual(failing('E_NOT_FOUND', '"d"'))
        expect(await listed(store)).toEqual(['d/x'])
      })
    })

    describe('a signal', () => {
      test('that has fired stops every call, and nothing changes', async () => {
        await fill(['k'])
        const signal = AbortSignal.abort(new Error('enough'))
        const cancelled = failing('E_CANCELLED', 'cancelled')
        await expect(store.head('k', { signal })).rejects.toEqual(cancelled)
        await expect(store.get('k', { signal })).rejects.toEqual(cancelled)
        await expect(store.put('n', bytesOf('x'), { signal })).rejects.toEqual(cancelled)
        await expect(store.copy?.('k', 'n', { signal })).rejects.toEqual(cancelled)
        await expect(listed(store, '', { signal })).rejects.toEqual(cancelled)
        await expect(store.writer('n', { signal }).write(bytesOf('x'))).rejects.toEqual(cancelled)
        await expect(store.writer('n', { signal }).close()).rejects.toEqual(cancelled)
        await expect(store.delete(['k'], { signal })[Symbol.asyncIterator]().next()).rejects.toEqual(cancelled)
        expect(await listed(store)).toEqual(['k'])
      })

      test('stops a listing half-way', async () => {
        await fill(Array.from({ length: 300 }, (_, i) => `d${i % 3}/${i}`))
        const controller = new AbortController()
        let seen = 0
        const list = async () => {
          for await (const _ of store.list('', { signal: controller.signal })) if (++seen === 5) controller.abort()
        }
        await expect(list()).rejects.toEqual(failing('E_CANCELLED'))
        expect(seen).toBeLessThan(300)
      })
    })

    test('says what it is, and its spec is plain data', () => {
      expect(store.url).toMatch(/^[a-z][a-z0-9]*:\/\//)
      expect(structuredClone(store.spec)).toEqual(store.spec)
      expect(store.spec.url).toBe(store.url)
    })
  })
}
