import { itemSize } from '../../dtype.ts'
import { checkLayout, refuseOptions } from '../layout.ts'
import { Pieces } from '../pieces.ts'
import type { ByteSink, ByteSource, Content, FileLayout, Inspection, RecordFormat, RecordReader } from '../types.ts'
import { arrayBytes, arrayHeader, readArray } from './array.ts'
import { ArrayReader } from './reader.ts'
import { interleaved } from './sample-last.ts'

/** DLIO's .npy files: one array, the samples on its last axis. */
export const npy: RecordFormat = {
  name: 'npy',
  sidecars: [],

  fileBytes(layout: FileLayout): number {
    refuseOptions('npy', layout.options, [])
    checkLayout('npy', layout)
    return arrayHeader('npy', layout).length + arrayBytes(layout)
  },

  async write(sink: ByteSink, layout: FileLayout, content: Content): Promise<void> {
    npy.fileBytes(layout)
    const out = new Pieces(sink)
    await out.put(arrayHeader('npy', layout))
    const record = (sample: number, offset: number, target: Uint8Array) => content.fill(sample, offset, target)
    const fill = interleaved(record, layout.samples, itemSize(layout.dtype))
    const bytes = arrayBytes(layout)
    for (let offset = 0; offset < bytes; ) {
      if (out.full) await out.flush()
      const room = out.take(bytes - offset)
      fill(offset, room)
      offset += room.length
    }
    await out.end()
  },

  async open(source: ByteSource): Promise<RecordReader> {
    const bytes = bytesOf(source)
    return new ArrayReader(source.name, await readArray(bytes, source.size, source.name), bytes, () => {})
  },

  async inspect(source: ByteSource): Promise<Inspection> {
    const { samples, shape, dtype, header } = await readArray(bytesOf(source), source.size, source.name)
    const part = {
      name: 'array',
      type: dtype,
      shape: [...shape, samples],
      offset: header.length,
      storedBytes: source.size - header.length,
    }
    return { format: 'npy', records: samples, shape, dtype, parts: [part], partCount: 1 }
  },
}

function bytesOf(source: ByteSource): { read(offset: number, target: Uint8Array): Promise<void> } {
  return {
    read: async (offset, target) => {
      await source.read(offset, target.length, target)
    },
  }
}
