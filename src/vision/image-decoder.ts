import { show } from '../checks.ts'
import type { Dataset } from '../datasets/types.ts'
import { type DType, itemSize, type Tensor, viewOf } from '../dtype.ts'
import { HeadraceError, isHeadraceError } from '../errors.ts'
import { imageType } from '../formats/image-type.ts'
import { MAX_JPEG_SIDE, parseJpeg } from '../formats/jpeg.ts'
import {
  type BatchMemory,
  type DecodeFault,
  type DecodePlan,
  type Decoder,
  type FieldBatch,
  locate,
  type RaggedImages,
  type Rows,
  type SampleFault,
  type SlotSpan,
  type StoredSource,
} from '../loader/index.ts'
import { BOX_COLUMNS, type DecodeJob, native, type SlotHandle, type ViewSpec } from '../native.ts'
import { Draws, viewKey } from '../sampling/random.ts'
import { boxAt, isInside, isNear, isRect, type RecordedBox, writeBox } from './box-rows.ts'
import { cut, type Uniform } from './crops/types.ts'
import type { Pipeline } from './operations/index.ts'

/** Draw 0.. of a sample and view belong to its crop; the coin of the flip has a place that no crop reaches. */
const FLIP_DRAW = 64
const SAME_OPERATIONS = 'replay it with a loader that has the operations that the plan was made with'
/** Views start at multiples of this. */
const VIEW_ALIGN = 64

interface View {
  readonly name: string
  readonly key: number
  readonly pipeline: Pipeline
}

export type RecordedImages = Readonly<Record<string, readonly RecordedBox[]>>

interface ImagePlan extends DecodePlan {
  readonly source: StoredSource
  /** samples x views rows of BOX_COLUMNS. */
  readonly boxes: Float64Array
  /** Per view: byte offset of each sample from the field's start. */
  readonly offsets: readonly Float64Array[]
}

export interface ImageDecoderOptions {
  readonly seed: number
  readonly threads: number
  readonly group: number
  /** How the field's pictures are stored, with the frequencies of compact packed ones. */
  readonly stored: { readonly encoding: DecodeJob['encoding']; readonly frequencies: Uint16Array | undefined }
  /** True where the field is delivered as named views. */
  readonly named: boolean
}

/**
 * Decodes an image field: draws each sample's crops, gives the batch to the native side in one call, and delivers what
 * lies in the slot. Crops follow from (seed, epoch, sample id, view, repeat) and the picture's size alone.
 */
export class ImageDecoder implements Decoder<ImagePlan, RecordedImages> {
  readonly readsSamples: boolean
  readonly decides = true
  readonly #dataset: Dataset
  readonly #field: string
  readonly #views: readonly View[]
  readonly #options: ImageDecoderOptions

