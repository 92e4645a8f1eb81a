import { knownOptions, show } from '../checks.ts'
import type { Dataset, Field, Schema } from '../datasets/types.ts'
import type { DType, Tensor } from '../dtype.ts'
import { HeadraceError } from '../errors.ts'
import {
  type Batch,
  LOADER_OPTIONS,
  Loader,
  type LoaderOptions,
  type LoaderSettings,
  type RaggedImages,
  type SlotMaker,
  type StoredBytes,
} from '../loader/index.ts'
import { ImageDecoder } from './image-decoder.ts'
import {
  type ImageDType,
  type ImageLayout,
  type ImageOperation,
  type Pipeline,
  settlePipeline,
} from './operations/index.ts'
import type { CropOperation, NormalizeOperation } from './operations/types.ts'

export interface LoadOptions extends LoaderOptions {
  /** What is done to every image: [decode(), a crop, randomHorizontalFlip(), normalize()], each at most once, in this order. */
  readonly image?: readonly ImageOperation[]
  /** Named views of every image, each with operations of its own; decoded once. In place of `image`. */
  readonly views?: Readonly<Record<string, readonly ImageOperation[]>>
  /** Of images. NHWC. */
  readonly layout?: ImageLayout
  /** Of images: uint8, or float32 with normalize. Float pixels without normalize are 0..1. */
  readonly dtype?: ImageDType
}

const IMAGE_OPTIONS = ['image', 'views', 'layout', 'dtype'] as const

/** What the addon decodes at once. */
const MAX_VIEWS = 64

/** The element type that options ask for. */
export type DTypeOf<O extends LoadOptions, Ops> = O extends { readonly dtype: infer D extends ImageDType }
  ? D
  : Extract<Ops extends readonly (infer Op)[] ? Op : never, NormalizeOperation> extends never
    ? 'uint8'
    : 'float32'

/** A fixed-size tensor where the operations have a crop, else pictures of their own sizes. */
export type PictureOf<O extends LoadOptions, Ops> =
  Extract<Ops extends readonly (infer Op)[] ? Op : never, CropOperation> extends never
    ? RaggedImages<DTypeOf<O, Ops>>
    : Tensor<DTypeOf<O, Ops>>

/** What an image field is: a tensor, pictures of their own sizes, named views of either, or stored bytes. */
export type ImageOf<O extends LoadOptions> = O extends {
  readonly views: infer V extends Record<string, readonly ImageOperation[]>
}
  ? { readonly [K in keyof V]: PictureOf<O, V[K]> }
  : O extends { readonly image: infer Ops extends readonly ImageOperation[] }
    ? PictureOf<O, Ops>
    : StoredBytes

/** What one field of a batch is, from its kind and the options. */
export type FieldOf<F extends Field, O extends LoadOptions> = F['kind'] extends 'image'
  ? ImageOf<O>
  : F['kind'] extends 'bytes'
    ? StoredBytes
    : F['kind'] extends 'string'
      ? string[]
      : Tensor<F extends { readonly dtype: infer D extends DType } ? D : DType>

/** The fields of a batch, from the dataset's schema and the options. */
export type FieldsOf<S extends Schema, O extends LoadOptions> = {
  readonly [K in keyof S as O extends { readonly fields: readonly (infer N)[] }
    ? string extends K
      ? Extract<N, string> // a schema that is not known to the compiler: the names that are asked for
      : Extract<K, N>
    : K]: FieldOf<S[K], O>
}

function checkOperations(name: string, operations: unknown): void {
  if (!Array.isArray(operations))
    throw new HeadraceError('E_USAGE', `${name} must be an array of operations, but got ${show(operations)}`)
}

function pipelinesOf(options: LoadOptions): Readonly<Record<string, Pipeline>> | undefined {
  const { image, views, dtype, layout } = options
  if (image !== undefined && views !== undefined)
    throw new HeadraceError('E_USAGE', 'image and views exclude each other: give one of them')
  if (image !== undefined) checkOperations('image', image)
  if (views !== undefined) {
    if (typeof views !== 'object' || views === null)
      throw new HeadraceError('E_USAGE', `views must be an object of named operations, but got ${show(views)}`)
    for (const [name, operations] of Object.entries(views)) checkOperations(`views.${name}`, operations)
    const names = Object.keys(views)
    if (names.length === 0 || names.length > MAX_VIEWS)
      throw new HeadraceError('E_USAGE', `views must name 1 to ${MAX_VIEWS} views, but got ${names.length}`)
    const settled = Object.fromEntries(
      names.map((name) => [name, settlePipeline(`views.${name}`, views[name] ?? [], { dtype, layout })]),
    )
    const [first, ...others] = Object.values(settled).map((pipeline) => show(pipeline.decode))
    if (others.some((other) => other !== first))
      throw new HeadraceError('E_USAGE', 'views share one decode: give every view the same decode(...)')
    return settled
  }
  if (image === undefined || image.length === 0) {
    for (const name of ['dtype', 'layout'] as const)
      if (options[name] !== undefined)
        throw new HeadraceError(
          'E_USAGE',
          `${name} needs image operations: without them the stored bytes are delivered`,
        )
    return undefined
  }
  return { image: settlePipeline('image', image, { dtype, layout }) }
}

