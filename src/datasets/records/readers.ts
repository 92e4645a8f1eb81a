import type { RecordReader } from '../../formats/types.ts'

interface Open {
  readonly reader: Promise<RecordReader>
  labels: Promise<BigInt64Array | undefined> | undefined
  users: number
}

/** Files that are open: those used last, and those that are being read. */
export class OpenReaders {
  readonly #open: (file: number) => Promise<RecordReader>
  readonly #most: number
  /** The one used last is the last one. */
  readonly #files = new Map<number, Open>()

  constructor(most: number, open: (file: number) => Promise<RecordReader>) {
    this.#most = most
    this.#open = open
  }

  /** Runs `use` with a file's reader, which stays open meanwhile. */
  with<T>(file: number, use: (reader: RecordReader) => Promise<T>): Promise<T> {
    return this.#using(file, async ({ reader }) => use(await reader))
  }

  /** A file's labels, which are read once. */
  labels(file: number): Promise<BigInt64Array | undefined> {
    return this.#using(file, async (open) => {
      open.labels ??= open.reader.then((reader) => reader.labels?.())
      return open.labels
    })
  }

  async close(): Promise<void> {
    const files = [...this.#files.values()]
    this.#files.clear()
    await Promise.all(
      files.map(({ reader }) =>
        reader.then(
          (opened) => opened.close(),
          () => {},
        ),
      ),
    )
  }

  async #using<T>(file: number, use: (open: Open) => Promise<T>): Promise<T> {
    const open = this.#files.get(file) ?? { reader: this.#open(file), labels: undefined, users: 0 }
    this.#files.delete(file)
    this.#files.set(file, open)
    open.users++
    try {
      return await use(open)
    } catch (error) {
      // One that failed is opened anew by the next.
      await open.reader.catch(() => this.#files.get(file) === open && this.#files.delete(file))
      throw error
    } finally {
      open.users--
      this.#closeUnused()
    }
  }

  #closeUnused(): void {
    for (const [file, { reader, users }] of this.#files) {
      if (this.#files.size <= this.#most) return
      if (users > 0) continue
      this.#files.delete(file)
      reader.then((opened) => opened.close()).catch(() => {})
    }
  }
}
