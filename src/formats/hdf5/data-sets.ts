import { show } from '../../checks.ts'
import { type DType, itemSize } from '../../dtype.ts'
import { HeadraceError } from '../../errors.ts'
import type { FileLayout } from '../types.ts'
import { datatypeMessage } from './datatype.ts'
import { guessChunk } from './guess-chunk.ts'

/** One array of an HDF5 file. */
export interface DataSet {
  readonly name: string
  /** Samples first. */
  readonly shape: readonly number[]
  readonly maxShape: readonly number[]
  readonly dtype: DType
  /** Absent: the elements lie one after the other. */
  readonly chunk?: Chunk
}

export interface Chunk {
  /** Elements an axis, the samples' among them. */
  readonly shape: readonly number[]
  /** Bytes, also of a chunk that reaches beyond the data set. */
  readonly bytes: number
  /** How chunks are compressed, where they are. */
  readonly filter?: ChunkFilter
}

export type ChunkFilter = { readonly kind: 'gzip'; readonly level: number } | { readonly kind: 'lzf' }

/** What HDF5 can hold in one chunk is below 4 GiB; one is in memory as a whole here. */
const MAX_CHUNK = 256 * 1024 * 1024
/** h5py's. */
const GZIP_LEVEL = 4
/** HDF5's own limit. */
const MAX_RANK = 32

function refuse(message: string, hint?: string): never {
  throw new HeadraceError('E_CONFIG', `hdf5: ${message}`, hint === undefined ? {} : { hint })
}

export function product(factors: readonly number[]): number {
  return factors.reduce((all, factor) => all * factor, 1)
}

/** The shape of each `records_i`, without the samples: DLIO leaves out a first axis of 1, and cuts the first axis. */
function partShape(shape: readonly number[], dataSets: number): readonly number[] {
  if (dataSets === 1) return shape[0] === 1 ? shape.slice(1) : shape
  const [first, ...rest] = shape
  if (first === undefined || first % dataSets !== 0)
    refuse(`records of shape ${show(shape)} cannot be spread over ${dataSets} data sets`, 'the first axis is cut')
  return [first / dataSets, ...rest]
}

function chunkOf({ options, dtype }: FileLayout, shape: readonly number[], maxShape: readonly number[]) {
  const { chunkDims = [], compression = 'none', compressionLevel = GZIP_LEVEL } = options
  if (compression !== 'none' && compression !== 'gzip' && compression !== 'lzf')
    refuse(`compression ${show(compression)}; there are "none", "gzip" and "lzf"`)
  if (!Number.isInteger(compressionLevel) || compressionLevel < 0 || compressionLevel > 9)
    refuse(`the level of gzip is an integer from 0 to 9, but got ${show(compressionLevel)}`)
  const resizable = maxShape.some((axis, i) => axis !== shape[i])
  if (chunkDims.length === 0 && !resizable && compression === 'none') return undefined
  const dims = chunkDims.length > 0 ? chunkDims : guessChunk(shape, itemSize(dtype))
  const fits = dims.length === shape.length && dims.every((axis, i) => axis >= 1 && axis <= (maxShape[i] as number))
  if (!fits || !dims.every(Number.isInteger))
    refuse(`chunks of ${show(dims)} do not fit a data set of ${show(shape)}`, 'the first axis is that of the samples')
  const bytes = product(dims) * itemSize(dtype)
  if (bytes > MAX_CHUNK) refuse(`a chunk of ${bytes} bytes; at most ${MAX_CHUNK}`)
  if (compression === 'none') return { shape: dims, bytes }
  const filter: ChunkFilter = compression === 'gzip' ? { kind: 'gzip', level: compressionLevel } : { kind: 'lzf' }
  return { shape: dims, bytes, filter }
}

/** The arrays that hold a file's records, in DLIO's order; its `labels` come last. E_CONFIG for what HDF5 cannot hold. */
export function dataSetsOf(layout: FileLayout): readonly DataSet[] {
  const { samples, dtype, options } = layout
  const { dataSets = 1, maxShape: most = [] } = options
  if (!Number.isInteger(dataSets) || dataSets < 1) refuse(`${show(dataSets)} data sets a record`)
  if (datatypeMessage(dtype) === undefined) refuse(`no element type for ${dtype}`)
  const shape = [samples, ...partShape(layout.shape, dataSets)]
  if (shape.length > MAX_RANK) refuse(`records of ${shape.length - 1} axes; at most ${MAX_RANK - 1}`)
  if (!Number.isSafeInteger(product(layout.shape) * samples * itemSize(dtype)))
    refuse(`${samples} records of ${show(layout.shape)}`)
  const maxShape = most.length === 0 ? shape : [samples, ...most]
  if (maxShape.length !== shape.length || maxShape.some((axis, i) => axis < (shape[i] as number)))
    refuse(`max_shape ${show(most)} does not hold records of ${show(shape.slice(1))}`)
  const chunk = chunkOf(layout, shape, maxShape)
  const records = Array.from({ length: dataSets }, (_, i): DataSet => {
    return { name: `records_${i}`, shape, maxShape, dtype, ...(chunk && { chunk }) }
  })
  return [...records, { name: 'labels', shape: [samples], maxShape: [samples], dtype: 'int64' }]
}

/** Bytes of all elements. */
export function elementBytes({ shape, dtype }: DataSet): number {
  return product(shape) * itemSize(dtype)
}

/** How many chunks there can be along each axis. */
export function chunkGrid(dataSet: DataSet, shape: readonly number[]): number[] {
  return shape.map((axis, i) => Math.ceil(axis / (dataSet.chunk?.shape[i] ?? axis)))
}
