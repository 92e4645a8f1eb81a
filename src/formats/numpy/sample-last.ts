import { native } from '../../native.ts'
import { forget, keep, touch } from '../kept.ts'
import { givePiece, PIECE_BYTES, takePiece } from '../pieces.ts'

/**
 * Arrays whose last axis counts the samples, as DLIO writes them: the elements of one sample lie `samples` apart, so that
 * nearly every page of the array holds some of each. To read only those elements would take a request for each: what is
 * read for one sample is therefore all that lies between, once, for as many samples as are kept.
 */

/** The bytes of an array. Going back may cost a new start where they are compressed. */
export interface ArrayBytes {
  /** Fills `target` with the bytes from `offset` on. */
  read(offset: number, target: Uint8Array): Promise<void>
}

/** 32 MiB of samples are kept, so that the next ones of the file cost no reading. */
const KEPT_BYTES = 32 * 2 ** 20

interface Slab {
  readonly first: number
  readonly bytes: Promise<Uint8Array>
}

export class SampleLastArray {
  readonly #bytes: ArrayBytes
  readonly #samples: number
  /** Of one record. */
  readonly #elements: number
  readonly #itemBytes: number
  readonly #recordBytes: number
  /** Samples that are gathered in one pass. */
  readonly #together: number
  #slab: Slab | undefined
  /** One pass at a time: compressed bytes have one position. */
  #turn: Promise<unknown> = Promise.resolve()

  constructor(bytes: ArrayBytes, samples: number, elements: number, itemBytes: number) {
    this.#bytes = bytes
    this.#samples = samples
    this.#elements = elements
    this.#itemBytes = itemBytes
    this.#recordBytes = elements * itemBytes
    this.#together = Math.min(samples, Math.max(1, Math.floor(KEPT_BYTES / Math.max(1, this.#recordBytes))))
  }

