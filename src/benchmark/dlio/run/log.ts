import { closeSync, openSync, writeSync } from 'node:fs'
import { fromSystemError } from '../../../errors.ts'
import { isoLocal, type Timestamp, timestamp } from './clock.ts'

/** `dlio.log` and what is shown beside it, in DLIO's words. */
export class RunLog {
  readonly #show: (line: string) => void
  readonly #fd: number | undefined

  /** `path`: where rank 0 keeps the log; undefined on all others. `show`: gets each line too. */
  constructor(path: string | undefined, show: (line: string) => void) {
    this.#show = show
    if (path === undefined) return
    try {
      this.#fd = openSync(path, 'w')
    } catch (error) {
      throw fromSystemError(error, `writing ${path}`, { path })
    }
  }

  /** With the time before it. */
  output(text: string, time: Timestamp = timestamp()): void {
    this.#line(`[OUTPUT] ${isoLocal(time)} ${text}`)
  }

  warning(text: string): void {
    this.#line(`[WARNING] ${text}`)
  }

  error(text: string): void {
    this.#line(`[ERROR] ${text}`)
  }

  /** Lines that belong together. */
  block(lines: readonly string[]): void {
    this.#line(`[OUTPUT] ${lines.join('\n')}`)
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd)
  }

  #line(line: string): void {
    if (this.#fd === undefined) return
    try {
      writeSync(this.#fd, `${line}\n`)
    } catch (error) {
      throw fromSystemError(error, 'writing the log of the run')
    }
    this.#show(line)
  }
}
