import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { HeadraceError } from '../../../src/errors.ts'
import { memorySource } from '../../../src/formats/byte-source.ts'
import { forwardBytes } from '../../../src/formats/forward.ts'
import { type TarMember, tarMembers } from '../../../src/formats/tar/members.ts'
import type { Packing } from '../../../src/formats/unpack.ts'
import { paxRecord, tarOf } from './archives.ts'

const whole = tarOf(
  { name: 'x', type: 'x', data: paxRecord('path', 'ä'.repeat(80)) },
  { name: 'a', data: 'a'.repeat(700) },
  { name: '././@LongLink', type: 'L', data: `${'b'.repeat(200)}\0`, magic: 'ustar  \0' },
  { name: 'b', data: 'bb' },
  { name: 'c/d.jpg', data: '' },
)

async function outcome(bytes: Uint8Array, packing: Packing): Promise<readonly TarMember[] | HeadraceError> {
  const forward = forwardBytes(memorySource('a.tar', bytes), packing, 1024)
  const found: TarMember[] = []
  try {
    for await (const member of tarMembers(forward, 'a.tar')) found.push(member)
    return found
  } catch (error) {
    if (error instanceof HeadraceError) return error
    throw error
  } finally {
    await forward.close()
  }
}

const changes = fc.array(fc.tuple(fc.nat(whole.length - 1), fc.integer({ min: 0, max: 255 })), {
  minLength: 1,
  maxLength: 8,
})

it('whatever is changed in an archive, what is read lies in it or is an error of ours', async () => {
  await fc.assert(
    fc.asyncProperty(
      changes,
      fc.nat(whole.length),
      fc.constantFrom<Packing>('none', 'gzip'),
      async (bytes, cut, packing) => {
        const changed = Buffer.from(whole.subarray(0, whole.length - (cut % 3 === 0 ? cut : 0)))
        for (const [at, byte] of bytes) if (at < changed.length) changed[at] = byte
        const found = await outcome(packing === 'none' ? changed : gzipSync(changed), packing)
        if (found instanceof HeadraceError) {
          expect(['E_CORRUPT', 'E_UNSUPPORTED', 'E_LIMIT']).toContain(found.code)
          expect(found.message.startsWith('a.tar: ')).toBe(true)
        } else for (const { offset, size } of found) expect(offset + size).toBeLessThanOrEqual(changed.length)
      },
    ),
    { numRuns: 300 },
  )
})

it('whatever is changed in a compressed archive, it is read or an error of ours', async () => {
  const packed = gzipSync(
    readFileSync(fileURLToPath(new URL('../../fixtures/webdataset/train-000002.tar', import.meta.url))),
  )
  await fc.assert(
    fc.asyncProperty(
      fc.nat(packed.length - 1),
      fc.integer({ min: 1, max: 255 }),
      fc.boolean(),
      async (at, change, cut) => {
        const changed = Buffer.from(cut ? packed.subarray(0, at) : packed)
        if (!cut) changed[at] = (changed[at] ?? 0) ^ change
        const found = await outcome(changed, 'gzip')
        // Time and name in gzip's head are not checked by anything.
        if (!(found instanceof HeadraceError)) expect([at < 10 || cut, found.length]).toEqual([true, found.length])
        else expect(found.code).toBe('E_CORRUPT')
      },
    ),
    { numRuns: 60 },
  )
})
