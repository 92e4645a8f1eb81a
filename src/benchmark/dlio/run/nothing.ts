import { itemSize } from '../../../dtype.ts'
import { HeadraceError } from '../../../errors.ts'
import type { FileLayout, RecordFormat, RecordReader } from '../../../formats/types.ts'
import type { ReadFormat } from './samples.ts'
import { heldSource, type Meter, type Sources } from './sources.ts'

const EMPTY = new Uint8Array(0)

/** Records of the right size without any content, which cost nothing: what readers of storage that holds nothing get. */
export function nothingRead(
  format: RecordFormat,
  meter: Meter,
): { readonly format: ReadFormat; readonly sources: Sources; readonly planned: true } {
  const open: ReadFormat['open'] = async (source, layout) => emptyRecords(source.name, layout, meter)
  return {
    format: { name: format.name, sidecars: [], open },
    sources: { parallel: false, open: async (key) => heldSource(key, EMPTY) },
    planned: true,
  }
}

function emptyRecords(key: string, layout: FileLayout | undefined, meter: Meter): RecordReader {
  if (layout === undefined)
    throw new HeadraceError('E_UNSUPPORTED', `${key}: nobody says what a file on null storage holds`, { key })
  const { samples, shape, dtype } = layout
  const bytes = shape.reduce((product, side) => product * side, itemSize(dtype))
  return {
    samples,
    shape,
    dtype,
    read: async () => {
      meter.bytes += bytes
      return bytes
    },
    close: async () => {},
  }
}
