import { setImmediate as nextTurn } from 'node:timers/promises'
import { combineCrc32c } from '../../crc32c.ts'
import { isHeadraceError, throwIfAborted } from '../../errors.ts'
import { parseJpeg } from '../../formats/jpeg.ts'
import type { MappedBytes } from '../../mapped.ts'
import { fromWords } from '../../words.ts'
import type { ImageEncoding } from './layout.ts'
import { hexChecksum } from './manifest.ts'
import { checksumsOf, readMapped } from './mapped-read.ts'
import { packedSize } from './packed-header.ts'
import { planarBytes } from './planar.ts'

/** Where each sample's bytes lie in its file, in bytes; and what a picture's pixels are said to be. */
export interface SampleRows {
  readonly count: number
  offset(id: number): number
  size(id: number): number
  height?(id: number): number
  width?(id: number): number
}

export interface SampleProblem {
  readonly sample: number
  readonly reason: string
}

export interface Watch {
  readonly threads: number
  readonly signal: AbortSignal | undefined
  /** Called with samples that have been looked at since the last call. */
  readonly advance: (samples: number) => void
}

/** Samples that one call of the addon checks: a few megabytes to a few hundred, so that progress shows. */
const BATCH = 1024
/** Pictures of more bytes are not read whole: one of libjpeg's largest, uncompressible, has a few hundred megabytes. */
const MAX_PICTURE = 2 ** 30

/** Rows of 32-bit words: `stride` of them a sample; offset and size as 64-bit numbers first. */
export function rowsOf(words: Uint32Array, stride: 4 | 6): SampleRows {
  const long = (at: number): number => fromWords(words[at] ?? 0, words[at + 1] ?? 0)
  const rows = {
    count: words.length / stride,
    offset: (id: number) => long(id * stride),
    size: (id: number) => long(id * stride + 2),
  }
  if (stride === 4) return rows
  return { ...rows, height: (id) => words[id * 6 + 4] ?? 0, width: (id) => words[id * 6 + 5] ?? 0 }
}

/** The first sample whose bytes do not start where those of the one before end, or are not in the file. */
export function firstMisplaced(rows: SampleRows, fileBytes: number): number | undefined {
  let end = 0
  for (let id = 0; id < rows.count; id++) {
    if (rows.offset(id) !== end) return id
    end += rows.size(id)
    if (end > fileBytes) return id
  }
  return undefined
}

/**
 * Compares the checksum of every sample that lies in the file with `sums`. `whole` is the checksum of the samples one
 * after the other: that of the file, if they fill it.
 */
export async function checkSums(
  map: MappedBytes,
  rows: SampleRows,
  sums: Uint32Array,
  watch: Watch,
): Promise<{ problems: SampleProblem[]; whole: number }> {
  const problems: SampleProblem[] = []
  let whole = 0
  for (let start = 0; start < rows.count; start += BATCH) {
    throwIfAborted(watch.signal, 'verifying')
    const count = Math.min(BATCH, rows.count - start)
    const ids = Array.from({ length: count }, (_, i) => start + i).filter(
      (id) => rows.offset(id) + rows.size(id) <= map.bytes,
    )
    const found = await checksumsOf(
      map,
      Float64Array.from(ids, (id) => rows.offset(id)),
      Float64Array.from(ids, (id) => rows.size(id)),
      watch.threads,
    )
    ids.forEach((id, i) => {
      const crc = found[i]
      if (crc === undefined) {
        problems.push({ sample: id, reason: 'its bytes cannot be read: the file was cut off, or its device fails' })
        return
      }
      const said = sums[id] ?? 0
      whole = combineCrc32c(whole, crc, rows.size(id))
      if (crc !== said)
        problems.push({
          sample: id,
          reason: `its bytes have the checksum ${hexChecksum(crc)}, not ${hexChecksum(said)}`,
        })
    })
    watch.advance(count)
  }
  return { problems, whole }
}

function otherSize(
  what: string,
  found: { width: number; height: number },
  width: number,
  height: number,
): string | undefined {
  if (found.width === width && found.height === height) return undefined
  return `the ${what} has ${found.width} x ${found.height} pixels, its row says ${width} x ${height}`
}

/** What can be said of a picture without a checksum: its markers or its header are whole, and agree with its row. */
function pictureProblem(map: MappedBytes, rows: SampleRows, id: number, encoding: ImageEncoding): string | undefined {
  const width = rows.width?.(id) ?? 0
  const height = rows.height?.(id) ?? 0
  if (encoding === 'yuv420') {
    if (rows.size(id) === planarBytes(width, height)) return undefined
    return `${rows.size(id)} bytes are not ${width} x ${height} pixels of YUV 4:2:0`
  }
  if (rows.size(id) > MAX_PICTURE) return `${rows.size(id)} bytes are more than a picture has`
  try {
    const bytes = readMapped(map, rows.offset(id), rows.size(id), 'the picture')
    const size = encoding === 'dct' ? packedSize(bytes) : undefined
    if (size) return otherSize('packed picture', size, width, height)
    const info = parseJpeg(bytes)
    if (!info.hasEndMarker) return 'the JPEG has no end marker'
    return otherSize('JPEG', info, width, height)
  } catch (error) {
    if (isHeadraceError(error)) return error.message
    throw error
  }
}

/** Looks at every picture of a cache without checksums. */
export async function checkPictures(
  map: MappedBytes,
  rows: SampleRows,
  encoding: ImageEncoding,
  watch: Watch,
): Promise<SampleProblem[]> {
  const problems: SampleProblem[] = []
  for (let id = 0; id < rows.count; id++) {
    if (id % BATCH === 0) {
      throwIfAborted(watch.signal, 'verifying')
      await nextTurn()
    }
    watch.advance(1)
    if (rows.offset(id) + rows.size(id) > map.bytes) continue
    const reason = pictureProblem(map, rows, id, encoding)
    if (reason !== undefined) problems.push({ sample: id, reason })
  }
  return problems
}
