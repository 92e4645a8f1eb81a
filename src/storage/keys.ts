import { show } from '../checks.ts'
import { HeadraceError } from '../errors.ts'

/** An empty, `.` or `..` segment: on a file system these would be other names of the same file, or ways out of it. */
const ODD_SEGMENT = /(?:^|\/)\.{0,2}(?:\/|$)/
/** No file name holds NUL, and half a surrogate pair has no UTF-8. */
const UNENCODABLE = /\0|\p{Surrogate}/u

/** Refuses what cannot be a key in every store. E_USAGE quotes it. */
export function checkKey(key: string): void {
  if (typeof key === 'string' && !ODD_SEGMENT.test(key) && !UNENCODABLE.test(key)) return
  const reason =
    typeof key === 'string' && UNENCODABLE.test(key)
      ? 'valid Unicode without NUL'
      : 'a relative path without empty, "." or ".." segments'
  throw new HeadraceError('E_USAGE', `a key must be ${reason}, but got ${show(key)}`)
}

/** A prefix may end anywhere, also within a name; what stands before its last `/` is held to the rules of keys. */
export function checkPrefix(prefix: string): void {
  const directory = prefix.slice(0, Math.max(0, prefix.lastIndexOf('/')))
  if (UNENCODABLE.test(prefix) || prefix.startsWith('/') || (directory !== '' && ODD_SEGMENT.test(directory)))
    throw new HeadraceError(
      'E_USAGE',
      `a prefix must be the beginning of a key, without empty, "." or ".." segments, but got ${show(prefix)}`,
    )
}

/** Consoles of object stores make folders of empty objects; '' is that of the folder that a store lies in. */
export function isFolderMarker({ key, size }: { readonly key: string; readonly size: number }): boolean {
  return size === 0 && (key === '' || key.endsWith('/'))
}

/** Moves surrogates above U+E000 .. U+FFFF, where UTF-8 has the characters that they stand for. */
function rank(unit: number): number {
  if (unit < 0xd800) return unit
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800
}

/** Orders keys by their UTF-8 bytes. JavaScript's own `<` goes by UTF-16 units, which differs past U+D800. */
export function compareKeys(a: string, b: string): number {
  const shorter = Math.min(a.length, b.length)
  for (let i = 0; i < shorter; i++) {
    const unitA = a.charCodeAt(i)
    const unitB = b.charCodeAt(i)
    if (unitA !== unitB) return rank(unitA) - rank(unitB)
  }
  return a.length - b.length
}
