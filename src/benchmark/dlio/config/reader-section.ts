import { itemSize } from '../../../dtype.ts'
import type { Distribution, Shuffle } from '../types.ts'
import { elementType } from './element-type.ts'
import { type MapNode, merged } from './node.ts'
import type { Behaviour } from './profiles.ts'
import type { Reading, Section } from './section.ts'

export interface ReaderConfig {
  readonly loader: Loader
  /** Whether the config says so itself. */
  readonly loaderGiven: boolean
  readonly sampler: string | null
  readonly readThreads: number
  readonly computationThreads: number
  readonly batchSize: number
  readonly batchSizeEval: number
  readonly prefetch: number
  readonly fileShuffle: Shuffle
  readonly sampleShuffle: Shuffle
  readonly shuffleSize: number
  readonly readType: 'memory' | 'on_demand'
  readonly transferSize: number | undefined
  readonly odirect: boolean
  readonly preprocessTime: Distribution
  readonly dropLast: boolean
  readonly transformedDims: readonly number[]
  /** Bytes of an element of the transformed record. */
  readonly transformedSize: number
}

export type Loader = (typeof LOADERS)[number]

const LOADERS = ['tensorflow', 'pytorch', 'dali', 'native_dali', 'custom', 'none', 'synthetic', 'jax'] as const
const SHUFFLES: readonly Shuffle[] = ['off', 'seed', 'random']

/** Both names of the group as one; DLIO takes `data_reader` where both are there. */
export function readerMap(root: MapNode, reading: Reading): MapNode {
  const { data_reader: older, reader } = Object.fromEntries(root.entries)
  if (older === undefined) return root
  if (reader !== undefined)
    reading.warn(
      'data_reader and reader are both there: where they differ data_reader counts',
      'data_reader',
      older.named ?? older.place,
    )
  const entries = new Map(root.entries)
  entries.delete('data_reader')
  entries.set('reader', reader === undefined ? older : merged(reader, older))
  return { ...root, entries }
}

const CLASSES = 'classes of Python cannot be loaded; the reader of the format is used'

export function readReader(section: Section, behaviour: Behaviour): ReaderConfig {
  const loader = section.choice<Loader>('data_loader', 'tensorflow', behaviour.aliases ? LOADERS : LOADERS.slice(0, -1))
  const sampler = section.choice('data_loader_sampler', null, ['iterative', 'index', 'none'])
  const transfer = section.optionalInteger('transfer_size', { min: 1 })
  const found: ReaderConfig = {
    loader,
    loaderGiven: section.has('data_loader'),
    sampler,
    readThreads: section.integer('read_threads', 1, { min: 0, max: 4096 }),
    computationThreads: section.integer('computation_threads', 1, { min: 0, max: 4096 }),
    batchSize: section.integer('batch_size', 1, { min: 1 }),
    batchSizeEval: section.integer('batch_size_eval', 1, { min: 1 }),
    prefetch: section.integer('prefetch_size', 2, { min: 0 }),
    fileShuffle: readShuffle(section, 'file_shuffle', behaviour),
    sampleShuffle: readShuffle(section, 'sample_shuffle', behaviour),
    shuffleSize: section.integer('shuffle_size', 1024, { min: 0 }),
    readType: readReadType(section, behaviour),
    transferSize: transfer ?? undefined,
    odirect: section.boolean('odirect', false),
    preprocessTime: section.distribution('preprocess_time', 'preprocess_time_stdev'),
    dropLast: behaviour.aliases && section.has('drop_last') ? section.boolean('drop_last', true) : true,
    transformedDims: section.integers('transformed_record_dims', { min: 1 }),
    transformedSize: itemSize(elementType(section, 'transformed_record_element_type')),
  }
  readWithout(section)
  section.close()
  return inOrder(found, behaviour)
}

/** PyTorch's sampler of DLIO counts up, whatever the shuffles did to the tables that it looks into. */
function inOrder(found: ReaderConfig, { orderedPyTorch }: Behaviour): ReaderConfig {
  if (!orderedPyTorch || found.loader !== 'pytorch') return found
  return { ...found, fileShuffle: 'off', sampleShuffle: 'off' }
}

function readShuffle(section: Section, name: string, { looseEnums }: Behaviour): Shuffle {
  const node = section.node(name)
  const value = node?.kind === 'scalar' ? node.value : undefined
  if (typeof value !== 'boolean') {
    const shuffle = section.choice(name, 'off', SHUFFLES)
    // The text is not the name it is compared with, so that every text shuffles.
    return looseEnums && name === 'file_shuffle' && section.has(name) && shuffle === 'off' ? 'seed' : shuffle
  }
  if (looseEnums && name === 'sample_shuffle')
    throw section.error(
      name,
      `must be one of ${SHUFFLES.join(', ')}, but is ${value}`,
      'to YAML, off without quotes is false',
    )
  const shuffle = value || looseEnums ? 'seed' : 'off'
  section.set(name, value ? 'seed' : 'off')
  if (value) section.warn(name, `${section.keyOf(name)} true is read as seed`)
  return shuffle
}

function readReadType(section: Section, { looseEnums }: Behaviour): 'memory' | 'on_demand' {
  const type = section.choice('read_type', 'on_demand', ['memory', 'on_demand'])
  return looseEnums && section.has('read_type') ? 'memory' : type
}

function readWithout(section: Section): void {
  section.optionalText('data_loader_classname')
  section.without('data_loader_classname', CLASSES)
  section.optionalText('reader_classname')
  section.without('reader_classname', CLASSES)
  section.optionalText('multiprocessing_context')
  section.without('multiprocessing_context', 'threads read, and no processes')
  section.choice('file_access', 'multi', ['multi', 'shared', 'collective', 'mpio', 'posix'])
  section.without('file_access', 'DLIO does not use it either')
  section.boolean('dont_use_mmap', false)
  section.without('dont_use_mmap', 'files are read, and never mapped')
  section.boolean('pin_memory', true)
  section.without('pin_memory', 'there is no accelerator to pin memory for')
  section.without('computation_threads', 'the thread that reads a batch decodes it too')
  section.integer('write_threads', 1, { min: 1, max: 4096 })
  section.without('write_threads', 'generation uses all cores')
}
