import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { native } from '../../src/native.ts'
import { DirectStore, type DirectStoreOptions } from '../../src/storage/direct/direct.ts'
import { openStore } from '../../src/storage/index.ts'
import { built, DIST } from '../cli/built.ts'
import { bytesOf, failing, listed, storeConformance, textAt } from './conformance.ts'

/** Why the folder of temporary files cannot be used here; undefined where it can. */
function refusal(folder: string): string | undefined {
  const path = join(folder, `headrace-probe-${process.pid}`)
  const fd = fs.openSync(path, 'w')
  try {
    native.beginDirect(fd)
    return undefined
  } catch (error) {
    return (error as Error).message
  } finally {
    fs.closeSync(fd)
    fs.rmSync(path)
  }
}

const refused = refusal(tmpdir())
const SIZES = [0, 1, 511, 512, 513, 4095, 4096, 4097, 2 ** 20 - 1, 2 ** 20, 2 ** 20 + 1, 9 * 2 ** 20 + 3]
const ENGINES = native.ioUring() ? (['threads', 'io_uring'] as const) : (['threads'] as const)

/** Bytes of which no two nearby blocks are the same. */
function pattern(size: number): Uint8Array {
  const bytes = new Uint8Array(size)
  let state = size | 1
  for (let i = 0; i < size; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    bytes[i] = state >>> 24
  }
  return bytes
}

function same(a: Uint8Array | undefined, b: Uint8Array): boolean {
  return a !== undefined && Buffer.compare(a, b) === 0
}

let folder: string
let made = 0
const makeFolder = () => {
  folder = fs.mkdtempSync(join(tmpdir(), 'headrace-direct-'))
}
const removeFolder = () => fs.rmSync(folder, { recursive: true, force: true })

