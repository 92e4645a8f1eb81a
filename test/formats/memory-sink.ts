import { type DType, itemSize, viewOf } from '../../src/dtype.ts'
import { memorySource, type OpenSource } from '../../src/formats/byte-source.ts'
import { recordBytes } from '../../src/formats/layout.ts'
import type { ByteSink, ByteSource, Content, FileLayout, RecordFormat, RecordReader } from '../../src/formats/types.ts'

/** Keeps what is written, and how it came. */
class MemorySink implements ByteSink {
  readonly name: string
  readonly #chunks: Uint8Array[] = []
  largest = 0
  #busy = false

  constructor(name = 'img_0_of_1.test') {
    this.name = name
  }

  async write(chunk: Uint8Array): Promise<void> {
    if (this.#busy) throw new Error('a second write before the first one was done')
    this.#busy = true
    this.largest = Math.max(this.largest, chunk.length)
    // Late, so that memory that is used again too early is seen.
    await new Promise((resolve) => setImmediate(resolve))
    this.#chunks.push(chunk.slice())
    this.#busy = false
  }

  get bytes(): Uint8Array {
    return new Uint8Array(Buffer.concat(this.#chunks))
  }
}

export interface WrittenFile {
  readonly bytes: Uint8Array
  readonly sidecars: readonly Uint8Array[]
  readonly largest: number
}

export async function writeFormat(format: RecordFormat, layout: FileLayout, content: Content): Promise<WrittenFile> {
  const sink = new MemorySink(`img_0_of_1.${format.name}`)
  const sidecars = format.sidecars.map(() => new MemorySink())
  await format.write(sink, layout, content, sidecars)
  return { bytes: sink.bytes, sidecars: sidecars.map(({ bytes }) => bytes), largest: sink.largest }
}

/** Opens a written file; `bytes` stands in for what was written where it is given. */
export function openWritten(
  format: RecordFormat,
  { bytes, sidecars }: Pick<WrittenFile, 'bytes' | 'sidecars'>,
  layout?: FileLayout,
): Promise<RecordReader> {
  return format.open(memorySource('file', bytes), layout, sidecarsOf(sidecars))
}

export function sidecarsOf(sidecars: readonly Uint8Array[]): ((i: number) => Promise<ByteSource>) | undefined {
  if (sidecars.length === 0) return undefined
  return async (i) => memorySource(`sidecar ${i}`, sidecars[i] ?? new Uint8Array(0))
}

/** The bytes of a file's records: any, or those of small numbers, which are the same as text. */
export function recordsOf(layout: FileLayout, kind: 'bytes' | 'numbers' = 'bytes'): readonly Uint8Array[] {
  const bytes = recordBytes(layout)
  let state = 0x9e3779b9 ^ bytes
  const next = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state >>> 16
  }
  return Array.from({ length: layout.samples }, () => {
    const record = new Uint8Array(bytes)
    if (kind === 'bytes') for (let i = 0; i < bytes; i++) record[i] = next()
    else fillNumbers(layout.dtype, record, next)
    return record
  })
}

function fillNumbers(dtype: DType, record: Uint8Array, next: () => number): void {
  const values = viewOf(dtype, record.buffer, 0, record.length / itemSize(dtype))
  for (let i = 0; i < values.length; i++) {
    const value = dtype === 'bool' ? next() & 1 : dtype.startsWith('float') ? (next() - 2 ** 15) / 512 : next() % 251
    values[i] = dtype === 'int64' || dtype === 'uint64' ? BigInt(value) : value
  }
}

/** Content that refuses to be asked for what there is not. */
export function contentOf(records: readonly Uint8Array[]): Content {
  return {
    fill: (sample, offset, target) => {
      const record = records[sample]
      if (record === undefined || offset < 0 || offset + target.length > record.length)
        throw new Error(`bytes ${offset} to ${offset + target.length} of record ${sample} are none`)
      target.set(record.subarray(offset, offset + target.length))
    },
  }
}

/** A source that counts what is read of it. */
export function countingSource(bytes: Uint8Array): OpenSource & { bytesRead: number; reads: number } {
  const inner = memorySource('file', bytes)
  const source = {
    name: inner.name,
    size: inner.size,
    bytesRead: 0,
    reads: 0,
    read: (offset: number, length: number, into?: Uint8Array) => {
      source.bytesRead += length
      source.reads++
      return inner.read(offset, length, into)
    },
    close: () => {},
  }
  return source
}
