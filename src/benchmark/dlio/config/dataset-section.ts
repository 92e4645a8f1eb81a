import { type DType, itemSize } from '../../../dtype.ts'
import type { FormatName, FormatOptions } from '../../../formats/types.ts'
import type { RecordSpec } from '../../../generate/types.ts'
import { elementType } from './element-type.ts'
import { readFormatOptions } from './format-options.ts'
import type { Behaviour } from './profiles.ts'
import type { Section } from './section.ts'

export interface DatasetConfig {
  readonly format: FormatName
  /** Whether the config says so itself. */
  readonly formatGiven: boolean
  readonly folder: string
  readonly filesTrain: number
  readonly filesValid: number
  readonly samplesPerFile: number
  readonly subfoldersTrain: number
  readonly subfoldersValid: number
  readonly prefix: string
  readonly keepFiles: boolean
  /** Of one sample, bytes: what DLIO counts MB/s with. */
  readonly recordLength: number
  readonly stdev: number
  readonly resized: number
  readonly dims: readonly number[]
  readonly record: RecordSpec
  readonly options: FormatOptions
}

const FORMATS: readonly FormatName[] = [
  'tfrecord',
  'hdf5',
  'csv',
  'npz',
  'npy',
  'jpeg',
  'png',
  'indexed_binary',
  'mmap_indexed_binary',
  'synthetic',
]

export function readDataset(section: Section, behaviour: Behaviour, fallbackFormat: FormatName): DatasetConfig {
  const format = readFormat(section, behaviour, fallbackFormat)
  const filesTrain = section.integer('num_files_train', 8, { min: 0 })
  const filesValid = section.integer('num_files_eval', 0, { min: 0 })
  const length = readLength(section, behaviour)
  const given = elementType(section, 'record_element_type')
  const dims = section.integers('record_dims', { min: 1 })
  const element = imageElement(section, format, given)
  const { options, width } = readFormatOptions(section, behaviour, format)
  const found: DatasetConfig = {
    format,
    formatGiven: section.has('format'),
    folder: section.text('data_folder', './data/'),
    filesTrain,
    filesValid,
    samplesPerFile: section.integer('num_samples_per_file', 1, { min: 1 }),
    subfoldersTrain: section.integer('num_subfolders_train', 0, { min: 0 }),
    subfoldersValid: section.integer('num_subfolders_eval', 0, { min: 0 }),
    prefix: section.text('file_prefix', 'img'),
    keepFiles: section.boolean('keep_files', true),
    recordLength: dims.length > 0 ? product(dims) * itemSize(element) : (width ?? length.bytes),
    stdev: length.stdev,
    resized: length.resized,
    dims,
    record: recordOf(section, length, dims, element),
    options,
  }
  readWithout(section, behaviour)
  section.close()
  return found
}

function product(dims: readonly number[]): number {
  return dims.reduce((all, each) => all * each, 1)
}

function readFormat(section: Section, { forkKeys }: Behaviour, fallback: FormatName): FormatName {
  if (section.node('format')?.kind === 'scalar' && section.has('format')) {
    const node = section.node('format')
    if (node?.kind === 'scalar' && node.value === 'hdf5_opt') {
      section.warn('format', 'dataset.format hdf5_opt is read as hdf5: DLIO knows the name and has no such format')
      section.set('format', 'hdf5_opt')
      return 'hdf5'
    }
    if (node?.kind === 'scalar' && node.value === 'parquet' && !forkKeys)
      throw section.error(
        'format',
        'is parquet, which this DLIO does not know',
        'the profiles default and mlcommons-fork do',
      )
  }
  return section.choice('format', fallback, forkKeys ? [...FORMATS, 'parquet'] : FORMATS)
}

interface Length {
  readonly bytes: number
  readonly stdev: number
  readonly resized: number
}

/** The keys of DLIO's first version count where the later ones are absent, unless DLIO's own reading is wanted. */
function readLength(section: Section, { aliases }: Behaviour): Length {
  const read = (name: string, older: string, fallback: number, min: number): number => {
    if (!section.has(older) || section.has(name) || !aliases) {
      if (section.has(older)) section.without(older, `DLIO reads ${name}`)
      return section.number(name, fallback, { min })
    }
    const value = section.number(older, fallback, { min })
    section.warn(older, `${section.keyOf(older)} is read as ${name}, which it is called; DLIO ignores it`)
    section.set(name, value)
    return value
  }
  return {
    bytes: read('record_length_bytes', 'record_length', 65_536, 1),
    stdev: read('record_length_bytes_stdev', 'record_length_stdev', 0, 0),
    resized: read('record_length_bytes_resize', 'record_length_resize', 0, 0),
  }
}

function imageElement(section: Section, format: FormatName, element: DType): DType {
  if ((format !== 'jpeg' && format !== 'png') || element === 'uint8') return element
  section.warn('record_element_type', `dataset.record_element_type is uint8 for ${format}, not ${element}`)
  return 'uint8'
}

function recordOf(section: Section, { bytes, stdev }: Length, dims: readonly number[], dtype: DType): RecordSpec {
  if (dims.length > 0) return { kind: 'dims', dims, dtype }
  if (dtype === 'uint8') return { kind: 'length', bytes, stdev }
  if (stdev > 0)
    throw section.error('record_element_type', `${dtype} needs record_dims: sizes with a deviation are bytes`)
  // DLIO's square has as many elements as the record has bytes.
  const side = Math.floor(Math.sqrt(bytes))
  return { kind: 'dims', dims: [side, side], dtype }
}

function readWithout(section: Section, { forkKeys }: Behaviour): void {
  section.integer('generation_buffer_size', 2 * 2 ** 30, { min: 1 })
  section.boolean('enable_chunking', false)
  section.integer('chunk_size', 0, { min: 0 })
  section.boolean('skip_listing', false)
  section.integer('listing_validation_interval', 1000, { min: 0 })
  section.without('record_element_bytes', 'it follows from record_element_type')
  section.without('generation_buffer_size', 'records are written as they are made')
  section.without('enable_chunking', 'DLIO does not use it either; hdf5.chunk_dims makes chunks')
  section.without('chunk_size', 'DLIO does not use it either; hdf5.chunk_dims makes chunks')
  const fork = forkKeys ? '' : ', which only the fork of MLCommons reads'
  section.without('data_gen_method', `there is one generator${fork}`)
  section.without('skip_listing', `names are computed, and a sample of them is looked up${fork}`)
  section.without('listing_validation_interval', `names are computed, and a sample of them is looked up${fork}`)
  section.without('listing_threads', `names are computed${fork}`)
  section.without('num_files_generated', `a set that has more files than num_files_train is used in part${fork}`)
}
