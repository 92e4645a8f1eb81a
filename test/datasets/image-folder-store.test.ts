import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { buildManifest, imageFolder, openDataset } from '../../src/datasets/index.ts'
import { type S3Server, startS3Server } from '../../src/dev/s3/index.ts'
import { HeadraceError } from '../../src/errors.ts'
import { openStore } from '../../src/storage/open.ts'
import type { Store } from '../../src/storage/types.ts'
import { awkward } from '../cache/sources.ts'

const picture = awkward('odd_17x9.jpg')

let server: S3Server
let store: Store
beforeAll(async () => {
  server = await startS3Server()
  process.env.AWS_ENDPOINT_URL = server.url
  process.env.AWS_ACCESS_KEY_ID = 'testkey'
  process.env.AWS_SECRET_ACCESS_KEY = 'testsecret'
  store = await openStore('s3://pictures')
  await store.createContainer?.()
  const objects = {
    'set/': '',
    'set/cat/': '',
    'set/cat/1.jpg': picture,
    'set/cat/deep/2.jpg': picture,
    'set/dog/a b+c.jpg': picture,
    'set/dog/notes.jpg': Buffer.from('no picture'),
    'set/dog/empty.jpg': '',
    'set/README': Buffer.from('about'),
    'set/.hidden/3.jpg': picture,
    'settings/cat/4.jpg': picture,
  }
  for (const [key, body] of Object.entries(objects)) await store.put(key, Buffer.from(body))
})
afterAll(async () => {
  await store.close()
  await server.close()
})

const read = async (url: string) => {
  const folder = await imageFolder(url)
  try {
    const ids = Array.from({ length: folder.length }, (_, id) => id)
    const samples = await Promise.all(ids.map((id) => folder.read(id).catch((error: unknown) => error)))
    const told = samples.map((sample) =>
      sample instanceof HeadraceError
        ? sample.code
        : [(sample as { label: bigint }).label, (sample as { path: string }).path],
    )
    return { classes: folder.classes, ignored: folder.ignored, told, fingerprint: folder.fingerprint }
  } finally {
    await folder.close()
  }
}

it('a folder in a bucket has classes as a local one has; markers of folders are no pictures', async () => {
  const found = await read('s3://pictures/set')
  expect(found).toMatchObject({
    classes: ['cat', 'dog'],
    ignored: ['README'],
    told: [[0n, 'cat/1.jpg'], [0n, 'cat/deep/2.jpg'], [1n, 'dog/a b+c.jpg'], 'E_CORRUPT', 'E_UNSUPPORTED'],
  })
  for (const url of ['s3://pictures/set/', 's3://pictures//set//']) expect(await read(url)).toEqual(found)
})

it('an object that was replaced since the listing is told', async () => {
  const folder = await imageFolder('s3://pictures/settings')
  await store.put('settings/cat/4.jpg', Buffer.concat([picture, Buffer.alloc(1)]))
  await expect(folder.read(0)).rejects.toMatchObject({ code: 'E_STATE' })
  await folder.close()
})

it('a folder is what a manifest lists, too, and opens again from its spec', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'headrace-image-folder-'))
  try {
    const manifest = join(dir, 'set.manifest')
    await buildManifest('s3://pictures/set', manifest)
    const listed = await imageFolder('s3://pictures/set')
    const folder = await imageFolder('s3://pictures/set', { manifest })
    expect(folder).toMatchObject({ classes: ['cat', 'dog'], ignored: ['README'], length: 5 })
    expect(await folder.read(1)).toEqual(await listed.read(1))
    for (const each of [listed, folder]) {
      const again = await openDataset(JSON.parse(JSON.stringify(each.spec)))
      expect(again).toMatchObject({ fingerprint: each.fingerprint, length: 5 })
      await again.close()
      await each.close()
    }
    await store.put('set/dog/a b+c.jpg', Buffer.concat([picture, Buffer.alloc(1)]))
    await expect(openDataset(listed.spec)).rejects.toMatchObject({ code: 'E_STATE' })
    const old = await openDataset(folder.spec)
    await expect(old.read(2)).rejects.toMatchObject({ code: 'E_STATE', details: { key: 'dog/a b+c.jpg' } })
    await old.close()
    await expect(openDataset({ ...folder.spec, label: 3 })).rejects.toMatchObject({ code: 'E_USAGE' })
  } finally {
    await rm(dir, { recursive: true })
  }
})

it('what is not there, and a bucket that is not, is E_NOT_FOUND', async () => {
  for (const url of ['s3://pictures/nothing', 's3://no-such-bucket/set'])
    await expect(imageFolder(url)).rejects.toMatchObject({ code: 'E_NOT_FOUND' })
})
