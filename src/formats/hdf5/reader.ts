import { type DType, integersOf, itemSize, viewOf } from '../../dtype.ts'
import { HeadraceError } from '../../errors.ts'
import { checkSample, corrupt, ofSample, recordBytes, roomOf } from '../layout.ts'
import type { ByteSource, FileLayout, RecordReader } from '../types.ts'
import { ChunkReader } from './chunk-reader.ts'
import { product } from './data-sets.ts'
import { dtypeOfDescribed } from './described.ts'
import { canUndo } from './filters.ts'
import type { LibraryFile } from './library/library.ts'
import { openWithLibrary } from './library/library.ts'
import { type FoundDataSet, readRootGroup } from './metadata.ts'

/** Bytes of samples that libhdf5 gives at once, where several lie in one chunk. */
const BATCH = 16 * 1024 * 1024

/** A data set that holds a part of every record. */
interface Part {
  readonly name: string
  /** Samples first. */
  readonly shape: readonly number[]
  readonly dtype: DType
  /** Fills `target` with its elements of one sample. */
  read(sample: number, target: Uint8Array): Promise<unknown>
  close?(): void
}

const RECORDS = /^records_(0|[1-9]\d{0,8})$/

/** DLIO's names, or the one that others give: `data`. */
function holdsRecords(name: string): boolean {
  return RECORDS.test(name) || name === 'data'
}

/** The names that records lie in, in order: DLIO's as far as they are numbered without a gap. */
function recordNames(source: ByteSource, names: ReadonlySet<string>): readonly string[] {
  const found: string[] = []
  while (names.has(`records_${found.length}`)) found.push(`records_${found.length}`)
  if (found.length > 0) return found
  if (names.has('data')) return ['data']
  const told =
    names.size === 0
      ? 'no data sets'
      : [...names]
          .slice(0, 8)
          .map((name) => JSON.stringify(name))
          .join(', ')
  throw corrupt(source.name, `no data set "records_0"; there are ${told}`)
}

/** Opens the records of a file: those of DLIO's layout by themselves, others by libhdf5. */
export async function openRecords(source: ByteSource, layout?: FileLayout): Promise<RecordReader> {
  const parts = await ownParts(source)
  if (parts !== undefined)
    return reader(source, parts, layout, {
      labels: () => ownLabels(source),
      close: async () => {
        for (const part of parts) part.close?.()
      },
    })
  const file = await openWithLibrary(source)
  try {
    const labels = () => libraryLabels(file)
    return reader(source, libraryParts(source, file), layout, { labels, close: async () => file.close() })
  } catch (error) {
    file.close()
    throw error
  }
}

const LABELS = 'labels'

/** Numbers as labels, where they are whole and one a sample; the reader checks how many. */
function labelsOf(shape: readonly number[], dtype: DType | undefined, bytes: Uint8Array): BigInt64Array | undefined {
  if (shape.length !== 1 || dtype === undefined || integersOf(dtype) === undefined) return undefined
  const own = bytes.slice()
  return BigInt64Array.from(viewOf(dtype, own.buffer, 0, own.length / itemSize(dtype)), BigInt)
}

async function ownLabels(source: ByteSource): Promise<BigInt64Array | undefined> {
  const group = await readRootGroup(source, (name) => name === LABELS)
  const dataSet = group?.get(LABELS)
  const part = typeof dataSet === 'object' ? await ownPart(source, dataSet) : undefined
  if (part === undefined) return undefined
  const item = itemSize(part.dtype)
  const bytes = new Uint8Array((part.shape[0] ?? 0) * item)
  for (let at = 0; at < bytes.length; at += item) await part.read(at / item, bytes.subarray(at, at + item))
  return labelsOf(part.shape, part.dtype, bytes)
}

async function libraryLabels(file: LibraryFile): Promise<BigInt64Array | undefined> {
  const described = file.dataSets.find(({ name }) => name === LABELS)
  if (described === undefined) return undefined
  const [count = 0] = described.shape
  return labelsOf(described.shape, dtypeOfDescribed(described), await file.read(LABELS, 0, count))
}

/** undefined where something needs libhdf5. */
async function ownParts(source: ByteSource): Promise<readonly Part[] | undefined> {
  const group = await readRootGroup(source, holdsRecords)
  if (group === undefined) return undefined
  const parts: Part[] = []
  for (const name of recordNames(source, new Set(group.keys()))) {
    const dataSet = group.get(name)
    const part = typeof dataSet === 'object' ? await ownPart(source, dataSet) : undefined
    if (part === undefined) return undefined
    parts.push(part)
  }
  return parts
}

