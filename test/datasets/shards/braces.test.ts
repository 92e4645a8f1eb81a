import { describe, expect, it } from 'vitest'
import { bracedNames } from '../../../src/datasets/shards/braces.ts'

const names = (url: string) => bracedNames(url)?.names

describe('braces in a URL', () => {
  it('are ranges of numbers, with as many digits as the first one has', () => {
    expect(names('/d/a-{008..011}.tar')).toEqual(['a-008.tar', 'a-009.tar', 'a-010.tar', 'a-011.tar'])
    expect(names('/d/{2..0}')).toEqual(['2', '1', '0'])
  })

  it('are lists, within and behind each other', () => {
    expect(names('s3://b/{x,y}/{1..2}')).toEqual(['x/1', 'x/2', 'y/1', 'y/2'])
    expect(names('/d/{a{1..2},b}')).toEqual(['a1', 'a2', 'b'])
  })

  it('stand behind a folder, and before what tells the store how to be opened', () => {
    expect(bracedNames('s3://b/set/t-{0..1}.tar?region=eu-west-1')).toEqual({
      folder: 's3://b/set/?region=eu-west-1',
      pattern: 't-{0..1}.tar',
      names: ['t-0.tar', 't-1.tar'],
      query: '?region=eu-west-1',
    })
  })

  it('are letters where they hold one name', () => {
    for (const url of ['/d/plain', '/d/{a}', '/d/{}', '/d/{1..}']) expect(bracedNames(url)).toBeUndefined()
  })

  it('stand for a hundred thousand names at most', () => {
    expect(names('/d/{1..100000}')).toHaveLength(100_000)
    for (const url of ['/d/{1..100001}', '/d/{0..999999999999}', '/d/{0..999}{0..999}'])
      expect(() => bracedNames(url)).toThrow(expect.objectContaining({ code: 'E_LIMIT' }))
  })
})
