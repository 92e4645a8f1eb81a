import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openStore } from '../../src/storage/index.ts'
import { bytesOf, failing, textAt } from './conformance.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'headrace-open-'))
  writeFileSync(join(folder, 'k'), 'here')
})
afterEach(() => rmSync(folder, { recursive: true }))

describe('openStore', () => {
  test('opens a directory by path, relative path, URL text and URL', async () => {
    const forms = [
      folder,
      relative(process.cwd(), folder),
      `file://${folder}`,
      `file://localhost${folder}`,
      pathToFileURL(folder),
    ]
    for (const form of forms) {
      const store = await openStore(form)
      expect(await textAt(store, 'k')).toBe('here')
      expect(store.url).toBe(`file://${folder}`)
    }
  })

  test('opens the same store again from its spec', async () => {
    const { spec } = await openStore(folder, { sync: 'never' })
    const again = await openStore(spec.url, spec.options)
    expect(again.spec).toEqual({ url: `file://${folder}`, options: { sync: 'never' } })
    expect(await textAt(again, 'k')).toBe('here')
  })

  test('takes strings literally, and decodes URL objects', async () => {
    for (const name of ['a b', 'a%20b', 'a?b', 'a#b', 'a?other=1', 'ü']) {
      const root = join(folder, name)
      await (await openStore(root)).put('k', bytesOf(name))
      const byText = await openStore(`file://${root}`)
      expect(await textAt(byText, 'k')).toBe(name)
      expect(await textAt(await openStore(byText.url), 'k')).toBe(name)
      expect(await textAt(await openStore(pathToFileURL(root)), 'k')).toBe(name)
    }
  })

  test('reads options from the query if it knows every name in it; given options win', async () => {
    expect((await openStore(`file://${folder}?sync=never`)).spec).toEqual({
      url: `file://${folder}`,
      options: { sync: 'never' },
    })
    expect((await openStore(`file://${folder}?sync=never`, { sync: 'always' })).spec.options).toEqual({
      sync: 'always',
    })
    expect((await openStore(`file://${folder}?sync=never&x=1`)).url).toBe(`file://${folder}?sync=never&x=1`)
    await expect(openStore(`file://${folder}?sync=maybe`)).rejects.toEqual(
      failing('E_USAGE', 'sync must be one of', '"maybe"'),
    )
  })

  test('opens memory', async () => {
    const store = await openStore('mem://scratch')
    await store.put('k', bytesOf('x'))
    expect(store.url).toBe('mem://scratch')
    expect(await textAt(store, 'k')).toBe('x')
  })

  test('names the schemes there are when asked for another', async () => {
    await expect(openStore('s4://bucket/x')).rejects.toEqual(failing('E_UNSUPPORTED', 's4://', 'file://', 'mem://'))
    await expect(openStore('constructor://x')).rejects.toEqual(failing('E_UNSUPPORTED', 'constructor://'))
  })

  test('refuses what cannot be a directory, and options that there are not', async () => {
    await expect(openStore(join(folder, 'k'))).rejects.toEqual(
      failing('E_USAGE', 'needs a directory', join(folder, 'k')),
    )
    await expect(openStore('file://relative/path')).rejects.toEqual(failing('E_USAGE', '"file://relative/path"'))
    await expect(openStore('')).rejects.toEqual(failing('E_USAGE', 'got ""'))
    await expect(openStore(folder, { snyc: 'never' })).rejects.toEqual(failing('E_USAGE', '"snyc"', 'sync'))
    await expect(openStore('mem://x', { sync: 'never' })).rejects.toEqual(failing('E_USAGE', '"sync"'))
  })

  test('a directory that is not there is an empty store until something is put', async () => {
    const store = await openStore(join(folder, 'new'))
    expect(await store.head('k')).toBeUndefined()
    await store.put('k', bytesOf('made'))
    expect(await textAt(store, 'k')).toBe('made')
  })
})