describe.skipIf(refused)(
  `direct (${refused === undefined ? 'on a disk' : `left out: ${tmpdir()}: ${refused}`})`,
  () => {
    storeConformance(
      'direct',
      async () => {
        if (!fs.existsSync(folder ?? '')) makeFolder()
        return new DirectStore(join(folder, `${made++}`), { sync: 'never' })
      },
      async () => removeFolder(),
    )

    describe.each(ENGINES)('by %s', (engine) => {
      beforeEach(makeFolder)
      afterEach(removeFolder)
      const open = (options: DirectStoreOptions = {}) =>
        new DirectStore(folder, { sync: 'never', blockSize: 65_536, engine, ...options })

      test('objects of any size come back exactly, and lie on the disk so', async () => {
        const store = open()
        for (const size of SIZES) {
          const bytes = pattern(size)
          expect((await store.put(`${size}`, bytes)).size).toBe(size)
          expect(same(fs.readFileSync(join(folder, `${size}`)), bytes)).toBe(true)
          expect(same((await store.get(`${size}`))?.data, bytes)).toBe(true)
        }
        const all = SIZES.reduce((sum, size) => sum + size, 0)
        expect(store.report()).toEqual({
          direct: { reads: SIZES.length, readBytes: all, writes: SIZES.length, writtenBytes: all },
          buffered: { reads: 0, readBytes: 0, writes: 0, writtenBytes: 0 },
        })
      })

      test('from and into memory at any address', async () => {
        const store = open()
        const memory = new Uint8Array(native.alignedMemory(2 ** 20))
        for (const shift of [0, 1, 16, 511, 512, 4096]) {
          const source = memory.subarray(shift, shift + 300_001)
          source.set(pattern(300_001))
          await store.put('k', source)
          expect(same(fs.readFileSync(join(folder, 'k')), source)).toBe(true)
          const into = memory.subarray(500_000 + shift, 500_000 + shift + 300_011).fill(0xee)
          const before = memory[500_000 + shift - 1]
          const body = await store.get('k', { into })
          expect(same(body?.data, source)).toBe(true)
          expect([memory[500_000 + shift - 1], ...into.subarray(300_001)]).toEqual([before, ...Array(10).fill(0xee)])
        }
      })

      test('any range is the slice, and no byte around it is touched', async () => {
        const size = 9 * 2 ** 20 + 3
        const bytes = pattern(size)
        fs.writeFileSync(join(folder, 'k'), bytes)
        const memory = new Uint8Array(native.alignedMemory(size + 16_384))
        const position = fc.oneof(
          fc.nat(size),
          fc
            .tuple(fc.nat(Math.floor(size / 4096)), fc.integer({ min: -2, max: 2 }))
            .map(([page, by]) => page * 4096 + by),
        )
        await fc.assert(
          fc.asyncProperty(
            position.filter((offset) => offset >= 0 && offset <= size),
            fc.oneof(fc.nat(10_000), fc.nat(size)),
            fc.oneof(fc.constant(0), fc.constant(512), fc.nat(8192)),
            fc.boolean(),
            fc.integer({ min: 1, max: 5 }),
            async (offset, length, shift, own, queueDepth) => {
              const store = open({ queueDepth })
              const expected = bytes.subarray(offset, offset + length)
              const around = memory.subarray(0, shift + expected.length + 4096)
              around.fill(0xee, 0, shift).fill(0xee, shift + expected.length)
              const into = around.subarray(shift, shift + expected.length)
              const body = await store.get('k', { range: { offset, length }, ...(!own && { into }) })
              expect(same(body?.data, expected)).toBe(true)
              if (own) return
              expect(body?.data.buffer).toBe(memory.buffer)
              expect(around.subarray(0, shift).every((byte) => byte === 0xee)).toBe(true)
              expect(around.subarray(shift + expected.length).every((byte) => byte === 0xee)).toBe(true)
            },
          ),
          { numRuns: 150 },
        )
      }, 120_000)

      test('a writer takes pieces of any size, known or not how many', async () => {
        const pieces = fc.array(fc.oneof(fc.nat(5000), fc.nat(200_000), fc.constant(65_536), fc.constant(131_072)), {
          maxLength: 8,
        })
        await fc.assert(
          fc.asyncProperty(pieces, fc.boolean(), fc.boolean(), async (lengths, known, awaited) => {
            const store = open()
            const bytes = pattern(lengths.reduce((sum, length) => sum + length, 0))
            const writer = store.writer('k', known ? { size: bytes.length } : {})
            const writes: Promise<void>[] = []
            let at = 0
            for (const length of lengths) {
              const write = writer.write(bytes.subarray(at, at + length))
              at += length
              if (awaited) await write
              else writes.push(write)
            }
            await Promise.all(writes)
            expect((await writer.close()).size).toBe(bytes.length)
            expect(same(fs.readFileSync(join(folder, 'k')), bytes)).toBe(true)
          }),
          { numRuns: 60 },
        )
      }, 120_000)

      test('a signal ends a transfer between its blocks', async () => {
        const store = open({ blockSize: 4096, queueDepth: 2 })
        await open({ blockSize: 2 ** 20 }).put('k', new Uint8Array(32 * 2 ** 20))
        const controller = new AbortController()
        const reading = store.get('k', { signal: controller.signal })
        setTimeout(() => controller.abort(), 5)
        await expect(reading).rejects.toEqual(failing('E_CANCELLED'))
        const other = new AbortController()
        const writing = store.put('n', new Uint8Array(32 * 2 ** 20), { signal: other.signal })
        setTimeout(() => other.abort(), 20)
        await expect(writing).rejects.toEqual(failing('E_CANCELLED'))
        expect(fs.readdirSync(folder)).toEqual(['k'])
      })
    })

    describe('a direct store', () => {
      let store: DirectStore
      beforeEach(() => {
        makeFolder()
        store = new DirectStore(folder)
      })
      afterEach(async () => {
        await store.close()
        removeFolder()
      })

      test('is opened by its URL, with options in it, and keeps its scheme', async () => {
        const opened = await openStore(`direct://${folder}?blockSize=131072&queueDepth=2&sync=never&fallback=buffered`)
        expect(opened.url).toBe(`direct://${folder}`)
        expect(opened.spec).toEqual({
          url: `direct://${folder}`,
          options: { sync: 'never', fallback: 'buffered', blockSize: 131_072, queueDepth: 2, engine: 'auto' },
        })
        const again = await openStore(opened.spec.url, opened.spec.options)
        await again.put('a/b', bytesOf('text'))
        expect(await listed(opened)).toEqual(['a/b'])
        expect(await textAt(opened, 'a/b')).toBe('text')
        expect(again.url).toBe(opened.url)
        await opened.close()
        await again.close()
      })

      test.each([
        [{ blockSize: 1000 }, 'blockSize must be a multiple of 4096, but got 1000'],
        [{ blockSize: 2 ** 27 }, 'blockSize must be an integer from 1 to 67108864'],
        [{ queueDepth: 65 }, 'queueDepth must be an integer from 1 to 64'],
        [{ fallback: 'maybe' }, 'fallback must be one of "error", "buffered"'],
        [{ engine: 'aio' }, 'engine must be one of "auto", "threads", "io_uring"'],
        [{ block: 1 }, 'a direct store has no option "block"'],
      ])('%j is refused', (options, message) => {
        expect(() => new DirectStore(folder, options as DirectStoreOptions)).toThrow(
          failing('E_USAGE', message) as Error,
        )
      })

      test('a relative URL and a file are no roots', async () => {
        fs.writeFileSync(join(folder, 'f'), 'x')
        await expect(openStore('direct://relative')).rejects.toEqual(failing('E_USAGE', '"direct://relative"'))
        await expect(openStore(`direct://${folder}/f`)).rejects.toEqual(failing('E_USAGE', 'needs a directory'))
      })

      test('reads leave nothing in the page cache, which a file store’s do', async () => {
        const size = 8 * 2 ** 20
        await store.put('k', pattern(size))
        const map = native.mapFile(store.localPath('k'))
        native.dropPages(map)
        await store.get('k')
        expect(native.residentShare(map)).toBe(0)
        await (await openStore(folder)).get('k')
        expect(native.residentShare(map)).toBe(1)
        native.unmapFile(map)
      })

      test('what is no file is no object', async () => {
        fs.mkdirSync(join(folder, 'd'))
        expect(spawnSync('mkfifo', [join(folder, 'pipe')]).status).toBe(0)
        for (const key of ['d', 'pipe']) {
          expect(await store.get(key)).toBeUndefined()
          expect(await store.get(key, { range: { offset: 0, length: 1 } })).toBeUndefined()
        }
        await expect(store.put('d', bytesOf('x'))).rejects.toEqual(failing('E_EXISTS', 'd'))
        expect(fs.readdirSync(folder).sort()).toEqual(['d', 'pipe'])
      })

      test('a writer that gets other bytes than were announced leaves nothing', async () => {
        for (const bytes of [99_999, 100_001]) {
          const writer = store.writer('k', { size: 100_000 })
          const write = writer.write(new Uint8Array(bytes))
          const closed = write.then(() => writer.close())
          await expect(closed).rejects.toEqual(failing('E_STATE', '"k" was to have 100000 bytes', `${bytes}`))
        }
        expect(fs.readdirSync(folder)).toEqual([])
      })

      test.skipIf(!fs.existsSync('/proc/self/fd'))(
        'keeps no descriptors and no memory',
        async () => {
          const open = () => fs.readdirSync('/proc/self/fd').length
          const store = new DirectStore(folder, { sync: 'never' })
          const bytes = pattern(1_500_001)
          const round = async (i: number) => {
            await store.put(`k${i % 4}`, bytes)
            await store.get(`k${i % 4}`)
            await store.get('k0', { range: { offset: 9e9, length: 1 } }).catch(() => {})
            await store.get('k0', { into: new Uint8Array(5) }).catch(() => {})
            await store.get('k0', { ifMatch: 'other' }).catch(() => {})
            await store.get('absent')
            await store.put('k0', bytes, { ifNoneMatch: '*' }).catch(() => {})
            const writer = store.writer('w')
            await writer.write(bytes)
            await writer.write(bytes.subarray(0, 100_000))
            await (i % 2 === 0 ? writer.abort() : writer.close())
          }
          const collect = await garbageCollector()
          const settled = async () => {
            collect()
            await new Promise((resolve) => setTimeout(resolve, 20))
            collect()
            await new Promise((resolve) => setTimeout(resolve, 20))
            native.trimDirect()
            return { rss: process.memoryUsage.rss(), slabs: native.slabBytes() }
          }
          for (let i = 0; i < 20; i++) await round(i)
          const before = { open: open(), ...(await settled()) }
          for (let i = 0; i < 200; i++) await round(i)
          await expect.poll(open).toBeLessThanOrEqual(before.open)
          const after = await settled()
          // What the store keeps: four blocks.
          expect(after.slabs).toBeLessThanOrEqual(4 * 2 ** 20)
          expect(after.rss - before.rss).toBeLessThan(32 * 2 ** 20)
          await store.close()
          await settled()
          expect(native.slabBytes()).toBe(0)
        },
        120_000,
      )

      test('a process that is killed while it writes leaves no object', async () => {
        await built()
        const root = join(folder, 'root')
        const script = `
        import { openStore } from ${JSON.stringify(DIST)}
        const store = await openStore(${JSON.stringify(`direct://${root}`)})
        await store.put('whole', new Uint8Array(5000))
        const writer = store.writer('half')
        await writer.write(new Uint8Array(3000000))
        process.stdout.write('written')
        for (;;) await writer.write(new Uint8Array(3000000))`
        const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
          stdio: ['ignore', 'pipe', 'inherit'],
        })
        await once(child.stdout, 'data')
        child.kill('SIGKILL')
        await once(child, 'exit')
        const left = new DirectStore(root)
        expect(await listed(left)).toEqual(['whole'])
        expect(await left.head('half')).toBeUndefined()
        expect((await left.get('whole'))?.data).toEqual(new Uint8Array(5000))
        await left.close()
      })

      test('a thread that ends in the middle of a transfer takes nothing with it', async () => {
        await built()
        await store.put('k', new Uint8Array(32 * 2 ** 20))
        const script = `
        import { Worker } from 'node:worker_threads'
        import { openStore } from ${JSON.stringify(DIST)}
        const work = \`
          import { openStore } from ${JSON.stringify(DIST)}
          import { parentPort } from 'node:worker_threads'
          const store = await openStore(${JSON.stringify(`direct://${folder}?blockSize=4096`)})
          parentPort.postMessage('begun')
          for (let i = 0; ; i++) await Promise.all([store.get('k'), store.put('n' + i, new Uint8Array(5e6 + 1))])\`
        for (let i = 0; i < 5; i++) {
          const worker = new Worker(new URL('data:text/javascript,' + encodeURIComponent(work)))
          await new Promise((resolve) => worker.once('message', resolve))
          await new Promise((resolve) => setTimeout(resolve, 10 + 7 * i))
          await worker.terminate()
        }
        const store = await openStore(${JSON.stringify(`direct://${folder}`)})
        console.log((await store.get('k')).data.length)`
        const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
          stdio: ['ignore', 'pipe', 'inherit'],
        })
        const [out] = (await once(child.stdout, 'data')) as [Buffer]
        expect(String(out).trim()).toBe(`${32 * 2 ** 20}`)
        await once(child, 'exit')
      })
    })
  },
)

/** Files of sysfs, which no user can write and no kernel reads around a cache that they are not in. */
const NOTES = '/sys/kernel/notes'
describe.skipIf(!fs.existsSync(NOTES))(
  'a file system that refuses O_DIRECT (where sysfs has notes of the kernel)',
  () => {
    const notes = () => fs.readFileSync(NOTES)

    test('is E_UNSUPPORTED that names the path and says what to do', async () => {
      const store = new DirectStore('/sys/kernel')
      const error = await store.get('notes').catch((reason: unknown) => reason)
      expect(error).toEqual(failing('E_UNSUPPORTED', 'cannot read "notes"', NOTES, 'refuses O_DIRECT'))
      expect(error).toMatchObject({ details: { hint: 'use file://, or the option fallback=buffered', path: NOTES } })
      expect(store.report().direct.reads + store.report().buffered.reads).toBe(0)
    })

    test('is read through the page cache where that is allowed, and counted', async () => {
      const store = new DirectStore('/sys/kernel', { fallback: 'buffered' })
      expect(same((await store.get('notes'))?.data, notes())).toBe(true)
      expect(same((await store.get('notes', { range: { offset: 3, length: 9 } }))?.data, notes().subarray(3, 12))).toBe(
        true,
      )
      expect(store.report()).toEqual({
        direct: { reads: 0, readBytes: 0, writes: 0, writtenBytes: 0 },
        buffered: {
          reads: 2,
          readBytes: notes().length + 9,
          writes: 0,
          writtenBytes: 0,
          reason: expect.stringContaining('refuses O_DIRECT'),
        },
      })
    })
  },
)

/** ramfs refuses; mounting one needs root. */
describe('writing to a file system that refuses O_DIRECT', () => {
  let mounted = false
  beforeAll(() => {
    makeFolder()
    mounted = process.platform === 'linux' && spawnSync('mount', ['-t', 'ramfs', 'ramfs', folder]).status === 0
  })
  afterAll(() => {
    if (mounted) spawnSync('umount', [folder])
    removeFolder()
  })

  test('leaves nothing behind, or goes through the page cache and is counted', async ({ skip }) => {
    if (!mounted) skip('no ramfs can be mounted here')
    const strict = new DirectStore(folder)
    const refusal = failing('E_UNSUPPORTED', 'cannot write "k"', 'refuses O_DIRECT')
    await expect(strict.put('k', bytesOf('x'))).rejects.toEqual(refusal)
    await expect(strict.writer('k').close()).rejects.toEqual(refusal)
    expect(fs.readdirSync(folder)).toEqual([])
    const store = new DirectStore(folder, { fallback: 'buffered' })
    await store.put('k', bytesOf('text'))
    const writer = store.writer('l')
    await writer.write(bytesOf('more'))
    await writer.close()
    expect([await textAt(store, 'k'), await textAt(store, 'l')]).toEqual(['text', 'more'])
    expect(store.report().buffered).toMatchObject({ reads: 2, readBytes: 8, writes: 2, writtenBytes: 8 })
    expect(store.report().direct).toMatchObject({ reads: 0, writes: 0 })
  })
})

async function garbageCollector(): Promise<() => void> {
  const { setFlagsFromString } = await import('node:v8')
  const { runInNewContext } = await import('node:vm')
  setFlagsFromString('--expose-gc')
  return runInNewContext('gc') as () => void
}
