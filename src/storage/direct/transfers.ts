import { HeadraceError, throwIfAborted } from '../../errors.ts'
import { type DirectMethod, native } from '../../native.ts'

/** What moves blocks: threads that each wait for one, or a ring of the kernel's with several under way. */
export type DirectEngine = 'auto' | 'threads' | 'io_uring'

/** Threads that wait for the device at once, in the whole process: as many gets and puts are under way. */
const THREADS = 16

/** How bytes are moved around the page cache, and the aligned memory in which those that come in pieces wait. */
export class DirectTransfers {
  readonly blockSize: number
  readonly #depth: number
  readonly #engine: DirectEngine
  /** Blocks that wait for their next writer: taking one anew costs a page fault every 4 KiB. */
  readonly #spare: Uint8Array[] = []

  constructor(blockSize: number, depth: number, engine: DirectEngine) {
    this.blockSize = blockSize
    this.#depth = depth
    this.#engine = engine
  }

  /** Runs one transfer, which ends early when the signal fires. */
  async run<T>(signal: AbortSignal | undefined, transfer: (method: DirectMethod) => Promise<T>): Promise<T> {
    throwIfAborted(signal, 'the transfer')
    const cancel = new Uint32Array(1)
    const onSignal = () => {
      cancel[0] = 1
    }
    signal?.addEventListener('abort', onSignal, { once: true })
    try {
      return await transfer({
        blockSize: this.blockSize,
        depth: this.#depth,
        engine: this.#engine,
        threads: THREADS,
        group: 0,
        cancel,
      })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ECANCELED') throw error
      throw new HeadraceError('E_CANCELLED', 'the transfer was cancelled', { cause: signal?.reason })
    } finally {
      signal?.removeEventListener('abort', onSignal)
    }
  }

  takeBlock(): Uint8Array {
    return this.#spare.pop() ?? new Uint8Array(native.alignedMemory(this.blockSize))
  }

  giveBlock(block: Uint8Array): void {
    if (this.#spare.length < 4) this.#spare.push(block)
  }

  close(): void {
    this.#spare.length = 0
    native.trimDirect()
  }
}

/** Whether a system error means that the file system does not take O_DIRECT. */
export function isRefusal(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException
  return code === 'EINVAL' || code === 'EOPNOTSUPP'
}
