import { describe, expect, test } from 'vitest'
import { keyIn, type ListPage, pagedList } from '../../../src/storage/remote/paged-list.ts'
import type { ListEntry, ListOptions } from '../../../src/storage/types.ts'
import { failing } from '../conformance.ts'

const object = (key: string): ListEntry => ({ kind: 'object', key, size: 1, etag: 'e', modified: 0 })

function pages(texts: readonly (readonly string[])[], token = (at: number) => `${at}`) {
  const asked: (string | undefined)[] = []
  const fetchPage = async (at: string | undefined): Promise<ListPage> => {
    asked.push(at)
    const index = asked.length - 1
    return {
      entries: (texts[index] ?? []).map((name) =>
        name.endsWith('/') ? { kind: 'prefix', prefix: name } : object(name),
      ),
      token: index + 1 < texts.length ? token(index + 1) : undefined,
    }
  }
  return { asked, fetchPage }
}

async function names(texts: readonly (readonly string[])[], options: ListOptions = {}, prefix = ''): Promise<string[]> {
  const { fetchPage } = pages(texts)
  const found: string[] = []
  for await (const entry of pagedList({ url: 'x://b', prefix, options, fetchPage, hasAfter: async () => false }))
    found.push(entry.kind === 'object' ? entry.key : entry.prefix)
  return found
}

describe('a listing in pages', () => {
  test('is whole and in order, whatever the order within a page', async () => {
    expect(await names([['b', 'a/', 'a'], [], ['c', 'd']])).toEqual(['a', 'a/', 'b', 'c', 'd'])
  })

  test('begins behind its start, and gives a prefix that two pages share once', async () => {
    expect(
      await names(
        [
          ['a', 'b/'],
          ['b/', 'c'],
        ],
        { startAfter: 'a' },
      ),
    ).toEqual(['b/', 'c'])
  })

  test.each([
    ['keys that go back', [['b'], ['a']], 'not in the order'],
    ['keys of another prefix', [['p/a'], ['q/a']], 'other keys'],
  ] as const)('with %s is E_CORRUPT', async (_, texts, reason) => {
    const prefix = texts[0][0].startsWith('p/') ? 'p/' : ''
    await expect(names(texts, {}, prefix)).rejects.toEqual(failing('E_CORRUPT', 'x://b', reason))
  })

  test('that goes round in a circle is E_CORRUPT', async () => {
    const { fetchPage } = pages([['a'], ['b'], ['c'], ['d']], () => 'same')
    const run = async () => {
      for await (const _ of pagedList({
        url: 'x://b',
        prefix: '',
        options: {},
        fetchPage,
        hasAfter: async () => false,
      }));
    }
    await expect(run()).rejects.toEqual(failing('E_CORRUPT', 'the same one again'))
  })

  test('that is left ends the page that is on its way', async () => {
    const signals: AbortSignal[] = []
    const fetchPage = async (at: string | undefined, signal: AbortSignal): Promise<ListPage> => {
      signals.push(signal)
      return { entries: [object(at ?? 'a')], token: 'b' }
    }
    for await (const _ of pagedList({ url: 'x://b', prefix: '', options: {}, fetchPage, hasAfter: async () => false }))
      break
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, true])
  })
})

test('what lies outside of the root is no key of the store', () => {
  expect(keyIn('a/', 'a/b')).toBe('b')
  expect(keyIn('a/', 'a/')).toBeUndefined()
  expect(() => keyIn('a/', 'b')).toThrow(failing('E_CORRUPT', 'other keys') as Error)
})
