import { HeadraceError } from '../../errors.ts'
import { statOrAbsent } from '../file/directory.ts'
import { realPath } from '../file/real-path.ts'
import { folderPrefix, type OpenPlace, type Side, sideOf } from './place.ts'
import { directoryOf, type Found } from './source.ts'

/**
 * Where things go. What is in a folder lands under the destination, whether that is there or not and however it ends
 * (`cp -r photos s3://b/photos` makes `s3://b/photos/a.jpg` of `photos/a.jpg`). An object keeps its name in a
 * destination that ends with `/`, is a bucket or is a local directory; any other destination is its new name.
 */
export interface Destination extends Side {
  /** Of the folder that things are put into; undefined where the destination is the name of the only object. */
  readonly prefix: string | undefined
  keyOf(relative: string): string
}

async function isDirectory(place: OpenPlace): Promise<boolean> {
  const path = directoryOf(place, place.key)
  return path !== undefined && (await statOrAbsent(path))?.isDirectory() === true
}

export async function findDestination(place: OpenPlace, sources: readonly Found[]): Promise<Destination> {
  const alone = sources.length === 1 && sources[0]?.kind === 'object'
  const { key } = place
  const side = sideOf(place)
  const isFolder = place.isFolder || (await isDirectory(place))
  if (alone && !isFolder) return { ...side, prefix: undefined, keyOf: () => key }
  if (!isFolder && sources.some(({ kind }) => kind === 'object'))
    throw new HeadraceError('E_USAGE', `several objects need a folder to go to, but got ${place.name(key)}`, {
      hint: `write ${place.name(key)}/ with a slash at the end`,
    })
  const prefix = folderPrefix(place)
  const path = directoryOf(place, prefix)
  if (path !== undefined && (await statOrAbsent(path))?.isDirectory() === false)
    throw new HeadraceError('E_EXISTS', `${place.name(key)} is a file, not a folder`, { path })
  return { ...side, prefix, keyOf: (each) => prefix + each }
}

/** A folder as a string that those of what lies in it begin with: where it really is of directories. */
async function placeOf(side: Side, prefix: string): Promise<string> {
  const path = directoryOf(side, prefix)
  return path === undefined ? prefix : folderPrefix({ key: await realPath(path) })
}

function inOneWorld(a: Side, b: Side): boolean {
  return a.store === b.store || (a.localPath !== undefined && b.localPath !== undefined)
}

function split(key: string): readonly [folder: string, name: string] {
  const end = key.lastIndexOf('/') + 1
  return [key.slice(0, end), key.slice(end)]
}

async function checkApart(source: Found & { readonly kind: 'object' }, destination: Destination): Promise<void> {
  const to = destination.keyOf(source.relative)
  const [[fromFolder, fromName], [toFolder, toName]] = [split(source.info.key), split(to)]
  if (fromName !== toName) return
  if ((await placeOf(source.side, fromFolder)) === (await placeOf(destination, toFolder)))
    throw new HeadraceError('E_USAGE', `${source.side.name(source.info.key)} is to be copied to itself`, {
      url: destination.name(to),
    })
}

/**
 * Refuses what would read its own output: a folder into itself, an object onto itself. Where the destination holds the
 * source, the part of it that is the source is returned, such as `photos/`; otherwise undefined.
 */
export async function overlapOf(source: Found, destination: Destination): Promise<string | undefined> {
  if (!inOneWorld(source.side, destination)) return undefined
  if (source.kind === 'object') {
    await checkApart(source, destination)
    return undefined
  }
  const prefix = destination.prefix ?? ''
  const from = await placeOf(source.side, source.prefix)
  const into = await placeOf(destination, prefix)
  if (into.startsWith(from)) {
    const where = `${source.side.name(source.prefix)} to ${destination.name(prefix)}`
    throw new HeadraceError('E_USAGE', `cannot copy ${where}: the one lies in the other`)
  }
  return from.startsWith(into) ? from.slice(into.length) : undefined
}
