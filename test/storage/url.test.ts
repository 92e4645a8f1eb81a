import { resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import { openStore } from '../../src/storage/open.ts'
import { locateIn, parseStoreUrl, type UrlForm } from '../../src/storage/url.ts'
import { failing } from './conformance.ts'

/** The forms that schemes have, whichever of them there are. */
const FORMS: Readonly<Record<string, UrlForm>> = {
  file: { options: ['sync'], container: 'path' },
  direct: { options: [], container: 'path' },
  mem: { options: [], container: 1 },
  s3: { options: ['endpoint', 'region'], container: 1 },
  az: { options: ['endpoint'], container: 2 },
}

const locate = (text: string) => {
  const { root, key, isFolder } = locateIn(text, FORMS)
  return [root, key, isFolder] as const
}

describe('a URL or path is a container and a key in it', () => {
  test.each([
    ['s3://b', 's3://b', '', true],
    ['s3://b/', 's3://b', '', true],
    ['s3://b//', 's3://b', '', true],
    ['s3:///b', 's3://b', '', true],
    ['S3://b/k', 's3://b', 'k', false],
    ['s3://b/a/c', 's3://b', 'a/c', false],
    ['s3://b//a/c', 's3://b', 'a/c', false],
    ['s3:////b///a/c', 's3://b', 'a/c', false],
    ['s3://b/a/', 's3://b', 'a/', true],
    ['s3://b/a//', 's3://b', 'a/', true],
    ['s3://b//a///', 's3://b', 'a/', true],
    ['s3://b/a//c', 's3://b', 'a//c', false],
    ['s3://b/./a/../c', 's3://b', './a/../c', false],
    ['az://acc/con', 'az://acc/con', '', true],
    ['az://acc/con/', 'az://acc/con', '', true],
    ['az://acc//con//a/b', 'az://acc/con', 'a/b', false],
    ['az://acc/con/a/', 'az://acc/con', 'a/', true],
    ['mem://name/a', 'mem://name', 'a', false],
    ['file:///', 'file:///', '', true],
    ['file:///p', 'file:///', 'p', false],
    ['file:////p//q', 'file:///', 'p/q', false],
    ['file:///p/', 'file:///', 'p', true],
    ['file:///p/./x/../q//', 'file:///', 'p/q', true],
    ['file://localhost/p', 'file:///', 'p', false],
    ['direct:///p/q', 'direct:///', 'p/q', false],
    ['/p/q', 'file:///', 'p/q', false],
    ['/p//q/', 'file:///', 'p/q', true],
    ['/', 'file:///', '', true],
    ['//', 'file:///', '', true],
    ['/a://b', 'file:///', 'a:/b', false],
  ])('%s', (text, root, key, isFolder) => {
    expect(locate(text)).toEqual([root, key, isFolder])
  })

  test.each(['a', 'a/b', './a', '../a', 'a b', 'a%20b', '.', '..', 'a/', 'x/..'])('a relative path: %s', (path) => {
    const isFolder = /(^|\/)\.{0,2}$/.test(path)
    expect(locate(path)).toEqual(['file:///', resolve(path).slice(1), isFolder])
  })

  test('keys are literal: nothing is decoded', () => {
    for (const key of ['a%20b', 'a+b', 'a b', 'a#b', 'a?b', 'a?x=1', 'a?', 'ä/日本', 'a:b://c', 'a\nb'])
      expect(locate(`s3://b/${key}`)).toEqual(['s3://b', key, false])
  })

  test('a query counts if every name in it is an option of the scheme', () => {
    const { root, key, options } = locateIn('s3://b/a?endpoint=http://h:1&region=x', FORMS)
    expect([root, key, options]).toEqual(['s3://b', 'a', { endpoint: 'http://h:1', region: 'x' }])
    expect(locate('s3://b/a?endpont=x&other=1')[1]).toBe('a?endpont=x&other=1')
    expect(locateIn('s3://b?region=x', FORMS)).toMatchObject({ root: 's3://b', key: '', options: { region: 'x' } })
    expect(locateIn('s3://b/a/?region=x', FORMS)).toMatchObject({ key: 'a/', isFolder: true })
    expect(locateIn('s3://b/what?a?region=x', FORMS)).toMatchObject({ key: 'what?a', options: { region: 'x' } })
    expect(parseStoreUrl('/p?sync=never', FORMS)).toEqual({ scheme: undefined, location: '/p?sync=never', options: {} })
  })

  test('options beside a name that is none are part of a key', () => {
    expect(locate('s3://b/a?endpoint=x&other=1')[1]).toBe('a?endpoint=x&other=1')
  })

  test.each([
    ['s3://b?endpont=http://h:9000', 'endpont', 'endpoint'],
    ['gs://b?projekt=p', 'projekt', 'project'],
    ['az://acc/con?checksum=off', 'checksum', 'checksums'],
  ])('%s is a slip of the pen, and no bad name of a bucket', async (url, name, meant) => {
    for (const text of [url, `${url}&x=hidden`]) {
      const opening = openStore(text, { anonymous: true })
      await expect(opening).rejects.toEqual(failing('E_USAGE', `"${name}"; did you mean ${meant}?`))
      await expect(opening).rejects.not.toThrow(/hidden/)
    }
  })

  test('objects are named by what stands before their key', () => {
    const names = ['s3://b/a?region=x', 'az://acc/con/a', '/p/q', 'direct:///p']
    expect(names.map((text) => locateIn(text, FORMS).prefix)).toEqual(['s3://b/', 'az://acc/con/', '/', 'direct:///'])
  })

  test.each(['s3://', 's3:///', 'az://acc', 'az://acc/', 'az://'])('%s names no bucket', (text) => {
    expect(() => locate(text)).toThrow(failing('E_USAGE', JSON.stringify(text), 'names no bucket') as Error)
  })

  test('unknown schemes, empty texts and file URLs without an absolute path are refused', () => {
    expect(() => locate('ftp://h/x?secret=1')).toThrow(failing('E_UNSUPPORTED', 'ftp://', 's3://') as Error)
    expect(() => locate('')).toThrow(failing('E_USAGE', 'got ""') as Error)
    expect(() => locate('file://host/p')).toThrow(failing('E_USAGE', '"file://host/p"') as Error)
    expect(() => locate('direct://p')).toThrow(failing('E_USAGE', '"direct://p"') as Error)
  })
})
