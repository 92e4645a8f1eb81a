import { oneOf } from '../../checks.ts'
import { HeadraceError } from '../../errors.ts'
import { decode } from './decode.ts'
import type { CropOperation, DecodeOperation, ImageOperation } from './types.ts'

export type ImageDType = 'uint8' | 'float16' | 'float32'
export type ImageLayout = 'NHWC' | 'NCHW'

/** A list of operations, settled: what the native side does to every picture of a view. */
export interface Pipeline {
  readonly decode: DecodeOperation
  /** Absent: the whole picture at its own size. */
  readonly crop: CropOperation | undefined
  readonly flip: number
  readonly dtype: ImageDType
  readonly layout: ImageLayout
  readonly scale: readonly [number, number, number]
  readonly bias: readonly [number, number, number]
}

/** The order in which operations are done, and so must be written. */
const ORDER: readonly ImageOperation['operation'][] = ['decode', 'crop', 'flip', 'normalize']
const CALLED: Readonly<Record<ImageOperation['operation'], string>> = {
  decode: 'decode',
  crop: 'a crop',
  flip: 'randomHorizontalFlip',
  normalize: 'normalize',
}

function find<K extends ImageOperation['operation']>(operations: readonly ImageOperation[], kind: K) {
  return operations.find((o): o is Extract<ImageOperation, { operation: K }> => o.operation === kind)
}

function checkOrder(view: string, operations: readonly ImageOperation[]): void {
  let last = -1
  for (const operation of operations) {
    const at = ORDER.indexOf(operation?.operation)
    if (at < 0)
      throw new HeadraceError(
        'E_USAGE',
        `${view}: an entry is not an image operation; use randomResizedCrop(224) and the like`,
      )
    if (at === last) throw new HeadraceError('E_USAGE', `${view}: ${CALLED[operation.operation]} stands there twice`)
    if (at < last)
      throw new HeadraceError(
        'E_USAGE',
        `${view}: ${CALLED[operation.operation]} must come before ${CALLED[ORDER[last] as 'crop']}`,
      )
    last = at
  }
}

/** E_USAGE where the operations or the element type do not go together. */
export function settlePipeline(
  view: string,
  operations: readonly ImageOperation[],
  options: { readonly dtype?: ImageDType | undefined; readonly layout?: ImageLayout | undefined },
): Pipeline {
  checkOrder(view, operations)
  const normalize = find(operations, 'normalize')
  const dtype = oneOf('dtype', options.dtype ?? (normalize === undefined ? 'uint8' : 'float32'), [
    'uint8',
    'float16',
    'float32',
  ])
  if (normalize !== undefined && dtype === 'uint8')
    throw new HeadraceError('E_USAGE', `${view}: normalize needs dtype float32 or float16, but got "uint8"`)
  const { mean, std } = normalize ?? { mean: [0, 0, 0] as const, std: [1, 1, 1] as const }
  return {
    decode: find(operations, 'decode') ?? decode(),
    crop: find(operations, 'crop'),
    flip: find(operations, 'flip')?.probability ?? 0,
    dtype,
    layout: oneOf('layout', options.layout ?? 'NHWC', ['NHWC', 'NCHW']),
    // Without normalize, float pixels are 0..1.
    scale: [1 / (255 * std[0]), 1 / (255 * std[1]), 1 / (255 * std[2])],
    bias: [-mean[0] / std[0], -mean[1] / std[1], -mean[2] / std[2]],
  }
}