async function ownPart(source: ByteSource, dataSet: FoundDataSet): Promise<Part | undefined> {
  const { name, shape, dtype, storage, filters } = dataSet
  if (storage.kind === 'contiguous') {
    const { address } = storage
    const bytes = product(shape.slice(1)) * itemSize(dtype)
    if (filters.length > 0) return undefined
    return { name, shape, dtype, read: (sample, target) => source.read(address + sample * bytes, bytes, target) }
  }
  if (!canUndo(filters)) return undefined
  const chunks = await ChunkReader.open(source, dataSet)
  if (chunks === undefined) return undefined
  return { name, shape, dtype, read: (sample, target) => chunks.read(sample, target), close: () => chunks.close() }
}

function libraryParts(source: ByteSource, file: LibraryFile): readonly Part[] {
  const names = recordNames(source, new Set(file.dataSets.map(({ name }) => name)))
  return file.dataSets
    .filter(({ name }) => names.includes(name))
    .sort((a, b) => names.indexOf(a.name) - names.indexOf(b.name))
    .map((described) => {
      const { name, shape, chunk, itemBytes } = described
      const dtype = dtypeOfDescribed(described)
      const [samples] = shape
      if (dtype === undefined || samples === undefined)
        throw new HeadraceError('E_UNSUPPORTED', `${source.name}: ${name} is no array of numbers`, {
          path: source.name,
        })
      const bytes = product(shape.slice(1)) * itemBytes
      const perChunk = Math.min(chunk?.[0] ?? 1, samples)
      const batch = perChunk * bytes <= BATCH ? perChunk : 1
      let at = -1
      let samplesAtHand: Uint8Array = new Uint8Array(0)
      return {
        name,
        shape,
        dtype,
        read: async (sample, target) => {
          const first = sample - (sample % batch)
          const held = samplesAtHand
          const read = at === first ? held : await file.read(name, first, Math.min(batch, samples - first))
          if (batch > 1) {
            at = first
            samplesAtHand = read
          }
          target.set(read.subarray((sample - first) * bytes, (sample - first + 1) * bytes))
        },
      }
    })
}

/** The shape of a record of these parts: they are cut along its first axis. */
function recordShape(parts: readonly Part[]): number[] {
  const [one, ...others] = parts.map(({ shape }) => shape.slice(1)) as [number[], ...number[][]]
  if (others.length === 0) return one
  const alike = others.every(
    (shape) => shape.length === one.length && shape.every((axis, i) => i === 0 || axis === one[i]),
  )
  if (alike && one.length > 0) return [[one, ...others].reduce((sum, [axis = 0]) => sum + axis, 0), ...one.slice(1)]
  return [[one, ...others].reduce((sum, shape) => sum + product(shape), 0)]
}

function reader(
  source: ByteSource,
  parts: readonly Part[],
  layout: FileLayout | undefined,
  { labels, close }: { labels(): Promise<BigInt64Array | undefined>; close(): Promise<void> },
): RecordReader {
  const [first, ...others] = parts as [Part, ...Part[]]
  const { dtype } = first
  const [samples = 0] = first.shape
  for (const { name, shape, dtype: other } of others) {
    if (shape[0] !== samples)
      throw corrupt(source.name, `${name} has ${shape[0]} samples, but ${first.name} has ${samples}`)
    if (other !== dtype) throw corrupt(source.name, `${name} is of ${other}, but ${first.name} of ${dtype}`)
  }
  const found = { shape: recordShape(parts), dtype }
  const bytes = recordBytes(found)
  // DLIO leaves out a first axis of 1, which whoever asks knows of.
  const known = layout !== undefined && layout.dtype === dtype && recordBytes(layout) === bytes
  const sizes = parts.map((part) => product(part.shape.slice(1)) * itemSize(dtype))
  return {
    samples,
    shape: known ? layout.shape : found.shape,
    dtype,
    async read(sample, into) {
      checkSample(sample, samples, source.name)
      const target = roomOf(into, bytes, source.name, sample)
      if (others.length === 0) {
        await ofSample(sample, source.name, () => first.read(sample, target))
        return bytes
      }
      let end = 0
      const reads = parts.map((part, i) => {
        const start = end
        end += sizes[i] as number
        return ofSample(sample, source.name, () => part.read(sample, target.subarray(start, end)))
      })
      // All of them are over before the caller may use the memory again.
      const failed = (await Promise.allSettled(reads)).find((read) => read.status === 'rejected')
      if (failed !== undefined) throw failed.reason
      return bytes
    },
    labels: async () => {
      const found = await labels()
      return found?.length === samples ? found : undefined
    },
    close,
  }
}
