import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openManifest } from '../../src/datasets/index.ts'
import { openStore } from '../../src/storage/open.ts'
import { built, headrace } from './built.ts'

let folder: string
let data: string
let list: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'headrace-manifest-cli-'))
  data = join(folder, 'data')
  list = join(folder, 'train.manifest')
  const store = await openStore(data)
  for (let i = 0; i < 7; i++) await store.put(`c/${i}.jpg`, new Uint8Array(1000 * i))
  await store.put('notes.txt', new Uint8Array(5))
  await store.close()
  await built()
})
afterAll(() => rm(folder, { recursive: true }))

describe('headrace manifest', () => {
  it('build writes the list, and says what is in it', async () => {
    expect(await headrace('manifest', 'build', data, list, '--include', '*.jpg')).toEqual({
      code: 0,
      stdout: `7 objects, 20.5 KiB: ${list}\n`,
      stderr: '',
    })
    const { code, stdout } = await headrace('manifest', 'build', data, join(folder, 'all'), '--json')
    expect({ code, ...JSON.parse(stdout) }).toMatchObject({ code: 0, url: `file://${data}`, length: 8, bytes: 21_005 })
  })

  it('cat prints keys, or documents', async () => {
    expect((await headrace('manifest', 'cat', list, '--start', '2', '--count', '3')).stdout).toBe(
      'c/2.jpg\nc/3.jpg\nc/4.jpg\n',
    )
    const { stdout } = await headrace('manifest', 'cat', list, '--json')
    const manifest = await openManifest(list)
    expect(
      stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toEqual([...manifest.entries()])
    manifest.close()
  })

  it('info says what it is of', async () => {
    const manifest = await openManifest(list)
    manifest.close()
    expect((await headrace('manifest', 'info', list)).stdout).toBe(
      [
        `url          file://${data}`,
        'objects      7',
        'bytes        20.5 KiB',
        'largest      5.86 KiB',
        `fingerprint  ${manifest.fingerprint}`,
        'include      *.jpg',
        '',
      ].join('\n'),
    )
    expect(JSON.parse((await headrace('manifest', 'info', list, '--json')).stdout)).toMatchObject({
      length: 7,
      largest: 6000,
    })
  })

  it('fails for what is no manifest, and where nothing is listed', async () => {
    expect(await headrace('manifest', 'info', join(data, 'notes.txt'))).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('is not a manifest, or is damaged'),
    })
    expect(await headrace('manifest', 'build', data, list, '--include', '*.png')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('E_NOT_FOUND'),
    })
    expect(await headrace('manifest', 'build', data)).toMatchObject({ code: 2 })
  })
})
