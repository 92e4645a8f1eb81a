import { nonNegativeInteger, show } from '../../checks.ts'
import { fromSystemError, HeadraceError, throwIfAborted } from '../../errors.ts'
import type { ObjectInfo, ObjectWriter, WriterOptions } from '../types.ts'
import type { PendingFile } from './pending-file.ts'

export interface FileWriterSteps {
  create(): Promise<PendingFile>
  publish(file: PendingFile): Promise<ObjectInfo>
}

/** Streams into a pending file. Calls take effect in the order they were made, whether they are awaited or not. */
export class FileWriter implements ObjectWriter {
  readonly #key: string
  /** For messages. */
  readonly #name: string
  readonly #steps: FileWriterSteps
  readonly #signal: AbortSignal | undefined
  readonly #size: number | undefined
  readonly #onSignal = () => void this.abort().catch(() => {})
  #file: PendingFile | undefined
  #written = 0
  #state: 'open' | 'closed' | 'dropped' = 'open'
  #last: Promise<unknown> = Promise.resolve()

  constructor(key: string, name: string, steps: FileWriterSteps, { signal, size }: WriterOptions) {
    this.#key = key
    this.#name = name
    this.#steps = steps
    this.#signal = signal
    this.#size = size === undefined ? undefined : nonNegativeInteger('size', size)
    signal?.addEventListener('abort', this.#onSignal, { once: true })
  }

  write(chunk: Uint8Array): Promise<void> {
    return this.#inTurn(async () => {
      const file = await this.#open('write to')
      if (this.#size !== undefined && this.#written + chunk.length > this.#size)
        throw this.#otherSize(`${this.#written + chunk.length} or more`)
      await file.write(chunk, this.#signal)
      this.#written += chunk.length
    })
  }

  close(): Promise<ObjectInfo> {
    return this.#inTurn(async () => {
      const file = await this.#open('close')
      if (this.#size !== undefined && this.#written !== this.#size) throw this.#otherSize(`${this.#written}`)
      const info = await this.#steps.publish(file)
      this.#end('closed')
      return info
    })
  }

  abort(): Promise<void> {
    return this.#inTurn(() => this.#drop())
  }

  #otherSize(bytes: string): HeadraceError {
    return new HeadraceError('E_STATE', `${show(this.#name)} was to have ${this.#size} bytes, but ${bytes} came`, {
      key: this.#key,
    })
  }

  /** A failed step drops the file: what is left of it could never be closed into a whole object. */
  #inTurn<T>(step: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(async () => {
      try {
        return await step()
      } catch (error) {
        await this.#drop().catch(() => {})
        throw fromSystemError(error, `cannot write ${show(this.#name)}`, { key: this.#key })
      }
    })
    this.#last = turn.catch(() => {})
    return turn
  }

  async #open(doing: string): Promise<PendingFile> {
    throwIfAborted(this.#signal, `writing ${this.#name}`)
    if (this.#state !== 'open')
      throw new HeadraceError(
        'E_STATE',
        `cannot ${doing} ${show(this.#name)}: its writer is ${this.#state === 'closed' ? 'closed' : 'aborted, or failed'}`,
        { key: this.#key },
      )
    this.#file ??= await this.#steps.create()
    return this.#file
  }

  async #drop(): Promise<void> {
    if (this.#state !== 'open') return
    this.#end('dropped')
    await this.#file?.discard()
  }

  #end(state: 'closed' | 'dropped'): void {
    this.#state = state
    this.#signal?.removeEventListener('abort', this.#onSignal)
  }
}
