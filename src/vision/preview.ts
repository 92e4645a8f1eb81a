import { positiveInteger } from '../checks.ts'
import type { Dataset, Schema } from '../datasets/types.ts'
import type { Tensor } from '../dtype.ts'
import { HeadraceError } from '../errors.ts'
import { load } from './load.ts'
import type { ImageOperation } from './operations/index.ts'

export interface PreviewOptions {
  /** What the model is to see; its crop sets the size of a picture. */
  readonly image: readonly ImageOperation[]
  /** Pictures on the sheet. 32. */
  readonly count?: number
  readonly seed?: number
  readonly epoch?: number
  readonly shuffle?: boolean
  readonly onError?: 'throw' | 'skip' | 'replace'
  /** Pictures side by side; by default what makes the sheet about 4:3. */
  readonly columns?: number
  readonly signal?: AbortSignal
}

/** Pixels between pictures, and their grey level. */
const GAP = 4
const BACKGROUND = 24

/**
 * What a model sees, on one sheet: the first `count` pictures of an epoch through the operations, as PNG bytes.
 * Normalisation is left out, so that eyes can read it.
 */
export async function previewSheet<S extends Schema>(
  dataset: Dataset<S>,
  options: PreviewOptions,
): Promise<Uint8Array> {
  const { seed = 0, epoch = 0, shuffle = true, onError = 'throw' } = options
  const available = dataset.length ?? 0
  const count = Math.min(positiveInteger('count', options.count ?? 32, 4096), available)
  if (count === 0) throw new HeadraceError('E_USAGE', 'there is no picture to show: the dataset is empty')
  const field = Object.keys(dataset.schema).find((name) => dataset.schema[name]?.kind === 'image')
  if (field === undefined)
    throw new HeadraceError('E_USAGE', 'there is no picture to show: the dataset has no image field')
  const image = options.image.filter(({ operation }) => operation !== 'normalize')
  if (!image.some(({ operation }) => operation === 'crop'))
    throw new HeadraceError('E_USAGE', 'a preview needs a crop, so that all pictures have one size')
  const loader = load(dataset as Dataset, {
    image,
    fields: [field],
    batchSize: count,
    shuffle,
    seed,
    epoch,
    onError,
    ...(options.signal === undefined ? {} : { signal: options.signal }),
    rank: 0,
    worldSize: 1,
  })
  try {
    for await (const batch of loader) return await sheet(batch[field] as unknown as Tensor<'uint8'>, options.columns)
  } finally {
    loader.close()
  }
  throw new HeadraceError('E_CORRUPT', 'no picture of the first batch could be decoded')
}

async function sheet({ data, shape }: Tensor<'uint8'>, wanted: number | undefined): Promise<Uint8Array> {
  const [count = 0, height = 0, width = 0] = shape
  const columns = Math.min(
    count,
    wanted === undefined ? columnsFor(count, width, height) : positiveInteger('columns', wanted),
  )
  const rows = Math.ceil(count / columns)
  const sheetWidth = columns * (width + GAP) + GAP
  const sheetHeight = rows * (height + GAP) + GAP
  const pixels = new Uint8Array(sheetWidth * sheetHeight * 3).fill(BACKGROUND)
  for (let i = 0; i < count; i++) {
    const left = GAP + (i % columns) * (width + GAP)
    const top = GAP + Math.floor(i / columns) * (height + GAP)
    for (let y = 0; y < height; y++) {
      const from = (i * height + y) * width * 3
      pixels.set(data.subarray(from, from + width * 3), ((top + y) * sheetWidth + left) * 3)
    }
  }
  const { default: sharp } = await import('sharp')
  return sharp(pixels, { raw: { width: sheetWidth, height: sheetHeight, channels: 3 } })
    .png()
    .toBuffer()
}

/** Columns that make the sheet about 4:3, moved by up to two so that the fewest places stay empty. */
function columnsFor(count: number, width: number, height: number): number {
  const ideal = Math.max(1, Math.round(Math.sqrt((count * 4 * height) / (3 * width))))
  const empty = (columns: number) => Math.ceil(count / columns) * columns - count
  const candidates = [ideal, ideal + 1, ideal - 1, ideal + 2, ideal - 2].filter((columns) => columns >= 1)
  return candidates.reduce((best, columns) => (empty(columns) < empty(best) ? columns : best))
}
