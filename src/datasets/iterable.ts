import { randomUUID } from 'node:crypto'
import { knownOptions, show } from '../checks.ts'
import { HeadraceError } from '../errors.ts'
import { checkedValue, detectSchema, type LooseSample, type LooseValue, missingField } from './field-types.ts'
import type { Dataset, Sample, Schema } from './types.ts'

/** Samples as objects with the same fields each, or as tuples whose fields `fieldNames` names. */
export type LooseSamples =
  | Iterable<LooseSample | readonly LooseValue[]>
  | AsyncIterable<LooseSample | readonly LooseValue[]>

export interface FromSamplesOptions {
  /** Names of a tuple's fields, in order. */
  readonly fieldNames?: readonly string[]
}

/** Field types come from this many samples, or from fewer where those are larger than DETECTION_BYTES together. */
const DETECTION_SAMPLES = 100
const DETECTION_BYTES = 64 * 1024 * 1024

export type AnyIterator = AsyncIterator<unknown> | Iterator<unknown>

/**
 * Samples from an iterable, read once from first to last. Its types come from the first samples and hold for all.
 * `read(id)` serves only the next id; `for await` gives them in order. The length is known for arrays only.
 */
export class SampleStream implements Dataset, AsyncIterable<Sample> {
  readonly length: number | undefined
  readonly schema: Schema
  /** Unique to this object: nothing can be said about what an iterable will yield. */
  readonly fingerprint = `stream-${randomUUID()}`
  readonly #rest: AsyncIterator<Sample>
  readonly #source: AnyIterator
  #next = 0

  constructor(schema: Schema, length: number | undefined, samples: AsyncIterator<Sample>, source: AnyIterator) {
    this.schema = schema
    this.length = length
    this.#rest = samples
    this.#source = source
  }

  describe(id: number): string {
    return `sample ${id}`
  }

  /** E_STATE for any id but the next one; E_USAGE past the end, and for a sample that does not fit the schema. */
  async read(id: number): Promise<Sample> {
    if (id !== this.#next)
      throw new HeadraceError(
        'E_STATE',
        `samples of an iterable come in order: the next is ${this.#next}, but got ${id}`,
      )
    const step = await this.#advance()
    if (step.done) throw new HeadraceError('E_USAGE', `the iterable has ended: it has ${id} samples`)
    return step.value
  }

  [Symbol.asyncIterator](): AsyncIterator<Sample> {
    return { next: () => this.#advance(), return: async () => ({ done: true, value: await this.close() }) }
  }

  /** Lets the source go, too. */
  async close(): Promise<void> {
    await this.#rest.return?.()
    await this.#source.return?.()
  }

  async #advance(): Promise<IteratorResult<Sample>> {
    const step = await this.#rest.next()
    if (!step.done) this.#next++
    return step
  }
}

function named(sample: unknown, id: number, fieldNames: readonly string[] | undefined): LooseSample {
  if (Array.isArray(sample)) {
    if (!fieldNames)
      throw new HeadraceError(
        'E_USAGE',
        `sample ${id} is a tuple of ${sample.length}: fieldNames must name its fields`,
        {
          hint: "for instance fieldNames: ['image', 'label']",
        },
      )
    if (sample.length !== fieldNames.length)
      throw new HeadraceError(
        'E_USAGE',
        `sample ${id} is a tuple of ${sample.length}, but fieldNames has ${fieldNames.length}`,
      )
    return Object.fromEntries(fieldNames.map((name, i) => [name, sample[i] as LooseValue]))
  }
  if (typeof sample !== 'object' || sample === null || ArrayBuffer.isView(sample))
    throw new HeadraceError('E_USAGE', `sample ${id} must be an object or a tuple, but got ${show(sample)}`)
  return sample as LooseSample
}

function checkedSample(sample: LooseSample, id: number, schema: Schema): Sample {
  for (const name of Object.keys(sample)) {
    if (!Object.hasOwn(schema, name))
      throw new HeadraceError('E_USAGE', `sample ${id} has a field ${show(name)} that sample 0 does not have`)
  }
  const entries = Object.entries(schema).map(([name, field]) => {
    if (!Object.hasOwn(sample, name)) throw missingField(id, name)
    return [name, checkedValue(id, name, field, sample[name])] as const
  })
  return Object.fromEntries(entries)
}

function storedBytes(sample: LooseSample): number {
  return Object.values(sample).reduce<number>((sum, v) => sum + (v instanceof Uint8Array ? v.length : 8), 0)
}

/** Makes a dataset of an iterable of samples. Reads the first samples at once to find the field types. */
export async function fromSamples(samples: LooseSamples, options: FromSamplesOptions = {}): Promise<SampleStream> {
  knownOptions('fromSamples', options, ['fieldNames'])
  const { fieldNames } = options
  if (fieldNames && new Set(fieldNames).size !== fieldNames.length)
    throw new HeadraceError('E_USAGE', `fieldNames must differ, but got ${show(fieldNames)}`)
  if (
    typeof samples !== 'object' ||
    samples === null ||
    !(Symbol.iterator in samples || Symbol.asyncIterator in samples)
  )
    throw new HeadraceError('E_USAGE', `fromSamples needs an iterable of samples, but got ${show(samples)}`)
  const source: AnyIterator =
    Symbol.asyncIterator in samples ? samples[Symbol.asyncIterator]() : samples[Symbol.iterator]()

  const first: LooseSample[] = []
  let bytes = 0
  while (first.length < DETECTION_SAMPLES && bytes < DETECTION_BYTES) {
    const step = await source.next()
    if (step.done) break
    const sample = named(step.value, first.length, fieldNames)
    bytes += storedBytes(sample)
    first.push(sample)
  }
  if (first.length === 0) throw new HeadraceError('E_USAGE', 'the iterable has no samples')
  const schema = detectSchema(first)

  async function* checked(): AsyncGenerator<Sample> {
    let id = 0
    while (id < first.length) {
      const sample = first[id] ?? {}
      first[id] = {} // let it go once it is delivered
      yield checkedSample(sample, id++, schema)
    }
    for (let step = await source.next(); !step.done; step = await source.next()) {
      yield checkedSample(named(step.value, id, fieldNames), id, schema)
      id++
    }
  }
  return new SampleStream(schema, Array.isArray(samples) ? samples.length : undefined, checked(), source)
}