  constructor(
    dataset: Dataset,
    field: string,
    pipelines: Readonly<Record<string, Pipeline>>,
    options: ImageDecoderOptions,
  ) {
    this.#dataset = dataset
    this.#field = field
    this.#options = options
    this.#views = Object.entries(pipelines).map(([name, pipeline]) => ({
      name,
      pipeline,
      key: viewKey(options.named ? `${field}/${name}` : field),
    }))
    this.readsSamples = dataset.locate === undefined
  }

  plan(rows: Rows, recorded?: RecordedImages): ImagePlan {
    const source = locate(this.#dataset, this.#field, rows)
    const faults = [...source.faults, ...(this.readsSamples ? this.#probe(source, rows) : [])]
    faults.push(...this.#refuseSizes(source, new Set(faults.map(({ row }) => row))))
    // A picture of no size has no crops.
    if (faults.length > 0) return { source, boxes: new Float64Array(0), offsets: [], faults, bytes: 0 }
    const boxes = new Float64Array(rows.ids.length * this.#views.length * BOX_COLUMNS)
    if (recorded === undefined) this.#draw(rows, source, boxes)
    else this.#restore(recorded, source, boxes)
    let bytes = 0
    const offsets = this.#views.map((_, k) => {
      const places = new Float64Array(rows.ids.length)
      for (let row = 0; row < rows.ids.length; row++) {
        places[row] = bytes
        bytes += this.#outBytes(k, boxes, row)
      }
      bytes = Math.ceil(bytes / VIEW_ALIGN) * VIEW_ALIGN
      return places
    })
    const cuts = [...offsets.slice(1).map(([first = 0]) => first), bytes]
    // Ragged views carry three uint32 columns behind all pixels.
    return { source, boxes, offsets, faults, cuts, bytes: bytes + 12 * rows.ids.length * this.#views.length }
  }

  decode({ source, boxes, offsets }: ImagePlan, { slot, offset }: SlotSpan): Promise<readonly DecodeFault[]> {
    const views = this.#views.map((view, k) =>
      viewSpec(
        view.pipeline,
        (offsets[k] as Float64Array).map((place) => place + offset),
      ),
    )
    return this.#decode(source, boxes, views, slot)
  }

  /** Pictures whose headers do not say what the dataset does: one pixel of each is decoded. */
  async doubt({ source }: ImagePlan): Promise<readonly SampleFault[]> {
    const count = source.widths.length
    const corner = cut(0, 0, 1, 1)
    const boxes = new Float64Array(count * BOX_COLUMNS)
    for (let row = 0; row < count; row++) writeBox(boxes, row, corner.clip, corner.box, false)
    const offsets = Float64Array.from({ length: count }, (_, row) => 3 * row)
    const slot = native.createSlot(3 * count)
    try {
      const faults = await this.#decode(source, boxes, [{ ...PIXEL, offsets }], slot)
      return faults.filter(({ lasting }) => lasting)
    } finally {
      native.destroySlot(slot)
    }
  }

  #decode(
    source: StoredSource,
    boxes: Float64Array,
    views: readonly ViewSpec[],
    slot: SlotHandle,
  ): Promise<readonly DecodeFault[]> {
    const { dct, fancyUpsampling, tolerant, maxPixels } = (this.#views[0] as View).pipeline.decode
    const { threads, group, stored } = this.#options
    return native.decodeImages({
      source: source.bytes,
      sourceOffsets: source.offsets,
      sourceSizes: source.sizes,
      heights: source.heights,
      widths: source.widths,
      views,
      boxes,
      slot,
      threads,
      group,
      encoding: stored.encoding,
      table: stored.frequencies,
      dct,
      fancyUpsampling,
      tolerant,
      maxPixels,
    })
  }

  deliver(plan: ImagePlan, memory: BatchMemory, offset: number): FieldBatch {
    const values = this.#views.map((view, k) => [view.name, this.#value(plan, k, memory, offset)] as const)
    return this.#options.named ? Object.fromEntries(values) : (values[0]?.[1] as FieldBatch)
  }

  record({ boxes }: ImagePlan): RecordedImages {
    const count = boxes.length / (BOX_COLUMNS * this.#views.length)
    return Object.fromEntries(
      this.#views.map(({ name }, k) => [
        name,
        Array.from({ length: count }, (_, row) => boxAt(boxes, row * this.#views.length + k)),
      ]),
    )
  }

  /** Sizes from the headers, where the dataset does not know them. */
  #probe(source: StoredSource, rows: Rows): SampleFault[] {
    const faults: SampleFault[] = []
    const memory = source.bytes as Uint8Array
    for (let row = 0; row < rows.ids.length; row++) {
      const start = source.offsets[row] as number
      const bytes = memory.subarray(start, start + (source.sizes[row] as number))
      try {
        const type = imageType(bytes)
        if (type !== 'jpeg')
          throw new HeadraceError(
            'E_UNSUPPORTED',
            `${type ?? 'no image'}: only JPEG is decoded as it is; build a cache of the dataset first`,
          )
        const { width, height } = parseJpeg(bytes)
        source.widths[row] = width
        source.heights[row] = height
      } catch (error) {
        if (!isHeadraceError(error)) throw error
        faults.push({ row, code: error.code, reason: error.message })
      }
    }
    return faults
  }

  /** Before any memory is asked for: pictures of their own sizes would make a slot that cannot be had. */
  #refuseSizes({ widths, heights }: StoredSource, known: ReadonlySet<number>): SampleFault[] {
    const { maxPixels } = (this.#views[0] as View).pipeline.decode
    const faults: SampleFault[] = []
    for (const [row, width] of widths.entries()) {
      const height = heights[row] as number
      if (known.has(row)) continue
      if (width === 0 || height === 0) {
        faults.push({ row, code: 'E_CORRUPT', reason: `${width}x${height} pixels are no size of a picture` })
        continue
      }
      if (Math.max(width, height) > MAX_JPEG_SIDE) {
        const reason = `the header says ${width}x${height} pixels: more than ${MAX_JPEG_SIDE} a side are not decoded`
        faults.push({ row, code: 'E_LIMIT', reason })
        continue
      }
      if (width * height <= maxPixels) continue
      faults.push({
        row,
        code: 'E_LIMIT',
        reason: `the header says ${width}x${height} pixels, more than maxPixels (${maxPixels})`,
      })
    }
    return faults
  }

  #draw(rows: Rows, source: StoredSource, boxes: Float64Array): void {
    const views = this.#views.length
    this.#views.forEach(({ pipeline, key }, k) => {
      const draws = new Draws(this.#options.seed, rows.epoch, key)
      const uniform: Uniform = (i) => draws.at(i)
      for (let row = 0; row < rows.ids.length; row++) {
        const width = source.widths[row] as number
        const height = source.heights[row] as number
        draws.begin(rows.ids[row] as number, rows.repeats[row] as number)
        const whole = { x: 0, y: 0, width, height }
        const { clip, box } = pipeline.crop?.law(uniform, width, height) ?? { clip: whole, box: whole }
        writeBox(boxes, row * views + k, clip, box, pipeline.flip > 0 && draws.at(FLIP_DRAW) < pipeline.flip)
      }
    })
  }

  /** E_STATE where the crops are not as many as the samples, are none, or do not lie in their pictures. */
  #restore(recorded: RecordedImages, { widths, heights }: StoredSource, boxes: Float64Array): void {
    const views = this.#views.length
    for (const [k, { name, pipeline }] of this.#views.entries()) {
      const own: unknown = recorded[name]
      const where = `the plan's crops of ${this.#field}/${name}`
      if (!Array.isArray(own) || own.length !== widths.length)
        throw new HeadraceError('E_STATE', `${where} must be ${widths.length}, one a sample, but got ${show(own)}`, {
          hint: SAME_OPERATIONS,
        })
      for (const [row, crop] of (own as readonly (RecordedBox | undefined)[]).entries()) {
        const { clip, box, flip } = crop ?? {}
        const [width, height] = [widths[row] as number, heights[row] as number]
        if (!isRect(clip) || !isRect(box) || !isNear(box))
          throw new HeadraceError('E_STATE', `${where}: number ${row} is no crop: ${show(crop)}`)
        if (!isInside(clip, width, height))
          throw new HeadraceError('E_STATE', `${where}: number ${row} does not lie in its picture: ${show(crop)}`)
        if (pipeline.crop === undefined && (clip.width !== width || clip.height !== height))
          throw new HeadraceError('E_STATE', `${where}: number ${row} is a crop, but the loader has no crop`, {
            hint: SAME_OPERATIONS,
          })
        writeBox(boxes, row * views + k, clip, box, flip === true)
      }
    }
  }

  #outBytes(k: number, boxes: Float64Array, row: number): number {
    const { crop, dtype } = (this.#views[k] as View).pipeline
    const at = (row * this.#views.length + k) * BOX_COLUMNS
    const pixels = crop === undefined ? (boxes[at + 2] as number) * (boxes[at + 3] as number) : crop.width * crop.height
    return pixels * 3 * itemSize(dtype)
  }

  #value(plan: ImagePlan, k: number, memory: BatchMemory, offset: number): Tensor | RaggedImages {
    const { pipeline } = this.#views[k] as View
    const { crop, dtype, layout } = pipeline
    const places = plan.offsets[k] as Float64Array
    const count = places.length
    const { buffer, offset: start } = memory.at(offset + (places[0] ?? 0))
    if (crop !== undefined) {
      const shape = layout === 'NHWC' ? [count, crop.height, crop.width, 3] : [count, 3, crop.height, crop.width]
      return { data: viewOf<DType>(dtype, buffer, start, count * crop.height * crop.width * 3), shape, dtype }
    }
    const columns = memory.at(offset + plan.bytes - 12 * count * (this.#views.length - k))
    const offsets = new Uint32Array(columns.buffer, columns.offset, count)
    const heights = new Uint32Array(columns.buffer, columns.offset + 4 * count, count)
    const widths = new Uint32Array(columns.buffer, columns.offset + 8 * count, count)
    for (let row = 0; row < count; row++)
      offsets[row] = ((places[row] as number) - (places[0] as number)) / itemSize(dtype)
    heights.set(plan.source.heights)
    widths.set(plan.source.widths)
    const elements = heights.reduce((sum, height, row) => sum + height * (widths[row] as number) * 3, 0)
    return { data: viewOf<DType>(dtype, buffer, start, elements), dtype, layout, offsets, heights, widths }
  }
}

/** A view of one pixel. */
const PIXEL: Omit<ViewSpec, 'offsets'> = {
  width: 1,
  height: 1,
  layout: 'NHWC',
  dtype: 'uint8',
  scale: [1, 1, 1],
  bias: [0, 0, 0],
}

function viewSpec({ crop, layout, dtype, scale, bias }: Pipeline, offsets: Float64Array): ViewSpec {
  return { width: crop?.width ?? 0, height: crop?.height ?? 0, layout, dtype, scale, bias, offsets }
}
