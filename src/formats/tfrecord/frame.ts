import { maskedCrc32c } from '../../crc32c.ts'
import { crc32c } from '../../storage/crc.ts'
import { corrupt } from '../layout.ts'

/**
 * The frame of a TFRecord: length (uint64), its masked CRC-32C, the payload, its masked CRC-32C, all little-endian.
 * Source of the format: TensorFlow's guide "TFRecord and tf.train.Example".
 */

/** Length and its checksum. */
export const HEAD_BYTES = 12
/** The payload's checksum. */
export const TAIL_BYTES = 4
export const FRAME_BYTES = HEAD_BYTES + TAIL_BYTES

const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.length)

export function frameHead(payloadBytes: number): Uint8Array {
  const head = new Uint8Array(HEAD_BYTES)
  const view = viewOf(head)
  view.setBigUint64(0, BigInt(payloadBytes), true)
  view.setUint32(8, maskedCrc32c(crc32c(head.subarray(0, 8))), true)
  return head
}

/** `crc`: of the payload. */
export function frameTail(crc: number): Uint8Array {
  const tail = new Uint8Array(TAIL_BYTES)
  viewOf(tail).setUint32(0, maskedCrc32c(crc), true)
  return tail
}

/** Whether bytes begin with a frame's head: by its checksum, which nothing else has by chance. */
export function beginsFrame(bytes: Uint8Array): boolean {
  return bytes.length >= HEAD_BYTES && viewOf(bytes).getUint32(8, true) === maskedCrc32c(crc32c(bytes.subarray(0, 8)))
}

/** Payload bytes of the frame whose head this is, at `offset` of a file of `fileBytes`. E_CORRUPT. */
export function payloadBytes(head: Uint8Array, file: string, offset: number, fileBytes: number): number {
  if (!beginsFrame(head)) throw corrupt(file, 'the checksum of a record length is wrong', { offset })
  const bytes = Number(viewOf(head).getBigUint64(0, true))
  if (!(offset + FRAME_BYTES + bytes <= fileBytes))
    throw corrupt(file, `a record of ${bytes} bytes ends behind the end of the file, ${fileBytes}`, { offset })
  return bytes
}

/** E_CORRUPT unless `tail` is the masked checksum `crc`. */
export function checkPayload(crc: number, tail: Uint8Array, file: string, offset: number): void {
  if (viewOf(tail).getUint32(0, true) !== maskedCrc32c(crc))
    throw corrupt(file, "the checksum of a record's bytes is wrong", { offset })
}
