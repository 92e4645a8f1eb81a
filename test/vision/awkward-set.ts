import { cp, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Dataset } from '../../src/datasets/types.ts'
import type { RaggedImages } from '../../src/loader/index.ts'
import { decode, load } from '../../src/vision/index.ts'

export const AWKWARD = fileURLToPath(new URL('../fixtures/awkward/', import.meta.url))

export interface AwkwardFolder {
  /** An image folder with the one class `set`. */
  readonly root: string
  readonly files: readonly string[]
  /** A place beside it. */
  place(name: string): string
  remove(): Promise<void>
}

/** The awkward files as an image folder. */
export async function awkwardFolder(): Promise<AwkwardFolder> {
  const folder = await mkdtemp(join(tmpdir(), 'headrace-awkward-'))
  const root = join(folder, 'photos')
  const files = (await readdir(AWKWARD)).filter((name) => !name.endsWith('.json')).sort()
  await mkdir(join(root, 'set'), { recursive: true })
  for (const name of files) await cp(join(AWKWARD, name), join(root, 'set', name))
  return {
    root,
    files,
    place: (name) => join(folder, name),
    remove: () => rm(folder, { recursive: true, force: true }),
  }
}

/** What becomes of each sample that is decoded at its own size: '320x213', or 'E_CORRUPT reason'. By file name. */
export async function outcomes(dataset: Dataset, tolerant: boolean): Promise<Map<string, string>> {
  const nameOf = (id: number) => dataset.describe(id).replace('set/', '')
  const found = new Map<string, string>()
  const loader = load(dataset, {
    image: [decode({ tolerant })],
    fields: ['image'],
    onError: 'skip',
    batchSize: 8,
    rank: 0,
    worldSize: 1,
  })
  for await (const batch of loader) {
    const { image } = batch as unknown as { readonly image: RaggedImages }
    for (const [row, id] of batch.meta.index.data.entries())
      found.set(nameOf(Number(id)), `${image.widths[row]}x${image.heights[row]}`)
  }
  for (const { sample, key, code, reason } of loader.report().faults)
    found.set(nameOf(sample), `${code} ${reason.replace(`${key} `, '')}`)
  loader.close()
  return found
}

/** An order of one's own: these samples, every epoch. */
export function only(...ids: readonly number[]) {
  return {
    length: ids.length,
    prepare() {},
    fill: (_: number, start: number, out: Float64Array) => out.set(ids.slice(start, start + out.length)),
  }
}
