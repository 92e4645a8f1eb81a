import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { fromSystemError, HeadraceError, isHeadraceError } from '../../errors.ts'
import { NPY_HEADER_LIMIT, type NpyHeader, parseNpyHeader } from '../../formats/npy.ts'
import { READ_FLAGS } from '../../storage/file/descriptor.ts'
import { BLOB_ROW, TEXT_ROW } from './layout.ts'

/** The .npy files of a cache, read whole. Every one is taken to be hostile. */

/** One read call of Node takes at most 2^31 - 1 bytes. */
const MAX_READ = 2 ** 30
/** Node 20 has no larger ArrayBuffers. */
const MAX_TABLE = 2 ** 32 - 1
interface Table {
  readonly header: NpyHeader
  readonly rows: ArrayBuffer
}

export function corrupt(file: string, reason: string, sample?: number): HeadraceError {
  return new HeadraceError('E_CORRUPT', `${file}: ${reason}`, {
    path: file,
    ...(sample === undefined ? {} : { sample }),
  })
}

/** Reads an .npy file whole; `check` says whether its header is one for this many samples. */
export async function readTable(
  folder: string,
  file: string,
  samples: number,
  check: (header: NpyHeader) => boolean,
): Promise<Table> {
  const path = join(folder, file)
  try {
    const handle = await open(path, READ_FLAGS)
    try {
      const found = await handle.stat()
      if (!found.isFile()) throw corrupt(path, 'is not a regular file')
      const { size } = found
      const start = Buffer.alloc(Math.min(size, NPY_HEADER_LIMIT))
      await handle.read(start, 0, start.length, 0)
      const header = parseNpyHeader(start, size, path)
      if (!check(header))
        throw corrupt(
          path,
          `${JSON.stringify(header.descr)} of shape [${header.shape.join(', ')}] does not hold ${samples} samples`,
        )
      const bytes = size - header.dataOffset
      if (bytes > MAX_TABLE)
        throw new HeadraceError('E_LIMIT', `${path}: ${samples} samples are more than one cache can have in memory`)
      const rows = new ArrayBuffer(bytes)
      for (let at = 0; at < bytes; ) {
        const length = Math.min(MAX_READ, bytes - at)
        const { bytesRead } = await handle.read(new Uint8Array(rows, at, length), 0, length, header.dataOffset + at)
        if (bytesRead === 0) throw corrupt(path, 'ends while it is read')
        at += bytesRead
      }
      return { header, rows }
    } finally {
      await handle.close()
    }
  } catch (error) {
    if (!isHeadraceError(error) && (error as NodeJS.ErrnoException).code === 'ENOENT') throw corrupt(path, 'is missing')
    throw fromSystemError(error, `reading ${path}`, { path })
  }
}

export function isBlobTable({ descr, shape }: NpyHeader, samples: number): boolean {
  return JSON.stringify(descr) === JSON.stringify(BLOB_ROW) && shape.length === 1 && shape[0] === samples
}

export function isTextTable({ descr, shape }: NpyHeader, samples: number): boolean {
  return descr === TEXT_ROW && shape.length === 2 && shape[0] === samples && shape[1] === 2
}
