import { existsSync } from 'node:fs'
import { link, mkdir, readdir, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { makePhotos, type PhotoSet } from '../../examples/make-photos.ts'
import { run, runJson } from './command.ts'
import type { Extent } from './extent.ts'
import { cli, made, root } from './places.ts'

/** The pictures that everything is measured on: crops of the example photographs, 4:2:0. */
const RECIPES: Readonly<Record<string, Omit<PhotoSet, 'count'>>> = {
  'short256-q90': { shortSide: 256, quality: 90, seed: 1 },
  'short256-q100': { shortSide: 256, quality: 100, seed: 1 },
  'long500-q90': { longSide: 500, quality: 90, seed: 1 },
}

export interface ImageSet {
  readonly name: string
  readonly quality: number
  readonly folder: string
  readonly cache: string
  /** Images of an epoch: pictures x links. */
  readonly images: number
  readonly pictures: number
  readonly meanBytes: number
  readonly meanWidth: number
  readonly meanHeight: number
}

interface CacheInfo {
  readonly images: number
  readonly fields: {
    readonly image: { readonly bytes: number; readonly meanWidth: number; readonly meanHeight: number }
  }
}

/** Every picture of `folder` under `links - 1` more names. */
async function linkAgain(folder: string, links: number): Promise<void> {
  for (const name of await readdir(folder, { recursive: true })) {
    if (!name.endsWith('.jpg')) continue
    const path = join(folder, name)
    for (let i = 1; i < links; i++) await link(path, join(dirname(path), `again${i}-${basename(path)}`))
  }
}

/** Makes what is not there yet; an interrupted run leaves nothing half done under the final names. */
export async function imageSet(
  name: string,
  { pictures, links }: Extent,
  say: (line: string) => void,
): Promise<ImageSet> {
  const recipe = RECIPES[name]
  if (recipe === undefined) throw new Error(`there is no set ${name}; there are ${Object.keys(RECIPES).join(', ')}`)
  const folder = join(made, `${name}-${pictures}x${links}`)
  const cache = `${folder}.cache`
  if (!existsSync(folder)) {
    say(`${name}: making ${pictures} pictures`)
    const unfinished = `${folder}.part`
    await rm(unfinished, { recursive: true, force: true })
    await mkdir(unfinished, { recursive: true })
    await makePhotos(join(root, 'examples', 'data', 'photos'), unfinished, { ...recipe, count: pictures })
    await linkAgain(unfinished, links)
    await rename(unfinished, folder)
  }
  // Built anew each time: the format may have changed since the last run.
  await run([process.execPath, cli, 'cache', 'build', folder, cache, '--on-error', 'throw', '--force'])
  const info = await runJson<CacheInfo>([process.execPath, cli, 'cache', 'info', cache, '--json'])
  const { bytes, meanWidth, meanHeight } = info.fields.image
  const { quality } = recipe
  return {
    name,
    quality,
    folder,
    cache,
    images: info.images,
    pictures,
    meanBytes: bytes / info.images,
    meanWidth,
    meanHeight,
  }
}