/** A dataset that knows that a field's images are not JPEG says so here. */
interface Encoded {
  encodingOf?(field: string): string | undefined
  frequenciesOf?(field: string): Uint16Array | undefined
}

/** The encodings that are decoded. */
const DECODED = ['jpeg', 'dct', 'yuv420'] as const

/** How a field's images are stored. E_UNSUPPORTED where they are not decoded. */
function encodingOf(dataset: Dataset, field: string): (typeof DECODED)[number] {
  const encoding = (dataset as Encoded).encodingOf?.(field) ?? 'jpeg'
  const known = DECODED.find((name) => name === encoding)
  if (known !== undefined) return known
  throw new HeadraceError('E_UNSUPPORTED', `field ${field} is stored as ${encoding}, which is not decoded`, { field })
}

/** Planes have no coefficients to transform. E_USAGE where a transform is named. */
function checkPlanes(field: string, pipelines: Readonly<Record<string, Pipeline>>): void {
  for (const { decode } of Object.values(pipelines)) {
    if (decode.dct === 'islow') continue
    const message = `field ${field} is stored as planes of YUV 4:2:0, which have no decode({ dct: '${decode.dct}' })`
    const hint = 'leave it out; fancyUpsampling: false, which repeats chroma, is what slipstream does'
    throw new HeadraceError('E_USAGE', message, { field, hint })
  }
}

/** Packed coefficients are transformed and upsampled in one way only. E_USAGE where another is asked for. */
function checkExact(field: string, pipelines: Readonly<Record<string, Pipeline>>): void {
  for (const { decode } of Object.values(pipelines)) {
    if (decode.dct === 'islow' && decode.fancyUpsampling) continue
    const asked = decode.dct === 'islow' ? 'fancyUpsampling: false' : `dct: '${decode.dct}'`
    throw new HeadraceError(
      'E_USAGE',
      `field ${field} is stored as packed coefficients, which have no decode({ ${asked} })`,
      {
        field,
        hint: 'leave it out: their exact decode is faster than either',
      },
    )
  }
}

/**
 * Batches of a dataset. Images become what `image` or `views` say; without either, the stored bytes are delivered.
 * E_USAGE for options that do not exist or do not go together, E_STATE for a state of something else.
 */
export function load<S extends Schema, const O extends LoadOptions = Record<never, never>>(
  dataset: Dataset<S>,
  options?: O,
): Loader<Batch<FieldsOf<S, O>>>
export function load(dataset: Dataset, options: LoadOptions = {}): Loader {
  return loadInto(dataset, options)
}

/** As `load`, into slots of the caller's; without them, of its own. */
export function loadInto(dataset: Dataset, options: LoadOptions, slots?: SlotMaker): Loader {
  if (typeof dataset !== 'object' || dataset === null || typeof dataset.schema !== 'object')
    throw new HeadraceError('E_USAGE', `load needs a dataset, but got ${show(dataset)}`, {
      hint: 'await openImageCache(path) gives one',
    })
  if (typeof options !== 'object' || options === null)
    throw new HeadraceError('E_USAGE', `options must be an object, but got ${show(options)}`)
  knownOptions('load', options, [...LOADER_OPTIONS, ...IMAGE_OPTIONS])
  const pipelines = pipelinesOf(options)
  const { image: _image, views, layout: _layout, dtype: _dtype, ...general } = options
  const decoders = ({ generatorSeed, threads, fields }: LoaderSettings, group: number) => {
    if (pipelines !== undefined && !fields.some((name) => dataset.schema[name]?.kind === 'image'))
      throw new HeadraceError(
        'E_USAGE',
        `image operations need an image field, but the fields are ${fields.join(', ')}`,
      )
    return (field: string) => {
      if (pipelines === undefined || dataset.schema[field]?.kind !== 'image') return undefined
      const encoding = encodingOf(dataset, field)
      if (encoding === 'dct') checkExact(field, pipelines)
      if (encoding === 'yuv420') checkPlanes(field, pipelines)
      const frequencies = (dataset as Encoded).frequenciesOf?.(field)
      const stored = { encoding, frequencies } as const
      return new ImageDecoder(dataset, field, pipelines, {
        seed: generatorSeed,
        threads,
        group,
        stored,
        named: views !== undefined,
      })
    }
  }
  return new Loader(dataset, general, decoders, slots)
}
