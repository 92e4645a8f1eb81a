import { createHash } from 'node:crypto'
import { NoiseStream } from '../noise.ts'
import { itemBytes, tensorBytes } from './tensors.ts'
import type { CheckpointFile, TensorType } from './types.ts'

/** Made at once: bytes. */
export const PIECE = 2 ** 20

/** The bytes of a file's tensors from some offset on, piece by piece. What a piece holds does not change afterwards. */
export interface ContentStream {
  /** At most `length` bytes, and at most a piece. */
  next(length: number): Uint8Array
}

/** `noise`: bytes that nothing makes smaller, of each file its own. `ones`: each element is 1. */
export type ContentKind = 'noise' | 'ones'

export function contentOf(file: CheckpointFile, kind: ContentKind, seed: number, offset = 0): ContentStream {
  return kind === 'ones' ? new Ones(file, offset) : new NoiseStream(keyOf(file, seed), offset, PIECE)
}

function keyOf(file: CheckpointFile, seed: number): Uint8Array {
  return createHash('sha256').update(`${seed} ${file.key}`).digest().subarray(0, 16)
}

function writeOne(view: DataView, at: number, type: TensorType): void {
  switch (type) {
    case 'fp16':
      view.setUint16(at, 0x3c00, true)
      break
    case 'bf16':
      view.setUint16(at, 0x3f80, true)
      break
    case 'fp32':
      view.setFloat32(at, 1, true)
      break
    case 'fp64':
      view.setFloat64(at, 1, true)
      break
    default:
      view.setUint8(at, 1)
      break
  }
}

function blockOfOnes(type: TensorType): Uint8Array {
  const block = new Uint8Array(PIECE)
  const view = new DataView(block.buffer)
  for (let at = 0; at < PIECE; at += itemBytes(type)) writeOne(view, at, type)
  return block
}

/** Tensors of one type that follow each other are one run of the same element. */
class Ones implements ContentStream {
  readonly #runs: { readonly type: TensorType; readonly end: number }[] = []
  readonly #blocks = new Map<TensorType, Uint8Array>()
  #begin = 0
  #at: number

  constructor({ tensors }: CheckpointFile, offset: number) {
    let end = 0
    for (const tensor of tensors) {
      end += tensorBytes(tensor)
      if (this.#runs.at(-1)?.type === tensor.dtype) this.#runs.pop()
      this.#runs.push({ type: tensor.dtype, end })
    }
    this.#at = offset
  }

  next(length: number): Uint8Array {
    let run = this.#runs[0]
    while (run !== undefined && this.#at >= run.end) {
      this.#begin = run.end
      this.#runs.shift()
      run = this.#runs[0]
    }
    if (run === undefined) return new Uint8Array()
    const block = this.#blocks.get(run.type) ?? blockOfOnes(run.type)
    this.#blocks.set(run.type, block)
    const phase = (this.#at - this.#begin) % itemBytes(run.type)
    const count = Math.min(length, run.end - this.#at, PIECE - phase)
    this.#at += count
    return block.subarray(phase, phase + count)
  }
}
