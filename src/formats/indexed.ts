import { HeadraceError } from '../errors.ts'
import { checkLayout, checkSample, corrupt, ofSample, recordBytes, refuseOptions, roomOf } from './layout.ts'
import { Pieces, putRecord } from './pieces.ts'
import type {
  ByteSink,
  ByteSource,
  Content,
  FileLayout,
  InspectedPart,
  Inspection,
  RecordFormat,
  RecordReader,
  Sidecar,
} from './types.ts'

/** Bytes of an index entry: uint64, little-endian. */
const ENTRY = 8
/** 4 KiB of an index are read at once, 512 entries: the next samples are found without reading. */
const BLOCK_BYTES = 4096

const SIDECARS: readonly Sidecar[] = [
  { place: 'beside', suffix: '.off.idx' },
  { place: 'beside', suffix: '.sz.idx' },
]

interface Block {
  readonly first: number
  readonly view: DataView
}

/** One of the two index files, of which a block at a time is kept. */
class Index {
  readonly entries: number
  readonly #source: ByteSource
  #block: Block = { first: 0, view: new DataView(new ArrayBuffer(0)) }

  constructor(source: ByteSource) {
    if (source.size % ENTRY !== 0)
      throw corrupt(source.name, `an index of ${source.size} bytes is none of 8-byte numbers`, { offset: source.size })
    this.entries = source.size / ENTRY
    this.#source = source
  }

  async at(sample: number): Promise<number> {
    const offset = sample * ENTRY
    const { first, view } = this.#holds(offset) ? this.#block : await this.#load(offset)
    const value = view.getUint32(offset - first, true) + view.getUint32(offset - first + 4, true) * 2 ** 32
    if (!Number.isSafeInteger(value)) throw corrupt(this.#source.name, `an entry of ${value}`, { sample, offset })
    return value
  }

  #holds(offset: number): boolean {
    return offset >= this.#block.first && offset < this.#block.first + this.#block.view.byteLength
  }

  async #load(offset: number): Promise<Block> {
    const first = offset - (offset % BLOCK_BYTES)
    const bytes = await this.#source.read(first, Math.min(BLOCK_BYTES, this.#source.size - first))
    this.#block = { first, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length) }
    return this.#block
  }
}

interface RecordPlace {
  readonly offset: number
  readonly bytes: number
}

interface Indexes {
  readonly samples: number
  at(sample: number): RecordPlace | Promise<RecordPlace>
}

async function openIndexes(source: ByteSource, sidecar: (i: number) => Promise<ByteSource>): Promise<Indexes> {
  const offsets = new Index(await sidecar(0))
  const sizes = new Index(await sidecar(1))
  if (offsets.entries !== sizes.entries)
    throw corrupt(source.name, `its indexes name ${offsets.entries} offsets and ${sizes.entries} sizes`)
  return {
    samples: offsets.entries,
    at: async (sample) => {
      const [offset, bytes] = [await offsets.at(sample), await sizes.at(sample)]
      if (offset + bytes > source.size)
        throw corrupt(source.name, `${bytes} bytes end behind the end of the file, ${source.size}`, { offset })
      return { offset, bytes }
    },
  }
}

/** Without sidecars the records lie one after the other. */
function evenly(source: ByteSource, layout: FileLayout): Indexes {
  const bytes = recordBytes(layout)
  if (source.size !== bytes * layout.samples)
    throw corrupt(source.name, `${layout.samples} records of ${bytes} bytes are not ${source.size}`, {
      offset: Math.min(source.size, bytes * layout.samples),
    })
  return { samples: layout.samples, at: (sample) => ({ offset: sample * bytes, bytes }) }
}

async function writeIndex(
  sink: ByteSink | undefined,
  samples: number,
  entry: (sample: number) => number,
): Promise<void> {
  if (sink === undefined) return
  const out = new Pieces(sink)
  for (let sample = 0; sample < samples; ) {
    if (out.full) await out.flush()
    const room = out.take((samples - sample) * ENTRY)
    const view = new DataView(room.buffer, room.byteOffset, room.length)
    for (let at = 0; at < room.length; at += ENTRY, sample++) {
      const value = entry(sample)
      view.setUint32(at, value % 2 ** 32, true)
      view.setUint32(at + 4, Math.floor(value / 2 ** 32), true)
    }
  }
  await out.end()
}

/** Records one after the other, and their offsets and sizes in two files beside: both of DLIO's indexed formats. */
function indexedFormat(name: 'indexed_binary' | 'mmap_indexed_binary'): RecordFormat {
  const format: RecordFormat = {
    name,
    sidecars: SIDECARS,

    fileBytes(layout: FileLayout): number {
      refuseOptions(name, layout.options, [])
      checkLayout(name, layout)
      return recordBytes(layout) * layout.samples
    },

    async write(sink: ByteSink, layout: FileLayout, content: Content, sidecars: readonly ByteSink[]): Promise<void> {
      format.fileBytes(layout)
      const bytes = recordBytes(layout)
      const out = new Pieces(sink)
      for (let sample = 0; sample < layout.samples; sample++) await putRecord(out, content, sample, bytes)
      await out.end()
      await writeIndex(sidecars[0], layout.samples, (sample) => sample * bytes)
      await writeIndex(sidecars[1], layout.samples, () => bytes)
    },

    async open(source, layout, sidecar): Promise<RecordReader> {
      if (sidecar === undefined && layout === undefined)
        throw new HeadraceError(
          'E_USAGE',
          `${source.name} does not say where its records lie: sidecars or a layout must`,
          {
            path: source.name,
          },
        )
      const indexes = sidecar === undefined ? evenly(source, layout as FileLayout) : await openIndexes(source, sidecar)
      const expected = layout === undefined ? undefined : recordBytes(layout)
      const first = indexes.samples === 0 ? (expected ?? 0) : (await indexes.at(0)).bytes
      const known = layout !== undefined && first === expected
      return {
        samples: indexes.samples,
        shape: known ? layout.shape : [first],
        dtype: known ? layout.dtype : 'uint8',
        read: async (sample, into) => {
          checkSample(sample, indexes.samples, source.name)
          return ofSample(sample, source.name, async () => {
            const { offset, bytes } = await indexes.at(sample)
            await source.read(offset, bytes, roomOf(into, bytes, source.name, sample))
            return bytes
          })
        },
        close: async () => {},
      }
    },

    async inspect(source, sidecar): Promise<Inspection> {
      if (sidecar === undefined) return { format: name, parts: [], partCount: 0 }
      const { samples, at } = await openIndexes(source, sidecar)
      const parts: InspectedPart[] = []
      for (let sample = 0; sample < Math.min(samples, SHOWN); sample++) {
        const { offset, bytes } = await at(sample)
        parts.push({ name: `record ${sample}`, type: 'bytes', shape: [bytes], offset, storedBytes: bytes })
      }
      const shape = parts[0]?.shape
      return { format: name, records: samples, ...(shape && { shape, dtype: 'uint8' }), parts, partCount: samples }
    },
  }
  return format
}

/** Records that an inspection names. */
const SHOWN = 64

export const indexedBinary = indexedFormat('indexed_binary')
/** Differs in how DLIO reads it, through mapped memory, and in nothing else. */
export const mmapIndexedBinary = indexedFormat('mmap_indexed_binary')
