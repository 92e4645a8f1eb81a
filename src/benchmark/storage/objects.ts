import { setMaxListeners } from 'node:events'
import { rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { throwIfAborted } from '../../errors.ts'
import { NoiseBody } from '../../noise.ts'
import { localDirectory } from '../../storage/open.ts'
import type { Store } from '../../storage/types.ts'
import { Grace } from './grace.ts'
import { keyOf, numberOf } from './object-names.ts'

/** Keys of one delete. */
const DELETED_TOGETHER = 1000

/** Which numbers there are: a bit each. */
class Numbers {
  readonly #bits: Uint8Array

  constructor(count: number) {
    this.#bits = new Uint8Array(Math.ceil(count / 8))
  }

  add(number: number): void {
    this.#bits[number >> 3] = (this.#bits[number >> 3] as number) | (1 << (number & 7))
  }

  has(number: number): boolean {
    return ((this.#bits[number >> 3] ?? 0) & (1 << (number & 7))) !== 0
  }
}

export interface ObjectSet {
  readonly folder: string
  readonly size: number
  readonly objects: number
}

export interface PrepareOptions {
  readonly concurrency: number
  readonly seed: number
  readonly signal: AbortSignal | undefined
  readonly onProgress: (done: number, total: number) => void
}

/** Objects of a benchmark at a store: made where they are not there, and taken away again. */
export class BenchObjects {
  readonly #store: Store
  readonly #set: ObjectSet
  /** Those that were there before. */
  readonly #found: Numbers

  private constructor(store: Store, set: ObjectSet, found: Numbers) {
    this.#store = store
    this.#set = set
    this.#found = found
  }

  /** Looks what is there. */
  static async find(store: Store, set: ObjectSet, signal: AbortSignal | undefined): Promise<BenchObjects> {
    const found = new Numbers(set.objects)
    for await (const entry of store.list(set.folder, signal === undefined ? {} : { signal })) {
      const number = entry.kind === 'object' ? numberOf(set.folder, entry.key) : undefined
      if (number !== undefined && number < set.objects && entry.kind === 'object' && entry.size === set.size)
        found.add(number)
    }
    return new BenchObjects(store, set, found)
  }

  /** Puts what is not there. */
  async prepare({ concurrency, seed, signal, onProgress }: PrepareOptions): Promise<void> {
    const { folder, size, objects } = this.#set
    const grace = new Grace(signal)
    // Every put under way listens.
    setMaxListeners(0, grace.signal)
    let next = 0
    let done = 0
    const put = async () => {
      const bodies = new NoiseBody(size, seed)
      for (let number = next++; number < objects; number = next++) {
        throwIfAborted(signal, 'preparing objects')
        if (!this.#found.has(number))
          await this.#store.put(keyOf(folder, number), bodies.body(number, size), { signal: grace.signal })
        onProgress(++done, objects)
      }
    }
    const putters = await Promise.allSettled(Array.from({ length: Math.min(concurrency, objects) }, put))
    grace.end()
    for (const putter of putters) if (putter.status === 'rejected') throw putter.reason
  }

  /** Deletes what was not there before, of this run or of one that was killed. */
  async cleanUp(onProgress: (done: number, total: number) => void): Promise<void> {
    const { folder, objects } = this.#set
    let keys: string[] = []
    let done = 0
    const flush = async () => {
      for await (const { error } of this.#store.delete(keys)) if (error !== undefined) throw error
      done += keys.length
      keys = []
      onProgress(done, Math.max(done, objects))
    }
    for await (const entry of this.#store.list(folder)) {
      const number = entry.kind === 'object' ? numberOf(folder, entry.key) : undefined
      if (entry.kind !== 'object' || number === undefined || (number < objects && this.#found.has(number))) continue
      keys.push(entry.key)
      if (keys.length === DELETED_TOGETHER) await flush()
    }
    if (keys.length > 0) await flush()
    await this.#removeFolders()
  }

  /** Object stores have none; one that is not empty stays. */
  async #removeFolders(): Promise<void> {
    const directory = localDirectory(this.#store.url.replace(/^direct:/, 'file:'))
    if (directory === undefined) return
    const folder = join(directory, this.#set.folder)
    for (const path of [folder, join(folder, '..')]) await rmdir(path).catch(() => {})
  }
}
