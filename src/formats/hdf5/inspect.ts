import type { ByteSource, InspectedPart, Inspection } from '../types.ts'
import { dtypeOfDescribed } from './described.ts'
import { openWithLibrary } from './library/library.ts'
import { type FoundDataSet, readRootGroup } from './metadata.ts'
import { openRecords } from './reader.ts'

/** Data sets that an inspection names. */
const SHOWN = 64
const FILTER_NAMES: Readonly<Record<number, string>> = {
  1: 'gzip',
  2: 'shuffle',
  3: 'fletcher32',
  32000: 'lzf',
}

/** What lies in the root group of an HDF5 file. */
export async function inspectHdf5(source: ByteSource): Promise<Inspection> {
  const group = await readRootGroup(source, () => true)
  const own = group === undefined ? [] : [...group.values()].filter((dataSet) => typeof dataSet === 'object')
  const parts = group !== undefined && own.length === group.size ? own.map(ownPart) : await libraryParts(source)
  const codec = parts.find((part) => part.codec !== undefined)?.codec
  const records = await openRecords(source).catch(() => undefined)
  await records?.close()
  return {
    format: 'hdf5',
    ...(codec !== undefined && { codec }),
    ...(records && { records: records.samples, shape: records.shape, dtype: records.dtype }),
    parts: parts.slice(0, SHOWN),
    partCount: parts.length,
  }
}

function ownPart({ name, shape, dtype, storage, filters, itemBytes }: FoundDataSet): InspectedPart {
  const codec = filters.map(({ id }) => FILTER_NAMES[id] ?? `filter ${id}`).join(', ')
  const bytes = shape.reduce((product, axis) => product * axis, itemBytes)
  const where = storage.kind === 'fixed-array' ? {} : { offset: storage.address, storedBytes: storage.bytes }
  const type = storage.kind === 'contiguous' ? dtype : `${dtype} in chunks of ${JSON.stringify(storage.chunk)}`
  return { name, type, shape, ...where, bytes, ...(codec !== '' && { codec }) }
}

async function libraryParts(source: ByteSource): Promise<InspectedPart[]> {
  const file = await openWithLibrary(source)
  try {
    return file.dataSets.map((dataSet): InspectedPart => {
      const { name, shape, chunk, filters, itemBytes } = dataSet
      const dtype = dtypeOfDescribed(dataSet) ?? `elements of ${itemBytes} bytes`
      return {
        name,
        type: chunk === undefined ? dtype : `${dtype} in chunks of ${JSON.stringify(chunk)}`,
        shape,
        bytes: shape.reduce((product, axis) => product * axis, itemBytes),
        ...(filters.length > 0 && { codec: filters.join(', ') }),
      }
    })
  } finally {
    file.close()
  }
}
