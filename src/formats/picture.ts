import { availableCores } from '../cores.ts'
import { HeadraceError } from '../errors.ts'
import { type GreyPixels, native } from '../native.ts'
import { imageType } from './image-type.ts'
import { MAX_JPEG_SIDE, parseJpeg } from './jpeg.ts'
import { checkLayout, checkSample, corrupt, ofSample, recordBytes, refuseOptions, roomOf } from './layout.ts'
import { givePiece, PIECE_BYTES, takePiece } from './pieces.ts'
import type { ByteSink, ByteSource, Content, FileLayout, Inspection, RecordFormat, RecordReader } from './types.ts'

/** No loader has this group of the pool; they count from 1. */
const ENCODE_GROUP = 0
/** Pillow's, which DLIO saves with. */
const JPEG_QUALITY = 75
/** libpng's limit of a side. */
const MAX_PNG_SIDE = 1_000_000
/** 1 GiB: a picture is held whole, decoded and not. */
const MAX_FILE_BYTES = 2 ** 30
/** The signature, and the chunk IHDR. */
const PNG_HEAD = 33
/** By PNG's colour type; a palette's pixels are numbers of colours, which nobody trains on. */
const PNG_CHANNELS: Readonly<Record<number, number>> = { 0: 1, 2: 3, 4: 2, 6: 4 }

interface Picture {
  readonly width: number
  readonly height: number
  readonly channels: number
  /** What an inspection says of the coding. */
  readonly coding: string
}

/** Pictures of one record each: 8-bit grey of two dimensions. */
function pictureFormat(name: 'jpeg' | 'png'): RecordFormat {
  const format: RecordFormat = {
    name,
    sidecars: [],

    fileBytes(layout: FileLayout): number | undefined {
      check(name, layout)
      return layout.options.pictures === 'raw' ? recordBytes(layout) : undefined
    },

    async write(sink: ByteSink, layout: FileLayout, content: Content): Promise<void> {
      check(name, layout)
      const bytes = recordBytes(layout)
      const memory = bytes <= PIECE_BYTES ? takePiece() : new Uint8Array(bytes)
      const pixels = memory.subarray(0, bytes)
      content.fill(0, 0, pixels)
      const [height = 0, width = 0] = layout.shape
      const raw = layout.options.pictures === 'raw'
      if (raw) await sink.write(pixels)
      else if (name === 'jpeg') await writeJpeg(sink, { pixels, width, height, quality: JPEG_QUALITY })
      else await sink.write(await toPng(pixels, width, height))
      if (bytes <= PIECE_BYTES) givePiece(memory)
    },

    async open(source: ByteSource, layout?: FileLayout): Promise<RecordReader> {
      if (layout?.options.pictures === 'raw') return openRaw(source, layout)
      const bytes = await wholeFile(source)
      const picture = await ofSample(0, source.name, async () => pictureIn(name, bytes, source.name))
      const { width, height, channels } = picture
      return {
        samples: 1,
        shape: channels === 1 ? [height, width] : [height, width, channels],
        dtype: 'uint8',
        read: async (sample, into) => {
          checkSample(sample, 1, source.name)
          const target = roomOf(into, width * height * channels, source.name, sample)
          target.set(await ofSample(0, source.name, () => decoded(bytes, picture, source.name)))
          return target.length
        },
        close: async () => {},
      }
    },

    async inspect(source: ByteSource): Promise<Inspection> {
      const { width, height, channels, coding } = pictureIn(name, await wholeFile(source), source.name)
      const shape = channels === 1 ? [height, width] : [height, width, channels]
      const part = { name: 'picture', type: coding, shape, offset: 0, storedBytes: source.size }
      return { format: name, codec: name, records: 1, shape, dtype: 'uint8', parts: [part], partCount: 1 }
    },
  }
  return format
}

function check(name: 'jpeg' | 'png', layout: FileLayout): void {
  refuseOptions(name, layout.options, ['pictures'])
  checkLayout(name, layout)
  const { shape, dtype, samples } = layout
  if (shape.length !== 2)
    throw new HeadraceError(
      'E_CONFIG',
      `${name} files hold records of two dimensions, but got ${JSON.stringify(shape)}`,
    )
  if (dtype !== 'uint8') throw new HeadraceError('E_CONFIG', `${name} files hold uint8, but got ${dtype}`)
  if (samples !== 1) throw new HeadraceError('E_CONFIG', `a ${name} file holds one sample, but got ${samples}`)
  const most = name === 'jpeg' ? MAX_JPEG_SIDE : MAX_PNG_SIDE
  if (shape.some((side) => side > most))
    throw new HeadraceError(
      'E_CONFIG',
      `a side of a ${name} has up to ${most} pixels, but got ${JSON.stringify(shape)}`,
    )
}

