import { itemSize } from '../../../dtype.ts'
import type { Column, Compression, FormatName, FormatOptions } from '../../../formats/types.ts'
import { ELEMENT_NAMES, ELEMENT_TYPES } from './element-type.ts'
import type { Behaviour } from './profiles.ts'
import type { Section } from './section.ts'

/** DLIO's names. Parquet of ours has one more. */
const COMPRESSIONS: readonly Compression[] = ['none', 'gzip', 'lzf', 'bz2', 'zip', 'xz']

/** What only some formats know. `width`: bytes of a row, where columns fix it. */
export function readFormatOptions(
  section: Section,
  behaviour: Behaviour,
  format: FormatName,
): { options: FormatOptions; width: number | undefined } {
  const compression = readCompression(section, behaviour, format)
  const level = section.integer('compression_level', 4, { min: 0, max: 9 })
  const hdf5 = section.section('hdf5')
  const chunkDims = hdf5.integers('chunk_dims', { min: 1 })
  const dataSets = hdf5.integer('num_dset_per_record', 1, { min: 1 })
  const maxShape = hdf5.integers('max_shape', { min: 1 })
  hdf5.close()
  const parquet = readParquet(section.section('parquet'), behaviour)
  const shared = compression === 'none' ? {} : { compression, compressionLevel: level }
  if (format === 'hdf5')
    return {
      options: {
        ...shared,
        ...(chunkDims.length > 0 && { chunkDims }),
        ...(maxShape.length > 0 && { maxShape }),
        ...(dataSets > 1 && { dataSets }),
      },
      width: undefined,
    }
  if (format === 'parquet') return { options: { ...shared, ...parquet.options }, width: parquet.width }
  const { leanZip, rawPictures } = behaviour
  return {
    options: {
      ...shared,
      ...(leanZip && format === 'npz' && { zip64: 'needed' as const }),
      ...(rawPictures && (format === 'jpeg' || format === 'png') && { pictures: 'raw' as const }),
    },
    width: undefined,
  }
}

function readCompression(
  section: Section,
  { aliases, looseEnums, plainParquet }: Behaviour,
  format: FormatName,
): Compression {
  const names = aliases ? [...COMPRESSIONS, 'snappy' as const] : COMPRESSIONS
  const compression = section.choice('compression', 'none', names)
  if (plainParquet && format === 'parquet' && compression !== 'none') {
    section.warn('compression', `dataset.compression ${compression} does nothing for parquet in this DLIO`)
    return 'none'
  }
  if (!looseEnums || !section.has('compression')) return compression
  if (format === 'hdf5' && compression === 'none')
    throw section.error('compression', 'none: DLIO fails to write HDF5 with it', 'leave the key out')
  if (format === 'npz' && compression === 'zip') {
    section.warn('compression', 'dataset.compression zip does nothing for npz in DLIO')
    return 'none'
  }
  return compression
}

/** Bytes of a row are known where every column has a fixed size. */
function readParquet(
  section: Section,
  { measuresColumns, readsAllColumns, batchedRowGroups }: Behaviour,
): { options: FormatOptions; width: number | undefined } {
  const columns = section.sections('columns').map((column): Column => {
    const found = {
      name: column.text('name', ''),
      dtype: column.choice('dtype', 'float32', [...ELEMENT_NAMES, 'string', 'binary', 'list']),
      size: column.integer('size', 1, { min: 1 }),
      read: column.boolean('read', true) || readsAllColumns,
    }
    if (found.name === '') throw column.error('name', 'is missing')
    column.close()
    return found
  })
  const twice = columns.find(({ name }, i) => columns.findIndex((other) => other.name === name) !== i)
  if (twice !== undefined) throw section.error('columns', `has two columns ${twice.name}`)
  const rowGroupSize = section.integer('row_group_size', 1024, { min: 1 })
  section.optionalText('partition_by')
  const batch = section.integer('generation_batch_size', 0, { min: 0 })
  section.boolean('use_s3dlio_gen', false)
  section.without('read_mode', 'row groups are read one by one')
  section.without('partition_by', 'files are not partitioned by a column')
  if (!batchedRowGroups) section.without('generation_batch_size', 'row_group_size says where files are cut')
  section.without('use_s3dlio_gen', 'there is one generator')
  section.close()
  const widths = columns.map(({ dtype, size }) =>
    ELEMENT_TYPES[dtype] === undefined ? Number.NaN : itemSize(ELEMENT_TYPES[dtype]) * size,
  )
  const width = widths.reduce((sum, each) => sum + each, 0)
  return {
    options: {
      ...(columns.length > 0 && { columns }),
      rowGroupSize,
      ...(batchedRowGroups && batch > 0 && { rowsAtOnce: batch }),
    },
    width: measuresColumns && columns.length > 0 && Number.isFinite(width) ? width : undefined,
  }
}
