import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { show } from '../../checks.ts'
import { ImageFolder, imageFolder } from '../../datasets/image-folder.ts'
import { fromSamples, type LooseSamples, SampleStream } from '../../datasets/iterable.ts'
import { nameOf } from '../../datasets/name-of.ts'
import type { Dataset, Sample, Schema } from '../../datasets/types.ts'
import { HeadraceError } from '../../errors.ts'
import { localDirectory } from '../../storage/open.ts'
import { checkExported, exportedSample } from './exported.ts'
import { ImageCache } from './image-cache.ts'
import { MANIFEST } from './layout.ts'
import { openImageCache } from './open.ts'
import type { BuildSettings } from './options.ts'

/** What a cache can be built from: a folder of pictures, a cache, any dataset, or samples one by one. */
export type BuildInput = string | Dataset | LooseSamples

/** Samples in order; `next` may be called again before the last one has arrived. undefined: there are no more. */
export interface Cursor {
  next(): Promise<Sample | undefined>
  close(): Promise<void>
}

/** A source of samples with what a build needs to know about it. */
export interface BuildSource {
  readonly schema: Schema
  readonly length: number | undefined
  readonly url: string | undefined
  /** Absent where the same samples cannot be asked for again: such a build cannot be resumed. */
  readonly fingerprint: string | undefined
  readonly classes: readonly string[] | undefined
  readonly ignored: readonly string[]
  describe(id: number): string
  /** Bytes that sample `id` will bring, where they are known. */
  expectedBytes(id: number): number | undefined
  cursor(from: number): Cursor
  /** Sample `id`, in any order; absent where samples can only be had one after the other. */
  readonly sample: ((id: number) => Promise<Sample>) | undefined
  close(): Promise<void>
}

/** Values of plain JavaScript are anything. */
function checkInput(input: unknown): void {
  if (typeof input === 'string') return
  const samples = typeof input === 'object' && input !== null
  if (samples && (isDataset(input as object) || Symbol.iterator in input || Symbol.asyncIterator in input)) return
  throw new HeadraceError(
    'E_USAGE',
    `the source must be a folder, a cache, a dataset or samples, but got ${show(input)}`,
    {
      ...(input instanceof Promise ? { hint: 'await it' } : {}),
    },
  )
}

function isDataset(input: object): input is Dataset {
  return 'schema' in input && 'read' in input && typeof input.read === 'function'
}

function selected(schema: Schema, fields: readonly string[] | undefined): Schema {
  if (fields === undefined) return schema
  const unknown = fields.find((name) => !Object.hasOwn(schema, name))
  if (unknown !== undefined)
    throw new HeadraceError(
      'E_USAGE',
      `fields names ${JSON.stringify(unknown)}, but the source has ${Object.keys(schema).join(', ')}`,
    )
  return Object.fromEntries(Object.entries(schema).filter(([name]) => fields.includes(name)))
}

/** Reads samples of a dataset; pictures of a cache as the JPEG that they were. E_CORRUPT where there is no sample. */
function reader(dataset: Dataset, settings: BuildSettings): (id: number) => Promise<Sample> {
  const { fields, signal } = settings
  const options = { ...(fields ? { fields } : {}), ...(signal ? { signal } : {}) }
  const read = async (id: number): Promise<Sample> => {
    const sample: unknown = await dataset.read(id, options)
    // where it is not a sample, the next one may be: it must not pass for the end of the source
    if (typeof sample === 'object' && sample !== null) return sample as Sample
    throw new HeadraceError('E_CORRUPT', `read must give a sample, but gave ${show(sample)}`, { sample: id })
  }
  if (!(dataset instanceof ImageCache)) return read
  return async (id) => exportedSample(dataset, id, await read(id), settings)
}

/** A dataset's samples by id: reads overlap. */
function byId(dataset: Dataset, length: number, from: number, settings: BuildSettings): Cursor {
  const read = reader(dataset, settings)
  let id = from
  return {
    next: () => (id < length ? read(id++) : Promise.resolve(undefined)),
    close: () => Promise.resolve(),
  }
}

/** Samples that can only be had one after the other. */
function inOrder(samples: AsyncIterable<Sample>): Cursor {
  const iterator = samples[Symbol.asyncIterator]()
  // an iterator must not be asked before it has answered
  let last: Promise<unknown> = Promise.resolve()
  return {
    next: () => {
      const step = last.then(() => iterator.next()).then((result) => (result.done ? undefined : result.value))
      last = step.catch(() => undefined)
      return step
    },
    close: async () => {
      await iterator.return?.()
    },
  }
}

function describeSource(dataset: Dataset, settings: BuildSettings, own: boolean): BuildSource {
  const streamed = dataset instanceof SampleStream ? dataset : undefined
  const folder = dataset instanceof ImageFolder ? dataset : undefined
  const { length } = dataset
  if (length === undefined && !streamed)
    throw new HeadraceError(
      'E_USAGE',
      'a dataset of unknown length cannot be read by id: pass its samples as an iterable',
    )
  const schema = selected(dataset.schema, settings.fields)
  if (dataset instanceof ImageCache) checkExported(dataset, Object.keys(schema))
  const named = dataset as Dataset & { readonly classes?: readonly string[]; readonly url?: string }
  return {
    schema,
    length,
    url: named.url,
    fingerprint: streamed ? undefined : dataset.fingerprint,
    classes: named.classes,
    ignored: folder?.ignored ?? [],
    describe: (id) => nameOf(dataset, id),
    expectedBytes: (id) => folder?.sizeOf(id),
    cursor: (from) => (streamed ? inOrder(streamed) : byId(dataset, length ?? 0, from, settings)),
    sample: streamed ? undefined : reader(dataset, settings),
    close: () => (own ? dataset.close() : Promise.resolve()),
  }
}

async function isCache(input: string): Promise<boolean> {
  const path = localDirectory(input)
  if (path === undefined) return false
  return stat(join(path, MANIFEST)).then(
    (found) => found.isFile(),
    () => false,
  )
}

export async function openBuildSource(input: BuildInput, settings: BuildSettings): Promise<BuildSource> {
  const { fieldNames, signal } = settings
  checkInput(input)
  if (typeof input !== 'string' && !isDataset(input))
    return describeSource(await fromSamples(input, fieldNames ? { fieldNames } : {}), settings, true)
  if (fieldNames !== undefined) throw new HeadraceError('E_USAGE', 'fieldNames is for a source of tuples')
  if (typeof input !== 'string') return describeSource(input, settings, false)
  if (await isCache(input)) return describeSource(await openImageCache<Schema>(input), settings, true)
  return describeSource(await imageFolder(input, signal ? { signal } : {}), settings, true)
}
