import { corrupt } from '../layout.ts'
import { type Feature, Fields, LENGTH_DELIMITED } from './example.ts'

/** Values of a feature, read out of the message that it lies in. */

function fieldsOf(message: Uint8Array, { from, to }: Feature, file: string): Fields {
  return new Fields(message, from, to, () => corrupt(file, 'a record is no tf.train.Example'))
}

/** Of a feature of bytes: each value, a view of the message. */
export function bytesValues(message: Uint8Array, feature: Feature, file: string): readonly Uint8Array[] {
  const values: Uint8Array[] = []
  for (const list = fieldsOf(message, feature, file); list.next(); )
    if (list.number === 1 && list.wire === LENGTH_DELIMITED) values.push(message.subarray(list.start, list.end))
  return values
}

/** Of a feature of floats. */
export function floatValues(message: Uint8Array, feature: Feature, file: string): Float32Array {
  const values = new Float32Array(feature.count)
  const view = new DataView(message.buffer, message.byteOffset, message.length)
  let count = 0
  for (const list = fieldsOf(message, feature, file); list.next(); ) {
    if (list.number !== 1) continue
    // Packed or one by one: four bytes each.
    const end = list.start + Math.floor((list.end - list.start) / 4) * 4
    for (let at = list.start; at < end && count < values.length; at += 4) values[count++] = view.getFloat32(at, true)
  }
  return values
}

/** Of a feature of integers. */
export function integerValues(message: Uint8Array, feature: Feature, file: string): BigInt64Array {
  const values = new BigInt64Array(feature.count)
  let count = 0
  for (const list = fieldsOf(message, feature, file); list.next(); ) {
    if (list.number !== 1) continue
    for (let at = list.start; at < list.end && count < values.length; count++) {
      let low = 0
      let high = 0
      let byte = 128
      // Seven bits a byte, the lowest first, as two words of 32 bits.
      for (let shift = 0; byte > 127 && at < list.end; shift += 7) {
        byte = message[at++] as number
        const bits = byte & 127
        if (shift < 28) low |= bits << shift
        else if (shift === 28) {
          low |= bits << 28
          high |= bits >> 4
        } else high |= bits << (shift - 32)
      }
      values[count] = (BigInt(high) << 32n) | BigInt(low >>> 0)
    }
  }
  return values
}
