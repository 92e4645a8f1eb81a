import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import { fromSystemError } from '../errors.ts'
import { withScratch } from '../scratch.ts'

/** Bytes that are kept in memory; more go to a temporary file. */
const IN_MEMORY = 8 * 1024 * 1024
const READ = 1024 * 1024

/** Bytes that are needed again, once and in the same order. */
export interface Spool {
  add(bytes: Uint8Array): Promise<void>
  /** All of them; a piece may be used until the next one is asked for. */
  pieces(): AsyncIterable<Uint8Array>
}

/** Runs `use` with a spool for at most `bytes`. */
export async function withSpool<T>(bytes: number, use: (spool: Spool) => Promise<T>): Promise<T> {
  if (bytes <= IN_MEMORY) return use(inMemory())
  return withScratch('spool', async (folder) => {
    const path = join(folder, 'bytes')
    const file = await open(path, 'wx+', 0o600).catch((error) => {
      throw fromSystemError(error, `making ${path}`, { path })
    })
    try {
      return await use(inFile(file, path))
    } finally {
      await file.close()
    }
  })
}

function inMemory(): Spool {
  const all: Uint8Array[] = []
  return {
    add: async (bytes) => void all.push(bytes.slice()),
    async *pieces() {
      yield* all
    },
  }
}

function inFile(file: FileHandle, path: string): Spool {
  let end = 0
  return {
    async add(bytes) {
      for (let done = 0; done < bytes.length; ) {
        const { bytesWritten } = await file
          .write(bytes, done, bytes.length - done, end)
          .catch((error) => Promise.reject(fromSystemError(error, `writing ${path}`, { path })))
        done += bytesWritten
        end += bytesWritten
      }
    },
    async *pieces() {
      const buffer = new Uint8Array(Math.min(READ, end))
      for (let at = 0; at < end; ) {
        const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, end - at), at)
        if (bytesRead === 0)
          throw fromSystemError(new Error('it is shorter than what was written'), `reading ${path}`, { path })
        yield buffer.subarray(0, bytesRead)
        at += bytesRead
      }
    },
  }
}
