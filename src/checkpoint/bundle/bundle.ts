import { maskedCrc32c } from '../../crc32c.ts'
import { crc32c } from '../../storage/crc.ts'
import { tensorBytes } from '../tensors.ts'
import type { CheckpointFile, TensorSpec, TensorType } from '../types.ts'
import { type Entry, tableEntries, tableOf } from './table.ts'
import { varint } from './varint.ts'

/**
 * A checkpoint as TensorFlow lays it out: `NAME-1.data-00000-of-00001` has the tensors without anything between them,
 * `NAME-1.index` says where each lies, and `checkpoint` names what was saved last.
 * Source of the format: TensorFlow's tensor_bundle.proto.
 */

const DATA = '.data-00000-of-00001'

/** Of the data file, by the name that TensorFlow is told. */
export function bundleKey(name: string): string {
  return `${name}-1${DATA}`
}

export function indexKey({ key }: CheckpointFile): string {
  return `${key.slice(0, -DATA.length)}.index`
}

export function stateKey({ key }: CheckpointFile): string {
  return `${key.slice(0, key.lastIndexOf('/') + 1)}checkpoint`
}

/** What the file `checkpoint` says, in Protocol Buffers' text. */
export function stateText({ key }: CheckpointFile): Uint8Array {
  const name = JSON.stringify(key.slice(key.lastIndexOf('/') + 1, -DATA.length))
  return Buffer.from(`model_checkpoint_path: ${name}\nall_model_checkpoint_paths: ${name}\n`)
}

/** TensorFlow's numbers of types. */
const TYPES: Readonly<Record<TensorType, number>> = { fp32: 1, fp64: 2, uint8: 4, int8: 6, bf16: 14, fp16: 19 }

/** One shard, little-endian, version 1. */
const HEADER = Uint8Array.of(0x08, 0x01, 0x1a, 0x02, 0x08, 0x01)

const FIELD = { dtype: 1, shape: 2, offset: 4, size: 5, crc: 6 } as const
const VARINT = 0
const BYTES = 2
const FIXED32 = 5
const tag = (field: number, wire: number) => (field << 3) | wire

const utf8 = (text: string): Uint8Array => Buffer.from(text)
const keyOf = ({ name }: TensorSpec): Uint8Array => utf8(`${name}/.ATTRIBUTES/VARIABLE_VALUE`)

function shapeBytes(shape: readonly number[]): number[] {
  return shape.flatMap((axis) => {
    const dimension = [tag(1, VARINT), ...varint(axis)]
    return [tag(2, BYTES), dimension.length, ...dimension]
  })
}

/** What an entry says, without its checksum. */
function described(tensor: TensorSpec, offset: number): number[] {
  const shape = shapeBytes(tensor.shape)
  return [
    ...[tag(FIELD.dtype, VARINT), TYPES[tensor.dtype]],
    ...[tag(FIELD.shape, BYTES), ...varint(shape.length), ...shape],
    ...(offset > 0 ? [tag(FIELD.offset, VARINT), ...varint(offset)] : []),
    ...[tag(FIELD.size, VARINT), ...varint(tensorBytes(tensor))],
  ]
}

/** In the order of the index. */
function placed({ tensors }: CheckpointFile) {
  let offset = 0
  const places = tensors.map((tensor, i) => {
    const place = { tensor, i, offset, key: keyOf(tensor) }
    offset += tensorBytes(tensor)
    return place
  })
  return places.sort((a, b) => Buffer.compare(a.key, b.key))
}

/** `crcs`: the CRC-32C of each tensor's bytes, in the order of the file's tensors. */
export function indexFile(file: CheckpointFile, crcs: readonly number[]): Uint8Array {
  const entries = placed(file).map(({ tensor, i, offset, key }): Entry => {
    const crc = new Uint8Array(4)
    new DataView(crc.buffer).setUint32(0, maskedCrc32c(crcs[i] as number), true)
    return [key, Uint8Array.from([...described(tensor, offset), tag(FIELD.crc, FIXED32), ...crc])]
  })
  return tableOf([[new Uint8Array(0), HEADER], ...entries])
}

/** What is wrong with an index, in words; undefined where it names the file's tensors. */
export function indexProblem(file: CheckpointFile, index: Uint8Array): string | undefined {
  try {
    const [header, ...entries] = tableEntries(index)
    if (header === undefined || header[0].length > 0) return 'it has no header'
    if (Buffer.compare(header[1], HEADER) !== 0) return 'it is of another version, or of several shards'
    const wanted = placed(file)
    const same = (entry: Entry | undefined, i: number): boolean => {
      const { tensor, offset, key } = wanted[i] as (typeof wanted)[number]
      if (entry === undefined || Buffer.compare(entry[0], key) !== 0) return false
      const said = described(tensor, offset)
      return Buffer.compare(entry[1].subarray(0, said.length), Uint8Array.from(said)) === 0
    }
    const names = entries.length === wanted.length && wanted.every((_, i) => same(entries[i], i))
    return names ? undefined : 'it names other tensors'
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

/** The checksums of tensors that come one after the other, in pieces. */
export class TensorSums {
  readonly crcs: number[] = []
  readonly #sizes: readonly number[]
  #crc = 0
  #left: number

  constructor({ tensors }: CheckpointFile) {
    this.#sizes = tensors.map(tensorBytes)
    this.#left = this.#sizes[0] ?? 0
    this.#end()
  }

  add(piece: Uint8Array): void {
    for (let at = 0; at < piece.length; ) {
      const some = piece.subarray(at, at + this.#left)
      if (some.length === 0) throw new Error('more bytes than tensors')
      this.#crc = crc32c(some, this.#crc)
      this.#left -= some.length
      at += some.length
      this.#end()
    }
  }

  /** Goes on to the next tensor that has bytes. */
  #end(): void {
    while (this.#left === 0 && this.crcs.length < this.#sizes.length) {
      this.crcs.push(this.#crc)
      this.#crc = 0
      this.#left = this.#sizes[this.crcs.length] ?? 0
    }
  }
}