  /** Fills `target` with the record of `sample`. */
  async read(sample: number, target: Uint8Array): Promise<void> {
    if (this.#together === 1) return this.#inTurn(() => this.#gather(sample, 1, target))
    const first = sample - (sample % this.#together)
    if (this.#slab?.first !== first) this.#slab = { first, bytes: this.#load(first) }
    const slab = this.#slab
    let bytes: Uint8Array
    try {
      bytes = await slab.bytes
    } catch (error) {
      if (this.#slab === slab) this.#slab = undefined
      throw error
    }
    touch(this)
    const start = (sample - first) * this.#recordBytes
    target.set(bytes.subarray(start, start + this.#recordBytes))
  }

  /** Gives memory back. */
  close(): void {
    this.#slab = undefined
    forget(this)
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work)
    this.#turn = done.catch(() => {})
    return done
  }

  #load(first: number): Promise<Uint8Array> {
    const count = Math.min(this.#together, this.#samples - first)
    const loading = this.#inTurn(async () => {
      const slab = new Uint8Array(count * this.#recordBytes)
      await this.#gather(first, count, slab)
      // Not where it was closed meanwhile.
      if (this.#slab?.first === first) keep(this, slab.length, () => this.close())
      return slab
    })
    return loading
  }

  /** The records of `count` samples, one after the other. */
  async #gather(first: number, count: number, out: Uint8Array): Promise<void> {
    if (this.#samples === 1) return this.#whole(out)
    const stage = takePiece()
    if (this.#samples * this.#itemBytes > PIECE_BYTES) await this.#gatherWide(stage, first, count, out)
    else await this.#gatherRows(stage, first, count, out)
    givePiece(stage)
  }

  async #gatherRows(stage: Uint8Array, first: number, count: number, out: Uint8Array): Promise<void> {
    const row = this.#samples * this.#itemBytes
    const rows = Math.floor(PIECE_BYTES / row)
    for (let element = 0; element < this.#elements; element += rows) {
      const some = Math.min(rows, this.#elements - element)
      await this.#bytes.read(element * row, stage.subarray(0, some * row))
      const from = stage.subarray(first * this.#itemBytes)
      const to = out.subarray(element * this.#itemBytes)
      native.transposeItems(from, this.#samples, to, this.#elements, some, count, this.#itemBytes)
    }
  }

  /** Rows are longer than a piece: of each, the part that the wanted samples lie in. */
  async #gatherWide(stage: Uint8Array, first: number, count: number, out: Uint8Array): Promise<void> {
    const most = Math.floor(PIECE_BYTES / this.#itemBytes)
    for (let element = 0; element < this.#elements; element++) {
      for (let done = 0; done < count; done += most) {
        const some = Math.min(most, count - done)
        const piece = stage.subarray(0, some * this.#itemBytes)
        await this.#bytes.read((element * this.#samples + first + done) * this.#itemBytes, piece)
        const target = out.subarray(done * this.#recordBytes + element * this.#itemBytes)
        native.transposeItems(piece, some, target, this.#elements, 1, some, this.#itemBytes)
      }
    }
  }

  /** One sample: its record is the array. Piece by piece, since each is checked. */
  async #whole(out: Uint8Array): Promise<void> {
    for (let offset = 0; offset < out.length; offset += PIECE_BYTES)
      await this.#bytes.read(offset, out.subarray(offset, offset + PIECE_BYTES))
  }
}

/** Fills `target` with the bytes of something from `offset` on. */
export type Fill = (offset: number, target: Uint8Array) => void

/** The bytes of an array with the samples on its last axis, from those of its records. */
export function interleaved(
  record: (sample: number, offset: number, target: Uint8Array) => void,
  samples: number,
  itemBytes: number,
): Fill {
  if (samples === 1) return (offset, target) => record(0, offset, target)
  let gathered = new Uint8Array(0)
  let whole = new Uint8Array(0)
  /** Less than a row: an element of each of some samples. */
  const fillSome = (start: number, end: number, target: Uint8Array): void => {
    for (let at = start; at < end; at++) {
      const place = (at - start) * itemBytes
      record(at % samples, Math.floor(at / samples) * itemBytes, target.subarray(place, place + itemBytes))
    }
  }

  /** Elements `start` to `end` of the array, all of them whole: a row has an element of each sample. */
  const fill = (start: number, end: number, target: Uint8Array): void => {
    const first = Math.floor(start / samples)
    const count = Math.ceil(end / samples) - first
    const run = count * itemBytes
    if (gathered.length < samples * run) gathered = new Uint8Array(samples * run)
    for (let sample = 0; sample < samples; sample++)
      record(sample, first * itemBytes, gathered.subarray(sample * run, (sample + 1) * run))
    /** Elements `from` to `to`, which are one row, a part of one, or some rows. */
    const put = (from: number, to: number): void => {
      if (from >= to) return
      const source = gathered.subarray((from % samples) * run + (Math.floor(from / samples) - first) * itemBytes)
      const [rows, columns] = to - from < samples ? [to - from, 1] : [samples, (to - from) / samples]
      native.transposeItems(
        source,
        count,
        target.subarray((from - start) * itemBytes),
        samples,
        rows,
        columns,
        itemBytes,
      )
    }
    const whole = [Math.ceil(start / samples) * samples, Math.floor(end / samples) * samples] as const
    put(start, whole[0])
    put(...whole)
    put(whole[1], end)
  }

  return (offset, target) => {
    const start = Math.floor(offset / itemBytes)
    const end = Math.ceil((offset + target.length) / itemBytes)
    const filled = end - start < samples ? fillSome : fill
    if (start * itemBytes === offset && (end - start) * itemBytes === target.length) return filled(start, end, target)
    const bytes = (end - start) * itemBytes
    if (whole.length < bytes) whole = new Uint8Array(bytes)
    filled(start, end, whole.subarray(0, bytes))
    target.set(whole.subarray(offset - start * itemBytes, offset - start * itemBytes + target.length))
  }
}
