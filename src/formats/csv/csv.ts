import { type DType, itemSize, viewOf } from '../../dtype.ts'
import { checkLayout, checkSample, corrupt, recordBytes, recordElements, refuseOptions, roomOf } from '../layout.ts'
import type { ByteSink, ByteSource, Content, FileLayout, Inspection, RecordFormat, RecordReader } from '../types.ts'
import { checkCodec, codecOf, writeText } from './codec.ts'
import { checkDtype, dtypeOfText, RowParser, textOf } from './numbers.ts'
import { TextRows } from './rows.ts'

/** 16 Ki numbers a piece of text: 400 KB at most. */
const ELEMENTS = 16 * 1024

/** DLIO's CSV: a row a sample, its numbers one after the other, without names. */
export const csv: RecordFormat = {
  name: 'csv',
  sidecars: [],

  fileBytes(layout: FileLayout): undefined {
    check(layout)
    return undefined
  },

  async write(sink: ByteSink, layout: FileLayout, content: Content): Promise<void> {
    check(layout)
    await writeText(sink, rowsOf(layout, content), layout.options)
  },

  async open(source: ByteSource, layout?: FileLayout): Promise<RecordReader> {
    if (source.size === 0 && layout !== undefined && layout.samples > 0)
      throw corrupt(source.name, `is empty, where ${layout.samples} samples were expected`, { offset: 0 })
    const rows = await openRows(source)
    const { shape, dtype } = recordIn(rows, layout)
    const samples = rows.facts.rows
    const elements = recordElements({ shape })
    return {
      samples,
      shape,
      dtype,
      read: async (sample, into) => {
        checkSample(sample, samples, source.name)
        const bytes = elements * itemSize(dtype)
        const target = roomOf(into, bytes, source.name, sample)
        const aligned = target.byteOffset % itemSize(dtype) === 0 ? target : new Uint8Array(bytes)
        const values = viewOf(dtype, aligned.buffer, aligned.byteOffset, elements)
        await rows.read(sample, new RowParser(dtype, values, (reason) => corrupt(source.name, reason, { sample })))
        if (aligned !== target) target.set(aligned)
        return bytes
      },
      close: async () => rows.close(),
    }
  },

  async inspect(source: ByteSource): Promise<Inspection> {
    const rows = await openRows(source)
    rows.close()
    const { shape, dtype } = recordIn(rows, undefined)
    const codec = codecOf(await source.read(0, Math.min(source.size, MAGIC_BYTES)), source.name)
    const part = { name: 'rows', type: dtype, shape: [rows.facts.rows, ...shape], offset: 0, storedBytes: source.size }
    const packed = codec === 'none' ? {} : { codec }
    return { format: 'csv', ...packed, records: rows.facts.rows, shape, dtype, parts: [part], partCount: 1 }
  },
}

/** Of the longest mark that a compression has. */
const MAGIC_BYTES = 6

function check(layout: FileLayout): void {
  refuseOptions('csv', layout.options, ['compression', 'compressionLevel'])
  checkCodec(layout.options)
  checkLayout('csv', layout)
  checkDtype(layout.dtype)
}

async function openRows(source: ByteSource): Promise<TextRows> {
  const codec = codecOf(await source.read(0, Math.min(source.size, MAGIC_BYTES)), source.name)
  return TextRows.open(source, codec)
}

function recordIn({ facts }: TextRows, layout: FileLayout | undefined): { shape: readonly number[]; dtype: DType } {
  if (layout !== undefined && recordElements(layout) === facts.columns) return layout
  const texts = facts.begins.replace(/\r$/, '').split(',')
  // The last one may be cut.
  const whole = texts.length < facts.columns ? texts.slice(0, -1) : texts
  return { shape: [facts.columns], dtype: dtypeOfText(whole) }
}

function* rowsOf(layout: FileLayout, content: Content): Generator<Uint8Array> {
  const { dtype, samples } = layout
  const bytes = recordBytes(layout)
  const item = itemSize(dtype)
  const piece = new Uint8Array(Math.min(bytes, ELEMENTS * item))
  for (let sample = 0; sample < samples; sample++)
    for (let offset = 0; offset < bytes; offset += piece.length) {
      const some = piece.subarray(0, Math.min(piece.length, bytes - offset))
      content.fill(sample, offset, some)
      const text = textOf(dtype, viewOf(dtype, some.buffer, 0, some.length / item))
      yield Buffer.from(`${text}${offset + some.length === bytes ? '\n' : ','}`, 'latin1')
    }
}
