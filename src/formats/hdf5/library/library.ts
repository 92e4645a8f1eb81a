import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { HeadraceError } from '../../../errors.ts'
import { corrupt } from '../../layout.ts'
import type { ByteSource } from '../../types.ts'
import {
  type Answer,
  type DescribedDataSet,
  DONE,
  FAILED,
  OUTCOME,
  type Question,
  READ,
  type ThreadData,
  TURN,
  WINDOW,
  WORDS_BYTES,
} from './messages.ts'

/** ms that libhdf5 may compute without asking for bytes: a damaged file can send it round in circles. */
const PATIENCE = 60_000
/** ms that the thread stays when no file is open: to start it takes a tenth of a second. */
const LINGER = 5_000

/** A file in the hands of libhdf5. */
export interface LibraryFile {
  readonly dataSets: readonly DescribedDataSet[]
  /** Elements of `count` samples from `first` on, little-endian. */
  read(dataSet: string, first: number, count: number): Promise<Uint8Array>
  close(): void
}

/** Opens a file with libhdf5, in a thread that the files of this thread share. E_CORRUPT for what it does not open. */
export async function openWithLibrary(source: ByteSource): Promise<LibraryFile> {
  if (shared === undefined || shared.gone) shared = new LibraryThread()
  return shared.open(source)
}

let shared: LibraryThread | undefined

/** Also from the sources, which tests run: threads run compiled code. */
function script(): string {
  const { resolve } = createRequire(import.meta.url)
  return join(dirname(resolve('headrace/package.json')), 'dist', 'formats', 'hdf5', 'library', 'thread.js')
}

interface Waiting {
  readonly source: ByteSource
  readonly about: string
  readonly resolve: (answer: Answer) => void
  readonly reject: (error: unknown) => void
}

class LibraryThread {
  readonly #worker: Worker
  readonly #words: Int32Array
  readonly #window: Uint8Array
  /** Those that are open or being opened. */
  readonly #files = new Map<number, ByteSource>()
  readonly #waiting = new Map<number, Waiting>()
  /** Why a file's bytes could not be read: libhdf5 says only that they could not. */
  readonly #failures = new Map<number, unknown>()
  #last = 0
  #gone = false
  #patience: NodeJS.Timeout | undefined
  #lingering: NodeJS.Timeout | undefined

  constructor() {
    const memory = new SharedArrayBuffer(WORDS_BYTES + WINDOW)
    this.#words = new Int32Array(memory, 0, WORDS_BYTES / 4)
    this.#window = new Uint8Array(memory, WORDS_BYTES)
    this.#worker = new Worker(script(), { workerData: { shared: memory } satisfies ThreadData })
    this.#worker.unref()
    this.#worker.on('message', (answer: Answer) => this.#take(answer))
    this.#worker.on('error', (error) => this.#end(error))
    this.#worker.on('exit', () => this.#end(new Error('the thread of libhdf5 ended')))
  }

  get gone(): boolean {
    return this.#gone
  }

  async open(source: ByteSource): Promise<LibraryFile> {
    const file = ++this.#last
    this.#files.set(file, source)
    clearTimeout(this.#lingering)
    const about = 'libhdf5 does not open it'
    const opened = await this.#ask(source, about, (id) => ({ kind: 'open', id, file, size: source.size })).catch(
      (error) => {
        this.#left(file)
        throw error
      },
    )
    const { dataSets } = opened as Answer & { kind: 'opened' }
    return {
      dataSets,
      read: async (dataSet, first, count) => {
        if (!this.#files.has(file))
          throw new HeadraceError('E_STATE', `${source.name} is closed`, { path: source.name })
        const read = await this.#ask(source, `${dataSet}: libhdf5 does not read it`, (id) => {
          return { kind: 'read', id, file, dataSet, first, count }
        })
        return new Uint8Array((read as Answer & { kind: 'read' }).bytes)
      },
      close: () => {
        if (!this.#files.has(file)) return
        if (!this.#gone) this.#post({ kind: 'close', file })
        this.#left(file)
      },
    }
  }

  #ask(source: ByteSource, about: string, question: (id: number) => Question): Promise<Answer> {
    if (this.#gone) return Promise.reject(corrupt(source.name, `${about}: its thread ended`))
    const id = ++this.#last
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { source, about, resolve, reject })
      if (this.#waiting.size === 1) this.#worker.ref()
      this.#beginPatience()
      this.#post(question(id))
    })
  }

  #post(question: Question): void {
    this.#worker.postMessage(question)
  }

  #left(file: number): void {
    this.#files.delete(file)
    if (this.#files.size > 0 || this.#gone) return
    this.#lingering = setTimeout(() => {
      this.#gone = true
      void this.#worker.terminate()
    }, LINGER).unref()
  }

  #take(answer: Answer): void {
    if (answer.kind === 'needs') {
      clearTimeout(this.#patience)
      void this.#serve(answer.file, answer.offset, answer.length)
      return
    }
    const waiting = this.#waiting.get(answer.id)
    const failure = this.#failures.get(answer.id)
    this.#settled(answer.id)
    if (answer.kind !== 'failed') waiting?.resolve(answer)
    else if (waiting !== undefined) {
      const { source, about, reject } = waiting
      reject(failure ?? corrupt(source.name, `${about}: ${causeOf(answer.reason)}`))
    }
  }

  #settled(id: number): void {
    this.#waiting.delete(id)
    this.#failures.delete(id)
    clearTimeout(this.#patience)
    if (this.#waiting.size === 0) this.#worker.unref()
    else this.#beginPatience()
  }

  #beginPatience(): void {
    clearTimeout(this.#patience)
    this.#patience = setTimeout(() => {
      this.#end(new Error(`libhdf5 found no end in ${PATIENCE / 1000} s`))
      void this.#worker.terminate()
    }, PATIENCE)
    this.#patience.unref()
  }

  /** Puts bytes of a file where the thread waits for them. Questions are answered one after the other: it is the first. */
  async #serve(file: number, offset: number, length: number): Promise<void> {
    let outcome = READ
    try {
      const source = this.#files.get(file)
      if (source === undefined) throw new HeadraceError('E_STATE', 'the file is closed')
      this.#window.set(await source.read(offset, length))
    } catch (error) {
      outcome = FAILED
      const [first] = this.#waiting.keys()
      if (first !== undefined) this.#failures.set(first, error)
    }
    this.#beginPatience()
    Atomics.store(this.#words, OUTCOME, outcome)
    Atomics.store(this.#words, TURN, DONE)
    Atomics.notify(this.#words, TURN)
  }

  #end(error: Error): void {
    this.#gone = true
    clearTimeout(this.#patience)
    clearTimeout(this.#lingering)
    for (const { source, about, reject } of this.#waiting.values())
      reject(corrupt(source.name, `${about}: ${error.message}`, { cause: error }))
    this.#waiting.clear()
    this.#files.clear()
  }
}

/** libhdf5 tells the whole way to a failure, the cause last: `#005: FILE line N in FUNCTION(): what is wrong`. */
function causeOf(reason: string): string {
  const lines = reason.split('\n').filter((line) => line.trim() !== '')
  const last = lines.findLast((line) => /^\s*#\d+: /.test(line)) ?? lines[0] ?? 'no reason given'
  return last
    .replace(/^.*\(\): /, '')
    .trim()
    .slice(0, 200)
}
