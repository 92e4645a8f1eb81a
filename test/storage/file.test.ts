import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { fromSystemError } from '../../src/errors.ts'
import { native } from '../../src/native.ts'
import { closeDescriptor, openDescriptor, writeAll } from '../../src/storage/file/descriptor.ts'
import { FileStore } from '../../src/storage/file/file.ts'
import type { Unlisted } from '../../src/storage/types.ts'
import { built, DIST } from '../cli/built.ts'
import { withoutPrivileges } from '../unprivileged.ts'
import { bytesOf, failing, listed, storeConformance, textAt } from './conformance.ts'

let folder: string
let made = 0
const makeFolder = () => {
  folder = fs.mkdtempSync(join(tmpdir(), 'headrace-file-'))
}
const removeFolder = () => fs.rmSync(folder, { recursive: true, force: true })

storeConformance(
  'file',
  async () => {
    if (!fs.existsSync(folder ?? '')) makeFolder()
    // Syncing to the device is what takes the time on most machines; one test below is about it.
    return new FileStore(join(folder, `${made++}`), { sync: 'never' })
  },
  async () => removeFolder(),
)

describe('a file store', () => {
  let store: FileStore
  beforeEach(() => {
    makeFolder()
    store = new FileStore(folder)
  })
  afterEach(removeFolder)

  const pendingFiles = (below = folder) => fs.readdirSync(below).filter((name) => name.startsWith('.headrace-'))

  test('keeps objects as files, under the same names', async () => {
    await store.put('a/b c', bytesOf('text'))
    expect(fs.readFileSync(join(folder, 'a', 'b c'), 'utf8')).toBe('text')
    expect(store.localPath('a/b c')).toBe(join(folder, 'a', 'b c'))
    fs.writeFileSync(join(folder, 'mine'), 'by hand')
    expect(await textAt(store, 'mine')).toBe('by hand')
  })

  test('never leaves its root', () => {
    for (const key of ['../x', 'a/../../x', '/etc/passwd', '..'])
      expect(() => store.localPath(key)).toThrow(failing('E_USAGE', JSON.stringify(key)) as Error)
  })

  test('writes under a temporary name that is seen by nobody', async () => {
    const writer = store.writer('k')
    await writer.write(bytesOf('half'))
    const [pending = ''] = pendingFiles()
    expect(pending).toMatch(new RegExp(`^\\.headrace-${process.pid}-[0-9a-f]{12}\\.tmp$`))
    expect(await listed(store)).toEqual([])
    expect(await listed(store, '.headrace')).toEqual([])
    await expect(store.get(pending)).rejects.toEqual(failing('E_USAGE', pending))
    await writer.close()
    expect(fs.readdirSync(folder)).toEqual(['k'])
  })

  test('removes its temporary file on abort, signal, refusal and failure', async () => {
    const aborted = store.writer('a')
    await aborted.write(bytesOf('x'))
    await aborted.abort()

    const controller = new AbortController()
    const signalled = store.writer('b', { signal: controller.signal })
    await signalled.write(bytesOf('x'))
    controller.abort()
    // Nobody touches the writer again: the signal alone must do.
    await expect.poll(() => pendingFiles()).toEqual([])

    await store.put('c', bytesOf('x'))
    await expect(store.put('c', bytesOf('y'), { ifNoneMatch: '*' })).rejects.toEqual(failing('E_EXISTS'))
    await expect(store.copy('c', 'c', { ifNoneMatch: '*' })).rejects.toEqual(failing('E_EXISTS'))
    fs.mkdirSync(join(folder, 'directory'))
    await expect(store.put('directory', bytesOf('x'))).rejects.toEqual(failing('E_EXISTS', 'directory'))
    const blocked = store.writer('directory')
    await blocked.write(bytesOf('x'))
    await expect(blocked.close()).rejects.toEqual(failing('E_EXISTS', 'directory'))

    expect(fs.readdirSync(folder).sort()).toEqual(['c', 'directory'])
  })

  test('cannot put below an object, and says so', async () => {
    await store.put('a', bytesOf('x'))
    await expect(store.put('a/b', bytesOf('y'))).rejects.toEqual(failing('E_EXISTS', 'a/b', 'is an object'))
    await expect(store.put('a/b/c', bytesOf('y'))).rejects.toEqual(failing('E_EXISTS', 'a/b/c', 'is an object'))
    expect(await textAt(store, 'a')).toBe('x')
  })

  test('a name that is too long is the caller’s mistake', async () => {
    await expect(store.put('x'.repeat(300), bytesOf('y'))).rejects.toEqual(failing('E_USAGE', 'xxx'))
    expect(fs.readdirSync(folder)).toEqual([])
  })

  test.skipIf(!fs.existsSync('/dev/full'))('a full device is E_NO_SPACE', async () => {
    // The one device that is always full takes no new files, so it stands in for the file that is being written.
    const fd = await openDescriptor('/dev/full', fs.constants.O_WRONLY)
    const error = await writeAll(fd, bytesOf('x')).catch((reason: unknown) => fromSystemError(reason, 'writing'))
    await closeDescriptor(fd)
    expect(error).toEqual(failing('E_NO_SPACE', 'writing'))
  })

  test('gives every version a time of its own, finer than the steps of the system’s clock', async () => {
    const quick = new FileStore(folder, { sync: 'never' })
    const times = new Set<bigint>()
    for (let version = 0; version < 100; version++) {
      await quick.put('k', bytesOf('x'))
      times.add(fs.statSync(join(folder, 'k'), { bigint: true }).mtimeNs)
    }
    expect(times.size).toBe(100)
  })

  test('sees what another process appends or replaces by its etag', async () => {
    const path = join(folder, 'k')
    fs.writeFileSync(path, 'one')
    const before = await store.head('k')
    fs.appendFileSync(path, 'two')
    expect((await store.head('k'))?.etag).not.toBe(before?.etag)
    await expect(store.get('k', { ifMatch: before?.etag ?? '' })).rejects.toEqual(failing('E_STATE'))
  })

  test('sees what replaces an object at once, however often it was read before', async () => {
    const path = join(folder, 'k')
    for (let version = 0; version < 50; version++) {
      fs.writeFileSync(`${path}.new`, `version ${version}`)
      fs.renameSync(`${path}.new`, path)
      for (let read = 0; read < 3; read++) {
        const body = await store.get('k', { range: { offset: 8, length: 4 } })
        expect(body && Buffer.from(body.data).toString()).toBe(`${version}`)
        expect(body?.info).toEqual(await store.head('k'))
      }
      fs.truncateSync(path, 3)
      expect(await textAt(store, 'k')).toBe('ver')
      fs.rmSync(path)
      expect(await store.get('k')).toBeUndefined()
    }
  })

  test('readers that never rest leave timers and other reads their turn', async () => {
    await store.put('k', new Uint8Array(10_000))
    let over = false
    setTimeout(() => {
      over = true
    }, 20)
    const reader = async () => {
      let reads = 0
      for (; !over; reads++) await store.get('k')
      return reads
    }
    for (const reads of await Promise.all([reader(), reader(), reader()])) expect(reads).toBeGreaterThan(0)
  })

  test.runIf(process.platform === 'linux')('leaves in the page cache what it is told to', async () => {
    const bytes = Buffer.alloc(2 ** 20 + 5, 7)
    const resident = () => {
      const map = native.mapFile(join(folder, 'k'))
      const share = native.residentShare(map)
      native.unmapFile(map)
      return share
    }
    for (const pageCache of ['normal', 'sequential', 'random'] as const) {
      const hinted = new FileStore(folder, { pageCache })
      await hinted.put('k', bytes)
      expect(bytes.equals((await hinted.get('k'))?.data ?? Buffer.of())).toBe(true)
      // Not all of it: what else the machine does may push pages out.
      expect(resident()).toBeGreaterThan(0.1)
    }
    const forgetful = new FileStore(folder, { pageCache: 'dontNeed' })
    expect(forgetful.spec.options).toEqual({ sync: 'always', pageCache: 'dontNeed' })
    expect(bytes.equals((await forgetful.get('k'))?.data ?? Buffer.of())).toBe(true)
    expect(resident()).toBe(0)
    await forgetful.put('k', bytes)
    expect(resident()).toBe(0)
    await store.get('k')
    await forgetful.get('k', { range: { offset: 0, length: 2 ** 19 } })
    expect(resident()).toBeLessThan(0.51)
    expect(() => new FileStore(folder, { pageCache: 'cold' as never })).toThrow(
      failing('E_USAGE', 'pageCache must be one of', '"cold"') as Error,
    )
  })

  test('a writer that was told its size takes no other', async () => {
    for (const bytes of [9, 11]) {
      const writer = store.writer('k', { size: 10 })
      const closed = writer.write(new Uint8Array(bytes)).then(() => writer.close())
      await expect(closed).rejects.toEqual(failing('E_STATE', '"k" was to have 10 bytes', `${bytes}`))
    }
    const writer = store.writer('k', { size: 10 })
    await writer.write(new Uint8Array(10))
    expect((await writer.close()).size).toBe(10)
    expect(fs.readdirSync(folder)).toEqual(['k'])
  })

  const claim = '/sys/kernel/mm/transparent_hugepage'
  test.skipIf(!fs.existsSync(join(claim, 'enabled')))(
    'a file that ends before its size says is E_CORRUPT with its key',
    async () => {
      // Files of sysfs claim a page and hold a few bytes.
      await expect(new FileStore(claim).get('enabled')).rejects.toEqual(failing('E_CORRUPT', 'enabled', '4096'))
      await expect(new FileStore(claim).get('enabled', { range: { offset: 0, length: 4096 } })).rejects.toEqual(
        failing('E_CORRUPT', 'enabled'),
      )
    },
  )

  test('what is no file is no object', async () => {
    fs.mkdirSync(join(folder, 'd'))
    const { status } = await run('mkfifo', [join(folder, 'pipe')])
    expect(status).toBe(0)
    for (const key of ['d', 'pipe']) {
      expect(await store.head(key)).toBeUndefined()
      expect(await store.get(key)).toBeUndefined()
      expect(await store.get(key, { range: { offset: 0, length: 1 } })).toBeUndefined()
    }
    expect(await listed(store)).toEqual([])
    for await (const answer of store.delete(['d'])) expect(answer).toEqual({ key: 'd' })
    expect(fs.existsSync(join(folder, 'd'))).toBe(true)
  })

  test('a device, a pipe and a link to one stay what they are', async () => {
    expect((await run('mkfifo', [join(folder, 'pipe')])).status).toBe(0)
    fs.symlinkSync('/dev/null', join(folder, 'null'))
    fs.symlinkSync('/proc/self/fd/1', join(folder, 'stdout'))
    await store.put('k', bytesOf('x'))
    for (const key of ['pipe', 'null', 'stdout']) {
      const refusal = failing('E_UNSUPPORTED', join(folder, key), 'a device, a pipe or a socket')
      await expect(store.put(key, bytesOf('x'))).rejects.toEqual(refusal)
      await expect(store.writer(key).write(bytesOf('x'))).rejects.toEqual(refusal)
      await expect(store.copy('k', key)).rejects.toEqual(refusal)
    }
    expect(fs.lstatSync(join(folder, 'pipe')).isFIFO()).toBe(true)
    expect(fs.readlinkSync(join(folder, 'null'))).toBe('/dev/null')
    expect(fs.readdirSync(folder).sort()).toEqual(['k', 'null', 'pipe', 'stdout'])
  })

  test('errors name the path of the file where the store holds the whole file system', async () => {
    const all = new FileStore('/')
    const below = folder.slice(1)
    fs.writeFileSync(join(folder, 'f'), '')
    fs.mkdirSync(join(folder, 'd'))
    await expect(all.put(`${below}/f/x`, bytesOf('x'))).rejects.toEqual(failing('E_EXISTS', `write ${folder}/f/x`))
    await expect(all.put(`${below}/d`, bytesOf('x'))).rejects.toEqual(failing('E_EXISTS', `write ${folder}/d`))
    const long = `${below}/${'n'.repeat(300)}`
    await expect(all.put(long, bytesOf('x'))).rejects.toEqual(failing('E_USAGE', `cannot write "${folder}/n`))
    await expect(all.writer(long).close()).rejects.toEqual(failing('E_USAGE', `write "${folder}/n`))
    await expect(all.copy(`${below}/no`, 'x')).rejects.toEqual(failing('E_NOT_FOUND', `copy "${folder}/no"`))
  })

  describe('links', () => {
    test('to files and directories are followed; those that lead nowhere are not there', async () => {
      await store.put('real/file', bytesOf('text'))
      fs.symlinkSync('real', join(folder, 'also'))
      fs.symlinkSync('real/file', join(folder, 'direct'))
      fs.symlinkSync('nowhere', join(folder, 'broken'))
      fs.symlinkSync('self', join(folder, 'self'))
      expect(await listed(store)).toEqual(['also/file', 'direct', 'real/file'])
      expect(await listed(store, '', { delimiter: '/' })).toEqual(['also/', 'direct', 'real/'])
      expect(await textAt(store, 'also/file')).toBe('text')
      for (const key of ['broken', 'self'])
        expect([await store.head(key), await store.get(key)]).toEqual([undefined, undefined])
    })

    test('that lead in circles do not hang a listing', async () => {
      await store.put('a/b/file', bytesOf('x'))
      fs.symlinkSync('..', join(folder, 'a/b/up'))
      fs.symlinkSync('.', join(folder, 'a/here'))
      fs.symlinkSync(folder, join(folder, 'root'))
      expect(await listed(store)).toEqual(['a/b/file'])
      expect(await listed(store, 'a/')).toEqual(['a/b/file'])
      expect(await listed(store, 'a/b/up/')).toEqual([])
      expect(await listed(store, '', { delimiter: '/' })).toEqual(['a/'])
    })

    test('are replaced by a put, never written through', async () => {
      await store.put('target', bytesOf('old'))
      fs.symlinkSync('target', join(folder, 'link'))
      await store.put('link', bytesOf('new'))
      expect(await textAt(store, 'target')).toBe('old')
      expect(await textAt(store, 'link')).toBe('new')
    })
  })

  test.skipIf(process.platform === 'darwin')(
    'a file name that is not UTF-8 fails the listing with its bytes',
    async () => {
      await store.put('d/\ufffd is a name like any other', bytesOf('x'))
      expect(await listed(store)).toEqual(['d/\ufffd is a name like any other'])
      fs.writeFileSync(Buffer.concat([Buffer.from(`${folder}/d/`), Buffer.from([0x61, 0xff, 0x62])]), 'y')
      await expect(listed(store)).rejects.toEqual(failing('E_UNSUPPORTED', '0x61ff62', 'UTF-8'))
    },
  )

  test('a directory that may not be read is E_ACCESS and named, or reported where that is wanted', async () => {
    await store.put('c/k', bytesOf('x'))
    await store.put('d/k', bytesOf('x'))
    fs.chmodSync(folder, 0o755)
    fs.chmodSync(join(folder, 'c'), 0)
    await withoutPrivileges(async () => {
      await expect(listed(store)).rejects.toEqual(failing('E_ACCESS', `cannot list ${folder}/c/: EACCES`))
      const found: Unlisted[] = []
      const keys = await listed(store, '', { onUnlisted: (each) => found.push(each) })
      expect({ keys, found }).toEqual({
        keys: ['d/k'],
        found: [{ key: 'c/', code: 'E_ACCESS', reason: 'cannot be listed (EACCES)' }],
      })
    })
    fs.chmodSync(join(folder, 'c'), 0o755)
  })

  test.skipIf(!fs.existsSync('/proc/self/fd'))('opens no file that it does not close', async () => {
    const open = () => fs.readdirSync('/proc/self/fd').length
    await store.put('k', bytesOf('x'))
    const before = open()
    for (let i = 0; i < 50; i++) {
      await store.put('k', bytesOf('xyz'))
      await store.get('k')
      await store.get('k', { range: { offset: 9, length: 1 } }).catch(() => {})
      await store.get('k', { into: new Uint8Array(0) }).catch(() => {})
      await store.get('k', { ifMatch: 'other' }).catch(() => {})
      await store.get('.').catch(() => {})
      await store.put('k/x', bytesOf('x')).catch(() => {})
      await store.put('k', bytesOf('x'), { ifNoneMatch: '*' }).catch(() => {})
      await store.copy('k', 'l')
      const writer = store.writer('w')
      await writer.write(bytesOf('x'))
      await (i % 2 === 0 ? writer.abort() : writer.close())
      for await (const _ of store.list('')) break
    }
    await expect.poll(open).toBeLessThanOrEqual(before)
  })

  test('a process that is killed while it writes leaves no object', async () => {
    await built()
    const root = join(folder, 'root')
    const script = `
      import { openStore } from ${JSON.stringify(DIST)}
      const store = await openStore(${JSON.stringify(root)})
      await store.put('whole', new Uint8Array(10))
      const writer = store.writer('half')
      await writer.write(new Uint8Array(1000000))
      process.stdout.write('written')
      setInterval(() => {}, 1000)`
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await once(child.stdout, 'data')
    child.kill('SIGKILL')
    await once(child, 'exit')
    const left = new FileStore(root)
    expect(await listed(left)).toEqual(['whole'])
    expect(await left.head('half')).toBeUndefined()
    expect(pendingFiles(root)).toEqual([expect.stringMatching(new RegExp(`^\\.headrace-${child.pid}-`))])
  })

  test('lists 30,000 files without holding them all', async () => {
    const directories = 300
    const each = 100
    for (let d = 0; d < directories; d++) {
      const path = join(folder, `class-${String(d).padStart(4, '0')}`)
      fs.mkdirSync(path)
      for (let i = 0; i < each; i++)
        fs.closeSync(fs.openSync(join(path, `a-rather-long-name-of-an-image-${i}.jpeg`), 'w'))
    }
    const collect = (globalThis as { gc?: () => void }).gc ?? (await garbageCollector())
    collect()
    const before = process.memoryUsage().heapUsed
    let count = 0
    let last = ''
    let grown = 0
    for await (const entry of store.list('')) {
      if (entry.kind !== 'object' || entry.key <= last) throw new Error('out of order')
      last = entry.key
      if (++count % 10_000 === 0) {
        collect()
        grown = Math.max(grown, process.memoryUsage().heapUsed - before)
      }
    }
    expect(count).toBe(directories * each)
    // All names would be 2 MB, their entries 9 MB.
    expect(grown).toBeLessThan(1.5e6)
  })
})

async function garbageCollector(): Promise<() => void> {
  const { setFlagsFromString } = await import('node:v8')
  const { runInNewContext } = await import('node:vm')
  setFlagsFromString('--expose-gc')
  return runInNewContext('gc') as () => void
}

async function run(command: string, args: string[]): Promise<{ status: number | null }> {
  const child = spawn(command, args, { stdio: 'ignore' })
  const [status] = (await once(child, 'exit')) as [number | null]
  return { status }
}
