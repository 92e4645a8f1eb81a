import { copyFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { built, headrace, ROOT } from './built.ts'

const GOLDENS = join(ROOT, 'test/fixtures/dlio')

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'headrace-inspect-'))
  await built()
})
afterAll(() => rm(folder, { recursive: true }))

describe('headrace inspect', () => {
  it('tells a file by its content, whatever its name', async () => {
    const path = join(folder, 'a.bin')
    await copyFile(join(GOLDENS, 'npz_dims_f32/img_00_of_12.npz'), path)
    const { code, stdout, stderr } = await headrace('inspect', path)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toBe(
      [
        `file     ${path}`,
        'size     2.49 KiB',
        'format   npz',
        'records  2',
        'record   3 x 17 x 5 float32',
        '',
        'part   type     shape           offset  bytes  codec',
        'x.npy  float32  3 x 17 x 5 x 2      55  2,168',
        'y.npy  int64    2                2,278    144',
        '',
      ].join('\n'),
    )
  })

  it('prints one document, and finds the indexes beside', async () => {
    const { stdout } = await headrace('inspect', '--json', join(GOLDENS, 'idx_dims_i32/img_00_of_12.indexed_binary'))
    expect(JSON.parse(stdout)).toMatchObject({
      format: 'indexed_binary',
      bytes: 504,
      records: 3,
      shape: [168],
      partCount: 3,
    })
  })

  it('fails for what is damaged, not there, or a folder', async () => {
    expect(await headrace('inspect', join(folder, 'no'))).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('E_NOT_FOUND'),
    })
    expect(await headrace('inspect', folder)).toMatchObject({ code: 2, stderr: expect.stringContaining('is a folder') })
  })
})
