import { writev } from 'node:fs'
import { HeadraceError } from '../../errors.ts'

/** The system's bound on buffers in one vectored write (IOV_MAX of Linux and macOS). */
const MAX_VECTORS = 1024

function writevOnce(fd: number, chunks: readonly Uint8Array[], position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    writev(fd, chunks, position, (error, written) => (error ? reject(error) : resolve(written)))
  })
}

async function writeGroup(fd: number, group: readonly Uint8Array[], position: number): Promise<number> {
  const total = group.reduce((sum, chunk) => sum + chunk.length, 0)
  let written = await writevOnce(fd, group, position)
  // a short write is how a disk that fills up announces itself; the next attempt brings its error
  while (written < total) {
    let skip = written
    const rest: Uint8Array[] = []
    for (const chunk of group) {
      if (skip < chunk.length) rest.push(skip === 0 ? chunk : chunk.subarray(skip))
      skip = Math.max(0, skip - chunk.length)
    }
    const more = await writevOnce(fd, rest, position + written)
    if (more === 0) throw new HeadraceError('E_NO_SPACE', `a write of ${total - written} bytes wrote nothing`)
    written += more
  }
  return total
}

/** Writes all chunks, one after the other, from `position` of a file on; in one call of the system where it can. */
export async function writeAt(fd: number, chunks: readonly Uint8Array[], position: number): Promise<void> {
  let at = position
  for (let i = 0; i < chunks.length; i += MAX_VECTORS) at += await writeGroup(fd, chunks.slice(i, i + MAX_VECTORS), at)
}
