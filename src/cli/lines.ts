import { once } from 'node:events'
import { interrupted, oneLine } from './run.ts'

/** Written together: a write a line would be most of the work of a long listing. */
const CHUNK = 16 * 1024
/** Lines wait no longer while more are coming, ms. */
const WAIT_MS = 100

/** Lines of stdout, as many as there may be: they are written in chunks, as fast as the reader takes them. */
export class Lines {
  #text = ''
  #written = 0

  async print(line: string): Promise<void> {
    this.#text += `${oneLine(line)}\n`
    if (this.#text.length >= CHUNK || performance.now() - this.#written > WAIT_MS) await this.flush()
  }

  /** One document a line. */
  printJson(document: unknown): Promise<void> {
    return this.print(JSON.stringify(document))
  }

  async flush(): Promise<void> {
    const text = this.#text
    this.#text = ''
    this.#written = performance.now()
    if (text !== '') await writeOut(text)
  }
}

/** Waits where the reader is slower. */
export async function writeOut(data: string | Uint8Array): Promise<void> {
  if (!process.stdout.write(data)) await once(process.stdout, 'drain', { signal: interrupted })
}
