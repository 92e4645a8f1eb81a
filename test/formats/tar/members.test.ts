import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, describe, expect, it } from 'vitest'
import { memorySource } from '../../../src/formats/byte-source.ts'
import { forwardBytes } from '../../../src/formats/forward.ts'
import { type TarMember, tarMembers } from '../../../src/formats/tar/members.ts'
import { packingOf } from '../../../src/formats/unpack.ts'
import { paxRecord, tarBlock, tarOf } from './archives.ts'

const folder = mkdtempSync(join(tmpdir(), 'headrace-tar-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function members(bytes: Uint8Array, leap = 1024): Promise<TarMember[]> {
  const packing = packingOf(bytes)
  const found: TarMember[] = []
  const forward = forwardBytes(memorySource('a.tar', bytes), packing, leap)
  try {
    for await (const member of tarMembers(forward, 'a.tar')) found.push(member)
  } finally {
    await forward.close()
  }
  return found
}

const fails = (bytes: Uint8Array, code: string, message: string) =>
  expect(members(bytes)).rejects.toMatchObject({ code, message: expect.stringContaining(message) })

describe('members of a tar archive', () => {
  it('are its regular files: where each begins and how long it is', async () => {
    const archive = tarOf(
      { name: 'd/', type: '5' },
      { name: 'd/a.txt', data: 'one' },
      { name: 'd/link', type: '2' },
      { name: 'd/empty' },
      { name: 'old', data: 'x'.repeat(513), type: '\0', magic: '' },
      { name: 'olddir/', type: '\0', magic: '' },
      { name: 'contiguous', data: 'y', type: '7' },
    )
    const expected = [
      { name: 'd/a.txt', offset: 1024, size: 3 },
      { name: 'd/empty', offset: 2560, size: 0 },
      { name: 'old', offset: 3072, size: 513 },
      { name: 'contiguous', offset: 5120, size: 1 },
    ]
    expect(await members(archive)).toEqual(expected)
    expect(await members(gzipSync(archive))).toEqual(expected)
  })

  it("have long names: a prefix, an extended head, or GNU's", async () => {
    const long = `${'n'.repeat(120)}.jpg`
    const archive = tarOf(
      { name: 'b.jpg', prefix: 'p/q', data: '1' },
      { name: 'x', type: 'x', data: paxRecord('path', `ü/${long}`) + paxRecord('mtime', '1.5') },
      { name: 'short', data: '2' },
      { name: '././@LongLink', type: 'L', data: `${long}\0`, magic: 'ustar  \0' },
      { name: 'short', data: '3', magic: 'ustar  \0' },
      { name: 'plain', data: '4' },
    )
    expect((await members(archive)).map(({ name }) => name)).toEqual(['p/q/b.jpg', `ü/${long}`, long, 'plain'])
  })

  it('have sizes beyond eight octal digits', async () => {
    const binary = Buffer.alloc(12)
    binary[0] = 0x80
    binary.writeUInt32BE(5, 8)
    const archive = tarOf(
      { name: 'a', data: 'five5', size: binary },
      { name: 'x', type: 'x', data: paxRecord('size', '2') },
      { name: 'b', data: '22', size: '00000000000\0' },
      { name: 'c', data: 'c' },
    )
    expect((await members(archive)).map(({ name, size }) => [name, size])).toEqual([
      ['a', 5],
      ['b', 2],
      ['c', 1],
    ])
  })

  it('end at the first block of zeros, or where the file does', async () => {
    const one = tarOf({ name: 'a', data: 'a' })
    expect(await members(Buffer.concat([one, tarOf({ name: 'b', data: 'b' })]))).toHaveLength(1)
    expect(await members(one.subarray(0, 1024))).toHaveLength(1)
    expect(await members(one.subarray(0, 513))).toHaveLength(1)
    expect(await members(new Uint8Array(0))).toEqual([])
  })

  it("are as GNU tar writes them, in its own form and POSIX's", async () => {
    mkdirSync(join(folder, 'in', 'sub'), { recursive: true })
    const deep = `${'long-directory-name/'.repeat(8)}`
    mkdirSync(join(folder, 'in', deep), { recursive: true })
    writeFileSync(join(folder, 'in', 'a.bin'), Buffer.alloc(70_000, 1))
    writeFileSync(join(folder, 'in', deep, 'ä.txt'), 'text')
    symlinkSync('a.bin', join(folder, 'in', 'sub', 'link'))
    for (const format of ['gnu', 'posix', 'ustar']) {
      const path = join(folder, `${format}.tar`)
      execFileSync('tar', [`--format=${format}`, '--sort=name', '-cf', path, '-C', join(folder, 'in'), '.'])
      const bytes = readFileSync(path)
      const found = await members(bytes)
      expect(found.map(({ name, size }) => [name, size])).toEqual([
        ['./a.bin', 70_000],
        [`./${deep}ä.txt`, 4],
      ])
      for (const { offset, size } of found)
        expect(['text', Buffer.alloc(70_000, 1).toString()]).toContain(bytes.toString('utf8', offset, offset + size))
    }
  })

  it('are told as damaged, with the place', async () => {
    const archive = tarOf({ name: 'a', data: 'x'.repeat(2000) }, { name: 'b', data: 'b' })
    await fails(
      archive.subarray(0, 1500),
      'E_CORRUPT',
      'a.tar: the archive ends at 1500, within a member (at byte 2512)',
    )
    await fails(gzipSync(archive.subarray(0, 1500)), 'E_CORRUPT', 'ends at 1500, within a member')
    await fails(archive.subarray(0, 2700), 'E_CORRUPT', 'no tar archive, or damaged (at byte 2560)')
    const flipped = Buffer.from(archive)
    flipped[2561] = 0x41
    await fails(flipped, 'E_CORRUPT', 'no tar archive, or damaged (at byte 2560)')
    await fails(gzipSync(archive).subarray(0, -20), 'E_CORRUPT', 'cannot be unpacked')
    await fails(Buffer.alloc(600, 1), 'E_CORRUPT', 'no tar archive')
    await fails(tarOf({ name: 'a', size: '9999x999999\0' }), 'E_CORRUPT', 'a member has no size')
    await fails(tarOf({ name: 'x', type: 'x', data: '99 path=a\n' }), 'E_CORRUPT', 'an extended head is damaged')
  })

  it('that would take any memory are refused', async () => {
    await fails(tarBlock({ name: 'x', type: 'x', size: '77777777777\0' }), 'E_LIMIT', 'an extended head of')
    await fails(
      tarOf({ name: 'L', type: 'L', data: 'n'.repeat(5000) }, { name: 'a' }),
      'E_LIMIT',
      'a name of 5000 bytes',
    )
  })

  it('that are sparse are not read', async () => {
    const path = join(folder, 'sparse')
    writeFileSync(path, '')
    truncateSync(path, 10_000_000)
    for (const format of ['gnu', 'posix']) {
      const archive = join(folder, `sparse-${format}.tar`)
      execFileSync('tar', [`--format=${format}`, '--sparse', '-cf', archive, '-C', folder, 'sparse'])
      await fails(readFileSync(archive), 'E_UNSUPPORTED', 'is a sparse file')
    }
  })

  it('that are large are passed over, not read', async () => {
    const source = memorySource('a.tar', tarOf({ name: 'a', data: Buffer.alloc(5_000_000) }, { name: 'b', data: 'b' }))
    let read = 0
    const counting = {
      ...source,
      read: (offset: number, length: number, into?: Uint8Array) => {
        read += length
        return source.read(offset, length, into)
      },
    }
    const names: string[] = []
    for await (const { name } of tarMembers(forwardBytes(counting, 'none', 64 * 1024), 'a.tar')) names.push(name)
    expect(names).toEqual(['a', 'b'])
    expect(read).toBeLessThan(1_100_000)
  })
})
