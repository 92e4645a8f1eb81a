import { inspectHdf5 } from './hdf5/inspect.ts'
import { openRecords } from './hdf5/reader.ts'
import { hdf5Bytes, writeHdf5 } from './hdf5/writer.ts'
import { checkLayout, refuseOptions } from './layout.ts'
import type { FileLayout, RecordFormat } from './types.ts'

const OPTIONS = ['compression', 'chunkDims', 'maxShape', 'dataSets'] as const

function check(layout: FileLayout): void {
  refuseOptions('hdf5', layout.options, OPTIONS)
  checkLayout('hdf5', layout)
}

/**
 * HDF5 as DLIO lays it out: arrays `records_0`, `records_1`, ... with the samples along the first axis, and `labels`,
 * zeros. A sample of an array in one piece is one read of its bytes; of one in chunks, of the chunks it lies in. Other
 * HDF5 files with such arrays, or with one called `data`, are read by libhdf5 in a thread of its own.
 */
export const hdf5: RecordFormat = {
  name: 'hdf5',
  sidecars: [],
  fileBytes(layout) {
    check(layout)
    return hdf5Bytes(layout)
  },
  async write(sink, layout, content) {
    check(layout)
    await writeHdf5(sink, layout, content)
  },
  open: (source, layout) => openRecords(source, layout),
  inspect: (source) => inspectHdf5(source),
}
