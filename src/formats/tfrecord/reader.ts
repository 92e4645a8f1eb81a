import type { DType } from '../../dtype.ts'
import { HeadraceError } from '../../errors.ts'
import { crc32c } from '../../storage/crc.ts'
import { checkSample, corrupt, ofSample, recordBytes, roomOf } from '../layout.ts'
import type { ByteSource, FileLayout, RecordReader } from '../types.ts'
import { exampleAround, IMAGE, parseExample } from './example.ts'
import { checkPayload, frameHead, HEAD_BYTES, payloadBytes, TAIL_BYTES } from './frame.ts'
import type { Places } from './places.ts'

/** 1 GiB: longer messages are none of TensorFlow's, whose protocol buffers end at 2 GiB. */
const MAX_PAYLOAD = 2 ** 30

/**
 * A message as the last one was: what stood before the record's bytes and how many were behind them. Where the next one
 * begins the same, its bytes are where they were, and go where they are wanted without passing through here.
 */
interface Form {
  /** The frame's head, and the message up to the bytes. */
  readonly before: Uint8Array
  readonly bytes: number
  /** Behind the bytes, with the frame's tail. */
  readonly behind: number
}

function expectedForm(layout: FileLayout): Form {
  const bytes = recordBytes(layout)
  const { before, behind } = exampleAround(bytes)
  const head = frameHead(before.length + bytes + behind.length)
  return { before: Buffer.concat([head, before]), bytes, behind: behind.length + TAIL_BYTES }
}

/** Records of a TFRecord file. Every record's checksum is checked. */
export class ExampleReader implements RecordReader {
  readonly samples: number
  readonly shape: readonly number[]
  readonly dtype: DType
  readonly #source: ByteSource
  readonly #places: Places
  #form: Form | undefined

  private constructor(
    source: ByteSource,
    places: Places,
    form: Form | undefined,
    of: Pick<RecordReader, 'shape' | 'dtype'>,
  ) {
    this.samples = places.samples
    this.shape = of.shape
    this.dtype = of.dtype
    this.#source = source
    this.#places = places
    this.#form = form
  }

  static async open(source: ByteSource, places: Places, layout: FileLayout | undefined): Promise<ExampleReader> {
    if (layout !== undefined && (places.even || places.samples === 0))
      return new ExampleReader(source, places, expectedForm(layout), layout)
    const first = places.samples === 0 ? undefined : await readMessage(source, 0, await places.offset(0))
    const bytes = first?.form.bytes ?? 0
    const of =
      layout !== undefined && recordBytes(layout) === bytes ? layout : ({ shape: [bytes], dtype: 'uint8' } as const)
    return new ExampleReader(source, places, first?.form, of)
  }

  async read(sample: number, into: Uint8Array): Promise<number> {
    checkSample(sample, this.samples, this.#source.name)
    return ofSample(sample, this.#source.name, async () => {
      const offset = await this.#places.offset(sample)
      const form = this.#form
      if (form !== undefined && (await this.#readAsBefore(form, sample, offset, into))) return form.bytes
      const { image, form: found } = await readMessage(this.#source, sample, offset)
      this.#form = found
      roomOf(into, image.length, this.#source.name, sample).set(image)
      return image.length
    })
  }

  async close(): Promise<void> {}

  /** False where the message has another form, or is damaged: the long way tells. */
  async #readAsBefore(form: Form, sample: number, offset: number, into: Uint8Array): Promise<boolean> {
    const source = this.#source
    const { before, bytes, behind } = form
    if (offset + before.length + bytes + behind > source.size) return false
    const target = roomOf(into, bytes, source.name, sample)
    const around = Buffer.allocUnsafe(before.length + behind)
    const [head, tail] = [around.subarray(0, before.length), around.subarray(before.length)]
    if (source.readParts !== undefined) await source.readParts(offset, [head, target, tail])
    else await readApart(source, offset, [head, target, tail])
    if (Buffer.compare(head, before) !== 0) return false
    const crc = crc32c(tail.subarray(0, -TAIL_BYTES), crc32c(target, crc32c(head.subarray(HEAD_BYTES))))
    checkPayload(crc, tail.subarray(-TAIL_BYTES), source.name, offset)
    return true
  }
}

/** One request, and a copy of the bytes. */
async function readApart(source: ByteSource, offset: number, parts: readonly Uint8Array[]): Promise<void> {
  const bytes = await source.read(
    offset,
    parts.reduce((sum, part) => sum + part.length, 0),
  )
  let at = 0
  for (const part of parts) {
    part.set(bytes.subarray(at, at + part.length))
    at += part.length
  }
}

async function readMessage(
  source: ByteSource,
  sample: number,
  offset: number,
): Promise<{ readonly image: Uint8Array; readonly form: Form }> {
  const { name: file, size } = source
  const head = await source.read(offset, Math.min(HEAD_BYTES, Math.max(0, size - offset)))
  const length = payloadBytes(head, file, offset, size)
  if (length > MAX_PAYLOAD)
    throw new HeadraceError(
      'E_LIMIT',
      `${file}: sample ${sample}: a record of ${length} bytes (at most ${MAX_PAYLOAD})`,
      {
        path: file,
        sample,
        offset,
      },
    )
  const start = offset + HEAD_BYTES
  const payload = await source.read(start, length + TAIL_BYTES)
  const message = payload.subarray(0, length)
  checkPayload(crc32c(message), payload.subarray(length), file, offset)
  const features = parseExample(message, file, start)
  const found = features.find(({ name, kind }) => name === IMAGE && kind === 'bytes')
  if (found === undefined || found.count === 0)
    throw corrupt(
      file,
      `a record without bytes called ${IMAGE}; it has ${features.map(({ name }) => name).join(', ') || 'none'}`,
      {
        offset,
      },
    )
  const image = message.subarray(found.start, found.start + found.length)
  const before = Buffer.concat([head, message.subarray(0, found.start)])
  return { image, form: { before, bytes: image.length, behind: length - found.start - image.length + TAIL_BYTES } }
}
