import { mkdir, readdir } from 'node:fs/promises'
import { resolve } from 'node:path'
import { knownOptions, oneOf, positiveInteger, progressOption } from '../../checks.ts'
import { availableCores } from '../../cores.ts'
import type { Schema } from '../../datasets/types.ts'
import { fromSystemError, HeadraceError, throwIfAborted } from '../../errors.ts'
import { MAX_JPEG_SIDE } from '../../formats/jpeg.ts'
import { localPath } from '../../storage/file/local-path.ts'
import { openStore } from '../../storage/index.ts'
import { checkExported, exportedPicture } from './exported.ts'
import type { ImageCache } from './image-cache.ts'
import { openImageCache } from './open.ts'

export interface ExportOptions {
  /** The files' format: 'jpeg', which is what is stored, or what its coefficients make. */
  readonly format?: 'jpeg'
  /** The image field; may be absent where there is only one. */
  readonly field?: string
  /** Pictures at once. Available cores. */
  readonly workers?: number
  readonly onProgress?: (progress: { readonly images: number; readonly total: number }) => void
  readonly signal?: AbortSignal
}

export interface ExportReport {
  readonly images: number
  /** Of all files. */
  readonly bytes: number
  readonly seconds: number
}

/** No picture that a cache holds is larger. */
const MAX_PIXELS = MAX_JPEG_SIDE * MAX_JPEG_SIDE
const PROGRESS_MS = 100

function imageField(cache: ImageCache<Schema>, wanted: string | undefined): string {
  const fields = Object.keys(cache.schema).filter((name) => cache.encodingOf(name) !== undefined)
  if (wanted === undefined && fields.length === 1) return fields[0] as string
  if (wanted !== undefined && fields.includes(wanted)) return wanted
  const asked = wanted === undefined ? 'field must name one of them' : `field is ${JSON.stringify(wanted)}`
  throw new HeadraceError('E_USAGE', `the cache has the image fields ${fields.join(', ')}, but ${asked}`)
}

/** Where sample `id` goes: its own path, ending in .jpg; without one CLASS/ID.jpg. */
async function keyOf(cache: ImageCache<Schema>, id: number): Promise<string> {
  const fields = ['path', 'label'].filter((name) => name in cache.schema)
  const { path, label } = await cache.read(id, { fields })
  if (typeof path === 'string' && path !== '') return /\.jpe?g$/i.test(path) ? path : `${path}.jpg`
  const folder = label === undefined ? '' : `${cache.classes?.[Number(label)] ?? String(label)}/`
  return `${folder}${String(id).padStart(8, '0')}.jpg`
}

async function checkEmpty(folder: string): Promise<void> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException): string[] => {
    if (error.code === 'ENOENT') return []
    throw fromSystemError(error, `exporting to ${folder}`, { path: folder })
  })
  if (names.length > 0) throw new HeadraceError('E_EXISTS', `${folder} is not empty`, { path: folder })
}

/**
 * Writes a cache's pictures as image files into `destination` (a folder that is empty or not there yet), each at its
 * path in the source. A JPEG that was stored is written as it is; packed coefficients become a JPEG with the same
 * coefficients and quantisation tables, hence the same pixels. E_EXISTS; E_UNSUPPORTED for other encodings; E_CORRUPT
 * naming the sample.
 */
export async function exportImageCache(
  path: string,
  destination: string,
  options: ExportOptions = {},
): Promise<ExportReport> {
  knownOptions('exportImageCache', options, ['format', 'field', 'workers', 'onProgress', 'signal'])
  oneOf('format', options.format ?? 'jpeg', ['jpeg'])
  const workers = positiveInteger('workers', options.workers ?? availableCores(), 1024)
  const { signal } = options
  const onProgress = progressOption(options.onProgress)
  const started = performance.now()
  const cache = await openImageCache<Schema>(path)
  try {
    const field = imageField(cache, options.field)
    checkExported(cache, [field])
    const folder = resolve(localPath('destination', destination))
    await checkEmpty(folder)
    await mkdir(folder, { recursive: true })
    const store = await openStore(folder)
    let bytes = 0
    let images = 0
    let next = 0
    let shown = 0
    const work = async (): Promise<void> => {
      while (next < cache.length) {
        throwIfAborted(signal, 'the export')
        const id = next++
        const stored = (await cache.read(id, { fields: [field] }))[field] as Uint8Array
        const picture = await exportedPicture(cache, field, stored, { maxPixels: MAX_PIXELS, workers }).catch(
          (error: unknown) => {
            if (!(error instanceof HeadraceError)) throw error
            throw new HeadraceError(error.code, `${cache.describe(id)}: ${error.message}`, {
              ...error.details,
              sample: id,
            })
          },
        )
        await store.put(await keyOf(cache, id), picture, { ifNoneMatch: '*' })
        bytes += picture.length
        images++
        const now = performance.now()
        if (now - shown < PROGRESS_MS && images < cache.length) continue
        shown = now
        onProgress?.({ images, total: cache.length })
      }
    }
    const results = await Promise.allSettled(Array.from({ length: workers }, work))
    await store.close()
    for (const result of results) if (result.status === 'rejected') throw result.reason
    return { images, bytes, seconds: (performance.now() - started) / 1000 }
  } catch (error) {
    throw fromSystemError(error, `exporting ${path}`, { path: destination })
  } finally {
    await cache.close()
  }
}
