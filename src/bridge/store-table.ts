import { createHash } from 'node:crypto'
import type { Store, StoreOptions } from '../storage/index.ts'
import { openStore } from '../storage/index.ts'

/** Milliseconds that a store nobody uses stays open: connections of a program come and go with its threads. */
const LINGER = 30_000

interface Opened {
  readonly store: Promise<Store>
  users: number
  timer: NodeJS.Timeout | undefined
}

/** The stores that an engine has open, each once for all connections that use it with the same options. */
export class StoreTable {
  readonly #opened = new Map<string, Opened>()

  /** Opens `root`, or joins those who have it open. Each use is ended by `release` with the same arguments. */
  use(root: string, options: StoreOptions): Promise<Store> {
    const name = nameOf(root, options)
    const opened = this.#opened.get(name) ?? this.#open(name, root, options)
    clearTimeout(opened.timer)
    opened.users++
    return opened.store
  }

  release(root: string, options: StoreOptions): void {
    const name = nameOf(root, options)
    const opened = this.#opened.get(name)
    if (opened === undefined || --opened.users > 0) return
    opened.timer = setTimeout(() => void this.#close(name, opened), LINGER)
    // An engine with nothing else to do may end.
    opened.timer.unref()
  }

  /** What is under way ends as each store says. */
  async close(): Promise<void> {
    await Promise.all([...this.#opened].map(([name, opened]) => this.#close(name, opened)))
  }

  #open(name: string, root: string, options: StoreOptions): Opened {
    const opened: Opened = { store: openStore(root, options), users: 0, timer: undefined }
    // What failed to open is opened anew by the next one who asks.
    opened.store.catch(() => {
      if (this.#opened.get(name) === opened) this.#opened.delete(name)
    })
    this.#opened.set(name, opened)
    return opened
  }

  async #close(name: string, opened: Opened): Promise<void> {
    clearTimeout(opened.timer)
    if (this.#opened.get(name) === opened) this.#opened.delete(name)
    await opened.store.then((store) => store.close()).catch(() => {})
  }
}

/** A digest, for options hold credentials. */
function nameOf(root: string, options: StoreOptions): string {
  return createHash('sha256')
    .update(JSON.stringify([root, options]))
    .digest('base64')
}
