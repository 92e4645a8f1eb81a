import { corrupt } from '../layout.ts'

/**
 * tf.train.Example messages: a map from names to lists of bytes, floats or integers.
 * Source of the format: tensorflow/core/example/{example,feature}.proto and the encoding of protocol buffers.
 */

export interface Feature {
  readonly name: string
  readonly kind: 'bytes' | 'float' | 'int64' | 'none'
  /** Values in it. */
  readonly count: number
  /** Of bytes: where the first value lies in the message. */
  readonly start: number
  readonly length: number
  /** Where the list of values lies in the message. */
  readonly from: number
  readonly to: number
}

/** The name of DLIO's records, and of their bytes' number. */
export const IMAGE = 'image'
const SIZE = 'size'

export const LENGTH_DELIMITED = 2

function varint(value: number): number[] {
  const bytes: number[] = []
  let rest = value
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80)
  return [...bytes, rest]
}

/** Field `number`, of `length` bytes that follow. */
function opening(number: number, length: number): number[] {
  return [(number << 3) | LENGTH_DELIMITED, ...varint(length)]
}

function field(number: number, bytes: readonly number[]): number[] {
  return [...opening(number, bytes.length), ...bytes]
}

const textBytes = (text: string) => [...Buffer.from(text, 'latin1')]

/** What stands before and behind `bytes` bytes of a record in the message that DLIO makes of it. */
export function exampleAround(bytes: number): { readonly before: Uint8Array; readonly behind: Uint8Array } {
  const size = field(1, [...field(1, textBytes(SIZE)), ...field(2, field(3, field(1, varint(bytes))))])
  const value = opening(1, bytes)
  const list = opening(1, value.length + bytes)
  const name = field(1, textBytes(IMAGE))
  const feature = opening(2, list.length + value.length + bytes)
  const entry = name.length + feature.length + list.length + value.length + bytes
  const image = [...opening(1, entry), ...name, ...feature, ...list, ...value]
  const features = opening(1, image.length + bytes + size.length)
  return { before: Uint8Array.from([...features, ...image]), behind: Uint8Array.from(size) }
}

/** A walk over the fields of a message. */
export class Fields {
  readonly #bytes: Uint8Array
  readonly #end: number
  readonly #fail: (at: number) => Error
  at: number
  number = 0
  wire = 0
  /** Of a field with a length: its bytes. */
  start = 0
  end = 0

  constructor(bytes: Uint8Array, start: number, end: number, fail: (at: number) => Error) {
    this.#bytes = bytes
    this.at = start
    this.#end = end
    this.#fail = fail
  }

  next(): boolean {
    if (this.at === this.#end) return false
    const begun = this.at
    const tag = this.varint()
    this.number = Math.floor(tag / 8)
    this.wire = tag % 8
    this.start = this.at
    if (this.wire === 0) this.varint()
    else if (this.wire === 1) this.at += 8
    else if (this.wire === 5) this.at += 4
    else if (this.wire === LENGTH_DELIMITED) {
      const length = this.varint()
      this.start = this.at
      this.at += length
    } else throw this.#fail(begun)
    this.end = this.at
    if (!(this.at <= this.#end)) throw this.#fail(begun)
    return true
  }

  varint(): number {
    let value = 0
    let scale = 1
    for (let i = 0; i < 10; i++) {
      if (this.at >= this.#end) throw this.#fail(this.at)
      const byte = this.#bytes[this.at++] ?? 0
      value += (byte & 0x7f) * scale
      if (byte < 0x80) return value
      scale *= 0x80
    }
    throw this.#fail(this.at)
  }

  inside(): Fields {
    return new Fields(this.#bytes, this.start, this.end, this.#fail)
  }
}

/** The features of a message; `offset` is where it lies in `file`. E_CORRUPT. */
export function parseExample(bytes: Uint8Array, file: string, offset: number): readonly Feature[] {
  const fail = (at: number) => corrupt(file, 'a record is no tf.train.Example', { offset: offset + at })
  const found: Feature[] = []
  for (const example = new Fields(bytes, 0, bytes.length, fail); example.next(); ) {
    if (example.number !== 1 || example.wire !== LENGTH_DELIMITED) continue
    for (const features = example.inside(); features.next(); )
      if (features.number === 1 && features.wire === LENGTH_DELIMITED) found.push(featureIn(features.inside(), bytes))
  }
  return found
}

const KINDS = ['none', 'bytes', 'float', 'int64'] as const

function featureIn(entry: Fields, bytes: Uint8Array): Feature {
  let feature: Feature = { name: '', kind: 'none', count: 0, start: 0, length: 0, from: 0, to: 0 }
  while (entry.next()) {
    if (entry.wire !== LENGTH_DELIMITED) continue
    if (entry.number === 1)
      feature = { ...feature, name: new TextDecoder().decode(bytes.subarray(entry.start, entry.end)) }
    if (entry.number !== 2) continue
    for (const value = entry.inside(); value.next(); ) {
      const kind = KINDS[value.number]
      if (kind === undefined || kind === 'none' || value.wire !== LENGTH_DELIMITED) continue
      feature = { ...feature, kind, ...valuesIn(value.inside(), kind), from: value.start, to: value.end }
    }
  }
  return feature
}

function valuesIn(list: Fields, kind: Feature['kind']): Pick<Feature, 'count' | 'start' | 'length'> {
  let [count, start, length] = [0, 0, 0]
  while (list.next()) {
    if (list.number !== 1) continue
    const packed = list.wire === LENGTH_DELIMITED && kind !== 'bytes'
    if (!packed) {
      if (count === 0 && kind === 'bytes') [start, length] = [list.start, list.end - list.start]
      count++
    } else if (kind === 'float') count += Math.floor((list.end - list.start) / 4)
    else for (const values = list.inside(); values.at < list.end; count++) values.varint()
  }
  return { count, start, length }
}
