import { crc32c } from '../../storage/crc.ts'
import { checkLayout, recordBytes, refuseOptions } from '../layout.ts'
import { Pieces, putRecord } from '../pieces.ts'
import type {
  ByteSink,
  ByteSource,
  Content,
  FileLayout,
  InspectedPart,
  Inspection,
  RecordFormat,
  RecordReader,
} from '../types.ts'
import { exampleAround, parseExample } from './example.ts'
import { FRAME_BYTES, frameHead, frameTail, HEAD_BYTES, payloadBytes } from './frame.ts'
import { evenPlaces, indexedPlaces, MAX_INDEX_BYTES, type Places, walkedPlaces } from './places.ts'
import { ExampleReader } from './reader.ts'

/** DLIO's TFRecords: a tf.train.Example a sample with its bytes as `image` and their number as `size`; DALI's index beside. */
export const tfrecord: RecordFormat = {
  name: 'tfrecord',
  sidecars: [{ place: 'index', suffix: '.idx' }],

  fileBytes(layout: FileLayout): number {
    refuseOptions('tfrecord', layout.options, [])
    checkLayout('tfrecord', layout)
    return layout.samples * frameBytes(layout)
  },

  async write(sink: ByteSink, layout: FileLayout, content: Content, sidecars: readonly ByteSink[]): Promise<void> {
    tfrecord.fileBytes(layout)
    const bytes = recordBytes(layout)
    const { before, behind } = exampleAround(bytes)
    const head = Buffer.concat([frameHead(before.length + bytes + behind.length), before])
    const begun = crc32c(before)
    const out = new Pieces(sink)
    for (let sample = 0; sample < layout.samples; sample++) {
      let crc = begun
      await out.put(head)
      await putRecord(out, content, sample, bytes, (piece) => {
        crc = crc32c(piece, crc)
      })
      await out.put(behind)
      await out.put(frameTail(crc32c(behind, crc)))
    }
    await out.end()
    if (sidecars[0] !== undefined) await writeIndex(sidecars[0], layout.samples, frameBytes(layout))
  },

  async open(source, layout, sidecar): Promise<RecordReader> {
    return ExampleReader.open(source, await placesIn(source, layout, sidecar), layout)
  },

  async inspect(source, sidecar): Promise<Inspection> {
    const places = await placesIn(source, undefined, sidecar)
    const parts: InspectedPart[] = []
    for (let sample = 0; sample < Math.min(places.samples, SHOWN); sample++)
      parts.push(...(await featuresOf(source, sample, await places.offset(sample))))
    const image = parts.find(({ name }) => name === 'record 0: image')
    return {
      format: 'tfrecord',
      records: places.samples,
      ...(image?.shape !== undefined && { shape: image.shape, dtype: 'uint8' }),
      parts,
      partCount: parts.length,
    }
  },
}

/** Records whose features an inspection names. */
const SHOWN = 3

/** 64 KiB of index lines at once. */
const LINES_BYTES = 64 * 1024

function frameBytes(layout: FileLayout): number {
  const bytes = recordBytes(layout)
  const { before, behind } = exampleAround(bytes)
  return FRAME_BYTES + before.length + bytes + behind.length
}

async function writeIndex(sink: ByteSink, samples: number, bytes: number): Promise<void> {
  const out = new Pieces(sink)
  let lines = ''
  for (let sample = 0; sample < samples; sample++) {
    lines += `${sample * bytes} ${bytes}\n`
    if (lines.length < LINES_BYTES) continue
    await out.put(Buffer.from(lines, 'latin1'))
    lines = ''
  }
  await out.put(Buffer.from(lines, 'latin1'))
  await out.end()
}

async function placesIn(
  source: ByteSource,
  layout: FileLayout | undefined,
  sidecar: ((i: number) => Promise<ByteSource>) | undefined,
): Promise<Places> {
  if (layout !== undefined && layout.samples > 0) {
    const bytes = frameBytes(layout)
    if (source.size === layout.samples * bytes) return evenPlaces(layout.samples, bytes)
  }
  const index = await sidecar?.(0)
  return index === undefined || index.size > MAX_INDEX_BYTES ? walkedPlaces(source) : indexedPlaces(source, index)
}

async function featuresOf(source: ByteSource, sample: number, offset: number): Promise<InspectedPart[]> {
  const head = await source.read(offset, HEAD_BYTES)
  const bytes = payloadBytes(head, source.name, offset, source.size)
  const start = offset + HEAD_BYTES
  const features = parseExample(await source.read(start, bytes), source.name, start)
  return features.map(({ name, kind, count, start: at, length }) => ({
    name: `record ${sample}: ${name}`,
    type: kind,
    ...(kind === 'bytes' ? { shape: [length], offset: start + at, storedBytes: length } : { shape: [count] }),
  }))
}
