import picomatch from 'picomatch'
import { show } from '../../checks.ts'
import { HeadraceError } from '../../errors.ts'

/** Whether a key is meant, by what stands behind the folder. */
export type Filter = (relative: string) => boolean

export interface Globs {
  readonly include?: readonly string[] | undefined
  readonly exclude?: readonly string[] | undefined
}

/** Names that begin with a dot are names as all others, and a `!` is a letter. */
const OPTIONS = { dot: true, nonegate: true, noextglob: true }

function matcher(name: string, globs: readonly string[]): Filter {
  const tests = globs.map((glob) => {
    if (typeof glob !== 'string' || glob === '')
      throw new HeadraceError('E_USAGE', `${name} must be globs such as '*.jpg', but got ${show(glob)}`)
    const test = picomatch(glob, OPTIONS)
    if (glob.includes('/')) return (key: string) => test(key)
    return (key: string) => test(key.slice(key.lastIndexOf('/') + 1))
  })
  return (key) => tests.some((test) => test(key))
}

/** Lets through what one of `include` matches, or everything without them, and none of `exclude` does. */
export function filterOf({ include = [], exclude = [] }: Globs): Filter {
  if (include.length === 0 && exclude.length === 0) return () => true
  const wanted = include.length === 0 ? () => true : matcher('include', include)
  const unwanted = matcher('exclude', exclude)
  return (key) => wanted(key) && !unwanted(key)
}
