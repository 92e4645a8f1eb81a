import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { link, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Dataset, Locations, Sample, Schema } from '../../src/datasets/types.ts'

export const awkward = (name: string): Buffer => readFileSync(new URL(`../fixtures/awkward/${name}`, import.meta.url))

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

/** JPEGs of several kinds and sizes that are all stored as they are. */
export const SOUND = [
  'baseline_420.jpg',
  'gray.jpg',
  'progressive.jpg',
  's444.jpg',
  'cmyk.jpg',
  'odd_17x9.jpg',
  'tiny_1x1.jpg',
  'quality100_444.jpg',
]

/** Writes files below `folder`: path -> contents. */
export async function writeFolder(folder: string, files: Readonly<Record<string, Uint8Array | string>>): Promise<void> {
  for (const [path, contents] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await writeFile(join(folder, path), contents)
  }
}

/** A folder of `count` pictures in three classes; every `pngEvery`-th has to be encoded anew. Links, so that it costs little. */
export async function manyPictures(folder: string, count: number, pngEvery: number): Promise<void> {
  const pool = join(folder, '.pool')
  await mkdir(pool, { recursive: true })
  for (const name of [...SOUND, 'png_named.jpg']) await writeFile(join(pool, name), awkward(name))
  for (const label of ['a', 'b', 'c']) await mkdir(join(folder, label))
  for (let i = 0; i < count; i++) {
    const name = i % pngEvery === pngEvery - 1 ? 'png_named.jpg' : (SOUND[i % SOUND.length] ?? '')
    await link(join(pool, name), join(folder, 'abc'[i % 3] ?? 'a', `${String(i).padStart(5, '0')}.jpg`))
  }
}

/** Every file of a folder by name, as sha256; hidden ones too. */
export async function contentsOf(folder: string): Promise<Record<string, string>> {
  const names = (await readdir(folder)).sort()
  return Object.fromEntries(
    await Promise.all(names.map(async (name) => [name, sha256(await readFile(join(folder, name)))] as const)),
  )
}

export const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  )

export function roomFor(count: number): Locations {
  return {
    offset: new Float64Array(count),
    size: new Float64Array(count),
    height: new Uint32Array(count),
    width: new Uint32Array(count),
  }
}

/** Samples in memory that are read by id; counts what is read. */
export class ListedSamples implements Dataset {
  readonly length: number
  readonly schema: Schema
  readonly fingerprint: string
  readonly reads: number[] = []
  closed = false
  readonly #samples: readonly Sample[]

  constructor(schema: Schema, samples: readonly Sample[], fingerprint = 'listed') {
    this.schema = schema
    this.#samples = samples
    this.length = samples.length
    this.fingerprint = fingerprint
  }

  describe(id: number): string {
    return `listed/${id}`
  }

  async read(id: number): Promise<Sample> {
    this.reads.push(id)
    const sample = this.#samples[id]
    if (sample === undefined) throw new Error(`no sample ${id}`)
    return sample
  }

  async close(): Promise<void> {
    this.closed = true
  }
}
