import fs from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { show } from '../../../checks.ts'
import { fromSystemError, HeadraceError } from '../../../errors.ts'
import type { Change } from './records.ts'

const HEADER = JSON.stringify({ format: 'headrace dev s3', version: 1 })

/**
 * Changes, a line each, in the order they happened. A line is written by one call before the change counts, so a killed
 * process leaves a journal that ends before or after a change; half a line at the end is a change that never happened.
 */
export class Journal {
  readonly #path: string
  readonly #fd: number
  #bytes: number

  private constructor(path: string, fd: number, bytes: number) {
    this.#path = path
    this.#fd = fd
    this.#bytes = bytes
  }

  /** Goes through the changes of an earlier run, then takes new ones. E_CORRUPT, E_UNSUPPORTED. */
  static async open(path: string, replay: (change: Change) => void): Promise<Journal> {
    let whole = 0
    try {
      whole = await readLines(path, replay)
      const fd = fs.openSync(path, fs.constants.O_RDWR | fs.constants.O_CREAT, 0o600)
      fs.ftruncateSync(fd, whole)
      const journal = new Journal(path, fd, whole)
      if (whole === 0) journal.#write(`${HEADER}\n`)
      return journal
    } catch (error) {
      throw fromSystemError(error, `cannot open ${path}`, { path })
    }
  }

  /** Replaces the journal by the changes that lead to the same state. */
  static async rewrite(path: string, changes: Iterable<Change>): Promise<void> {
    const next = `${path}.next`
    const fd = fs.openSync(next, 'w', 0o600)
    try {
      fs.writeSync(fd, `${HEADER}\n`)
      for (const change of changes) fs.writeSync(fd, `${JSON.stringify(change)}\n`)
    } catch (error) {
      await rm(next, { force: true })
      throw error
    } finally {
      fs.closeSync(fd)
    }
    await rename(next, path)
  }

  /** In one call and at once: what was checked a moment ago still holds when the change counts. */
  append(change: Change): void {
    this.#write(`${JSON.stringify(change)}\n`)
  }

  close(): void {
    fs.closeSync(this.#fd)
  }

  #write(line: string): void {
    const bytes = Buffer.from(line)
    try {
      for (let at = 0; at < bytes.length; ) at += fs.writeSync(this.#fd, bytes, at, bytes.length - at, this.#bytes + at)
    } catch (error) {
      // Half a line in the middle would end the journal for ever.
      fs.ftruncateSync(this.#fd, this.#bytes)
      throw fromSystemError(error, `cannot write ${this.#path}`, { path: this.#path })
    }
    this.#bytes += bytes.length
  }
}

/** Bytes of whole lines. A journal that is not there has none; half a line at the end is not counted. */
async function readLines(path: string, replay: (change: Change) => void): Promise<number> {
  let whole = 0
  let number = 0
  for await (const line of linesOf(path)) {
    number++
    whole += line.length + 1
    const text = line.toString('utf8')
    if (number > 1) replayLine(text, replay, { path, number })
    else if (text !== HEADER)
      throw new HeadraceError('E_UNSUPPORTED', `${path} begins with ${show(text.slice(0, 80))}, not ${HEADER}`, {
        path,
      })
  }
  return whole
}

function replayLine(
  text: string,
  replay: (change: Change) => void,
  { path, number }: { readonly path: string; readonly number: number },
): void {
  try {
    replay(JSON.parse(text) as Change)
  } catch (error) {
    const message = `${path} cannot be read: its line ${number} is no change`
    throw new HeadraceError('E_CORRUPT', message, { path, cause: error })
  }
}

/** Lines that have their end, without it. */
async function* linesOf(path: string): AsyncGenerator<Buffer> {
  if (!fs.existsSync(path)) return
  let rest: Buffer[] = []
  for await (const chunk of fs.createReadStream(path, { highWaterMark: 2 ** 20 }) as AsyncIterable<Buffer>) {
    let at = 0
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, at)) {
      yield rest.length === 0 ? chunk.subarray(at, end) : Buffer.concat([...rest, chunk.subarray(at, end)])
      rest = []
      at = end + 1
    }
    if (at < chunk.length) rest.push(chunk.subarray(at))
  }
}
