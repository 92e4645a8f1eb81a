import { readFileSync } from 'node:fs'
import type { Batch, FieldBatch } from '../../loader/index.ts'

/** Epochs of a loader, timed. Batches are taken and released; nothing else is done with them. */

export interface TimedEpoch {
  readonly images: number
  readonly seconds: number
  readonly imagesPerSecond: number
  /** User and system time of all threads. */
  readonly cpuSeconds: number
  /** What this process made the block devices read; undefined where the system does not tell (it does on Linux). */
  readonly deviceBytes: number | undefined
  /** Of the first batch. Of several views: of each of them, they are of one size. Pictures of their own sizes: [count]. */
  readonly batchShape: readonly number[]
}

/** Progress is told at most this often. */
const PROGRESS_MS = 100

/** One epoch of the loader; `image` is the field whose shape is told. `tell` is called about ten times a second, and at the end. */
export async function timeEpoch(
  loader: AsyncIterable<Batch>,
  image: string,
  tell: (images: number, seconds: number) => void = () => {},
): Promise<TimedEpoch> {
  const bytesBefore = deviceBytes()
  const cpuBefore = process.cpuUsage()
  const start = performance.now()
  let images = 0
  let batchShape: readonly number[] = []
  let told = start
  for await (const batch of loader) {
    const { size } = batch.meta
    images += size
    if (batchShape.length === 0) batchShape = shapeOf(batch[image], size)
    const now = performance.now()
    if (now - told < PROGRESS_MS) continue
    told = now
    tell(images, (now - start) / 1000)
  }
  const seconds = (performance.now() - start) / 1000
  const { user, system } = process.cpuUsage(cpuBefore)
  const bytesAfter = deviceBytes()
  tell(images, seconds)
  return {
    images,
    seconds,
    imagesPerSecond: images / seconds,
    cpuSeconds: (user + system) / 1e6,
    deviceBytes: bytesBefore === undefined || bytesAfter === undefined ? undefined : bytesAfter - bytesBefore,
    batchShape,
  }
}

/** Bytes that this process made the block devices read (Linux). */
function deviceBytes(): number | undefined {
  try {
    const line = /^read_bytes: (\d+)$/m.exec(readFileSync('/proc/self/io', 'utf8'))
    return line?.[1] === undefined ? undefined : Number(line[1])
  } catch {
    return undefined
  }
}

function shapeOf(image: FieldBatch | undefined, size: number): readonly number[] {
  if (image === undefined || Array.isArray(image)) return [size]
  if (isShaped(image)) return image.shape
  if (ArrayBuffer.isView((image as { readonly data?: unknown }).data)) return [size]
  return shapeOf(Object.values(image)[0], size)
}

function isShaped(image: object): image is { readonly shape: readonly number[] } {
  return Array.isArray((image as { readonly shape?: unknown }).shape)
}
