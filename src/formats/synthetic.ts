import { show } from '../checks.ts'
import { HeadraceError } from '../errors.ts'
import { checkLayout, checkSample, corrupt, recordBytes, refuseOptions, roomOf } from './layout.ts'
import type { ByteSink, ByteSource, Content, FileLayout, Inspection, RecordFormat, RecordReader } from './types.ts'

/** Longest number that a file holds, and a line end. */
const MAX_BYTES = 20

const textOf = (layout: FileLayout) => String(layout.index ?? 0)

/** Files that say nothing but their number: the records are zeros that no storage gives. */
export const synthetic: RecordFormat = {
  name: 'synthetic',
  sidecars: [],

  fileBytes(layout: FileLayout): number {
    refuseOptions('synthetic', layout.options, [])
    checkLayout('synthetic', layout)
    return textOf(layout).length
  },

  async write(sink: ByteSink, layout: FileLayout, _content: Content): Promise<void> {
    synthetic.fileBytes(layout)
    await sink.write(Buffer.from(textOf(layout)))
  },

  async open(source: ByteSource, layout?: FileLayout): Promise<RecordReader> {
    if (layout === undefined)
      throw new HeadraceError('E_USAGE', `${source.name} does not say what it holds: a layout must`, {
        path: source.name,
      })
    await numberIn(source)
    const bytes = recordBytes(layout)
    return {
      samples: layout.samples,
      shape: layout.shape,
      dtype: layout.dtype,
      read: async (sample, into) => {
        checkSample(sample, layout.samples, source.name)
        roomOf(into, bytes, source.name, sample).fill(0)
        return bytes
      },
      close: async () => {},
    }
  },

  async inspect(source: ByteSource): Promise<Inspection> {
    const part = { name: await numberIn(source), type: 'number of the file', offset: 0, storedBytes: source.size }
    return { format: 'synthetic', parts: [part], partCount: 1 }
  },
}

async function numberIn(source: ByteSource): Promise<string> {
  const text =
    source.size > MAX_BYTES
      ? ''
      : Buffer.from(await source.read(0, source.size))
          .toString('latin1')
          .trim()
  if (!/^\d+$/.test(text))
    throw corrupt(source.name, `a synthetic file holds its number, not ${show(text)}`, { offset: 0 })
  return text
}
