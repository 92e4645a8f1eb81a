import { constants as bufferLimits } from 'node:buffer'
import fs from 'node:fs'
import { mkdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { HeadraceError, throwIfAborted } from '../../errors.ts'

/**
 * File descriptors as promises over the callback API: a FileHandle costs several times as much per read, and closes
 * itself by garbage collection.
 */

/** 64 MiB: one read or write is a slot of libuv's thread pool, and cannot be cancelled while it runs. */
const PIECE = 64 * 2 ** 20

export function openDescriptor(path: string, flags: number): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.open(path, flags, 0o666, (error, fd) => (error ? reject(error) : resolve(fd)))
  })
}

export function statDescriptor(fd: number): Promise<fs.Stats> {
  return new Promise((resolve, reject) => {
    fs.fstat(fd, (error, stats) => (error ? reject(error) : resolve(stats)))
  })
}

export function closeDescriptor(fd: number): Promise<void> {
  return new Promise((resolve, reject) => {
    fs.close(fd, (error) => (error ? reject(error) : resolve()))
  })
}

/** Closes what was only read from: nobody waits for it, and there is nothing to lose if it fails. */
export function dropDescriptor(fd: number): void {
  fs.close(fd, () => {})
}

export function syncDescriptor(fd: number): Promise<void> {
  return new Promise((resolve, reject) => {
    fs.fsync(fd, (error) => (error ? reject(error) : resolve()))
  })
}

export function truncateDescriptor(fd: number, length: number): Promise<void> {
  return new Promise((resolve, reject) => {
    fs.ftruncate(fd, length, (error) => (error ? reject(error) : resolve()))
  })
}

/** `modified`: milliseconds since 1970. */
export function touchDescriptor(fd: number, modified: number): Promise<void> {
  const seconds = modified / 1000
  return new Promise((resolve, reject) => {
    fs.futimes(fd, seconds, seconds, (error) => (error ? reject(error) : resolve()))
  })
}

function readSome(fd: number, into: Uint8Array, start: number, length: number, position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.read(fd, into, start, length, position, (error, count) => (error ? reject(error) : resolve(count)))
  })
}

function writeSome(fd: number, bytes: Uint8Array, start: number, length: number): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.write(fd, bytes, start, length, null, (error, count) => (error ? reject(error) : resolve(count)))
  })
}

/** Fills `into` from `position` on; returns how many bytes there were, fewer only at the end of the file. */
export async function readInto(fd: number, into: Uint8Array, position: number, signal?: AbortSignal): Promise<number> {
  let done = 0
  while (done < into.length) {
    throwIfAborted(signal, 'reading')
    const count = await readSome(fd, into, done, Math.min(PIECE, into.length - done), position + done)
    if (count === 0) break
    done += count
  }
  return done
}

/** Appends all of `bytes`. */
export async function writeAll(fd: number, bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    throwIfAborted(signal, 'writing')
    done += await writeSome(fd, bytes, done, Math.min(PIECE, bytes.length - done))
  }
}

/** Memory that is about to be filled whole: zeroing it first would cost as much as the read. */
export function allocate(length: number, key: string): Uint8Array {
  if (length > bufferLimits.MAX_LENGTH)
    throw new HeadraceError('E_LIMIT', `${key}: ${length} bytes do not fit into one array; read it in ranges`, { key })
  try {
    return new Uint8Array(Buffer.allocUnsafeSlow(length).buffer)
  } catch (cause) {
    throw new HeadraceError('E_LIMIT', `${key}: there is no memory for ${length} bytes`, { key, cause })
  }
}

/** Without O_NONBLOCK, opening a named pipe that nobody writes to would never return; for files it means nothing. */
export const READ_FLAGS = fs.constants.O_RDONLY | fs.constants.O_NONBLOCK

/**
 * Reads a small file whole. E_CORRUPT for what is no regular file (a pipe would be waited for, a device need not end)
 * and for one of more than `limit` bytes. System errors come as they are.
 */
export async function readRegularFile(path: string, limit: number): Promise<Buffer> {
  const fd = await openDescriptor(path, READ_FLAGS)
  try {
    const stats = await statDescriptor(fd)
    if (!stats.isFile()) throw new HeadraceError('E_CORRUPT', `${path} is not a regular file`, { path })
    if (stats.size > limit)
      throw new HeadraceError('E_CORRUPT', `${path} has ${stats.size} bytes, more than the ${limit} allowed`, { path })
    const bytes = Buffer.allocUnsafe(stats.size)
    return bytes.subarray(0, await readInto(fd, bytes, 0))
  } finally {
    dropDescriptor(fd)
  }
}

async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path)
  } catch (error) {
    const found = await stat(path).catch(() => undefined)
    if (!found?.isDirectory()) throw error
  }
}

/**
 * Makes a directory and those above it that are missing. Node's own recursive mkdir never returns where a directory
 * that is there answers ENOENT for a new name, as /proc does.
 */
export async function makeFolders(path: string): Promise<void> {
  try {
    return await makeFolder(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || dirname(path) === path) throw error
  }
  await makeFolders(dirname(path))
  await makeFolder(path)
}

/** Whether a system error means that nothing is there; a chain of links that leads nowhere is nothing, too. */
export function isAbsent(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException
  return code === 'ENOENT' || code === 'ENOTDIR' || code === 'ELOOP'
}
