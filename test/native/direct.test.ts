import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { type DirectRead, type DirectWrite, native } from '../../src/native.ts'

const folder = mkdtempSync(join(tmpdir(), 'headrace-native-direct-'))
afterAll(() => rmSync(folder, { recursive: true }))

const method = {
  blockSize: 4096,
  depth: 2,
  engine: 'auto',
  threads: 2,
  group: 0,
  cancel: new Uint32Array(1),
} as const
const read: DirectRead = {
  ...method,
  path: join(folder, 'absent'),
  into: undefined,
  offset: 0,
  length: 1,
  limit: 1,
  numbers: new Float64Array(7),
}
const write: DirectWrite = {
  ...method,
  fd: 2 ** 30,
  bytes: new Uint8Array(4096),
  offset: 0,
  offsetAlignment: 512,
  memoryAlignment: 512,
  reserve: 0,
}

describe('reads and writes around the page cache', () => {
  it.each([
    ['a block of nothing', { blockSize: 0 }, 'blockSize, depth and threads must be 1 or more'],
    ['a block beyond all memory', { blockSize: 2 ** 31 }, 'blockSize must be a whole number from 0 to'],
    ['too deep a queue', { depth: 65 }, 'depth must be a whole number from 0 to 64'],
    ['another engine', { engine: 'aio' }, 'engine must be auto, threads or io_uring'],
    ['nothing to cancel by', { cancel: new Uint32Array(0) }, 'cancel must be a Uint32Array of one'],
  ])('refuse %s', (_, wrong, message) => {
    expect(() => native.readDirect({ ...read, ...wrong } as DirectRead)).toThrow(message)
    expect(() => native.writeDirect({ ...write, ...wrong } as DirectWrite)).toThrow(message)
  })

  it.each([
    ['a negative offset', { offset: -1 }, 'offset must be a whole number'],
    ['half a byte', { length: 0.5 }, 'length must be a whole number'],
    ['a path with NUL', { path: 'a\0b' }, 'path must be a path without NUL'],
    ['other memory', { into: [1] }, 'into must be a Uint8Array'],
    ['too few numbers', { numbers: new Float64Array(6) }, 'numbers must be a Float64Array of 7'],
  ])('refuse to read %s', (_, wrong, message) => {
    expect(() => native.readDirect({ ...read, ...wrong } as unknown as DirectRead)).toThrow(message)
  })

  it.each([
    ['at an odd offset', { offset: 100 }, 'offset must be a multiple of offsetAlignment'],
    ['by an odd alignment', { offsetAlignment: 3 }, 'alignments must be powers of two'],
    ['to no descriptor', { fd: -1 }, 'fd must be a whole number'],
  ])('refuse to write %s', (_, wrong, message) => {
    expect(() => native.writeDirect({ ...write, ...wrong } as DirectWrite)).toThrow(message)
  })

  it('fail with the name of what the system says', async () => {
    await expect(native.readDirect(read)).rejects.toMatchObject({
      code: 'ENOENT',
      message: expect.stringContaining('open'),
    })
    await expect(native.writeDirect(write)).rejects.toMatchObject({ code: 'EBADF' })
    expect(() => native.beginDirect(2 ** 30)).toThrow(expect.objectContaining({ code: 'EBADF' }))
  })

  it.skipIf(!existsSync('/proc/version'))('are refused by a file that is in no cache', () => {
    const fd = openSync('/proc/version', 'r')
    expect(() => native.beginDirect(fd)).toThrow(expect.objectContaining({ code: 'EINVAL' }))
    closeSync(fd)
  })
})

describe('a read of what is in the page cache', () => {
  const numbers = new Float64Array(3)

  it('is -1 where there is anything to wait for or to say', () => {
    const path = new URL(import.meta.url).pathname
    const size = readFileSync(path).length
    const cached = (name: string, into: Uint8Array | undefined, offset: number, length: number, limit = 2 ** 20) =>
      native.readCached(name, into, offset, length, limit, false, numbers)
    for (const answer of [
      cached(join(folder, 'absent'), undefined, 0, 1),
      cached(folder, undefined, 0, 1),
      cached(`${path}\0`, undefined, 0, 1),
      cached('x'.repeat(5000), undefined, 0, 1),
      cached(path, undefined, size + 1, 1),
      cached(path, new Uint8Array(9), 0, 10),
      cached(path, undefined, 0, 11, 10),
    ])
      expect(answer).toBe(-1)
  })

  it('refuses arguments of the wrong kind', () => {
    expect(() => native.readCached(1 as never, undefined, 0, 1, 1, false, numbers)).toThrow('path must be a string')
    expect(() => native.readCached('p', [] as never, 0, 1, 1, false, numbers)).toThrow('into must be a Uint8Array')
    expect(() => native.readCached('p', undefined, -1, 1, 1, false, numbers)).toThrow('offset must be a whole number')
    expect(() => native.readCached('p', undefined, 0, 1, 1, false, new Float64Array(2))).toThrow('Float64Array of 3')
    expect(() => native.advise(0, 'dontNeed' as never)).toThrow('advice must be sequential or random')
    expect(() => native.alignedMemory(-1)).toThrow('bytes must be a whole number')
    expect(() => native.alignedMemory(2 ** 52)).toThrow('no memory for 4503599627370496 bytes')
  })
})