/**
 * By the addon, for sharp takes four times as long; with the tables of the standard, as Pillow's. What is smaller than a
 * piece takes a few milliseconds: to give it to another thread costs more than that other one saves.
 */
async function writeJpeg(sink: ByteSink, job: GreyPixels): Promise<void> {
  const piece = takePiece()
  const bytes = job.pixels.length <= PIECE_BYTES ? native.greyToJpegInto(job, piece) : 0
  if (bytes > 0) await sink.write(piece.subarray(0, bytes))
  givePiece(piece)
  if (bytes === 0) await sink.write(await native.greyToJpeg({ ...job, threads: availableCores(), group: ENCODE_GROUP }))
}

async function toPng(pixels: Uint8Array, width: number, height: number): Promise<Uint8Array> {
  const { default: sharp } = await import('sharp')
  const grey = sharp(pixels, { raw: { width, height, channels: 1 } }).toColourspace('b-w')
  return grey.png().toBuffer()
}

/** Random bytes; or of a file that is a picture all of it, which MLCommons' DLIO does not decode either. */
async function openRaw(source: ByteSource, layout: FileLayout): Promise<RecordReader> {
  const expected = recordBytes(layout)
  const picture =
    source.size !== expected && imageType(await source.read(0, Math.min(source.size, MARK_BYTES))) !== undefined
  const bytes = picture ? source.size : expected
  return {
    samples: 1,
    shape: picture ? [bytes] : layout.shape,
    dtype: layout.dtype,
    read: async (sample, into) => {
      checkSample(sample, 1, source.name)
      const target = roomOf(into, bytes, source.name, sample)
      await ofSample(sample, source.name, () => source.read(0, bytes, target))
      return bytes
    },
    close: async () => {},
  }
}

/** As many as tell what a picture is. */
const MARK_BYTES = 16

async function wholeFile(source: ByteSource): Promise<Uint8Array> {
  if (source.size > MAX_FILE_BYTES)
    throw new HeadraceError(
      'E_LIMIT',
      `${source.name}: a picture of ${source.size} bytes (at most ${MAX_FILE_BYTES})`,
      {
        path: source.name,
      },
    )
  return source.read(0, source.size)
}

function pictureIn(name: 'jpeg' | 'png', bytes: Uint8Array, file: string): Picture {
  return name === 'png' ? pngIn(bytes, file) : jpegIn(bytes, file)
}

function jpegIn(bytes: Uint8Array, file: string): Picture {
  try {
    const { width, height, components, process, sampling } = parseJpeg(bytes)
    if (components === 1 || components === 3)
      return { width, height, channels: components, coding: `${process} JPEG, ${sampling}` }
    throw new HeadraceError('E_UNSUPPORTED', `${file}: a JPEG of ${components} components`, { path: file })
  } catch (error) {
    if (!(error instanceof HeadraceError) || error.code !== 'E_CORRUPT') throw error
    throw corrupt(file, error.message, { ...error.details, cause: error })
  }
}

function pngIn(bytes: Uint8Array, file: string): Picture {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  if (bytes.length < PNG_HEAD || view.getUint32(0) !== 0x89504e47 || view.getUint32(12) !== 0x49484452)
    throw corrupt(file, 'not a PNG file', { offset: 0 })
  const [width, height] = [view.getUint32(16), view.getUint32(20)]
  const [depth, type] = [view.getUint8(24), view.getUint8(25)]
  const channels = PNG_CHANNELS[type]
  if (width === 0 || height === 0 || width > MAX_PNG_SIDE || height > MAX_PNG_SIDE)
    throw corrupt(file, `a PNG of ${width} x ${height} pixels`, { offset: 16 })
  if (depth !== 8 || channels === undefined)
    throw new HeadraceError('E_UNSUPPORTED', `${file}: a PNG of colour type ${type} with ${depth} bits`, {
      path: file,
      hint: 'grey and RGB of 8 bits are read, with and without alpha',
    })
  return { width, height, channels, coding: `${depth}-bit PNG, colour type ${type}` }
}

async function decoded(bytes: Uint8Array, { width, height, channels }: Picture, file: string): Promise<Uint8Array> {
  const { default: sharp } = await import('sharp')
  // Warnings are errors: half a picture is none.
  const options = { failOn: 'warning', limitInputPixels: width * height, sequentialRead: true } as const
  const pixels = sharp(bytes, options)
    .toColourspace(channels <= 2 ? 'b-w' : 'srgb')
    .raw()
  const { data, info } = await pixels.toBuffer({ resolveWithObject: true }).catch((error: Error) => {
    throw corrupt(file, error.message.trim().split('\n')[0] ?? 'the decoder refuses it', { cause: error })
  })
  if (data.length !== width * height * channels)
    throw corrupt(file, `decodes to ${info.width} x ${info.height} x ${info.channels}, not as its header says`)
  return data
}

export const jpeg = pictureFormat('jpeg')
export const png = pictureFormat('png')
