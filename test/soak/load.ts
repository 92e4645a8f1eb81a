import { openStore, type Store } from 'headrace'
import { type Operation, patient, Storm, type StormReport } from '../faults/storm.ts'
import { KEYS } from './server.ts'

const MiB = 2 ** 20

/** Of the client: connections are what there may be of sockets. */
export const CONCURRENCY = 16
const LANES = 6
/** Mostly small: a leak shows by the number of operations. */
const MIX: readonly Operation[] = [
  ...['put', 'get', 'list', 'range', 'put', 'get', 'copy', 'get', 'delete', 'put', 'range', 'get', 'list', 'put'],
  ...['multipart', 'get', 'range', 'delete', 'put', 'get'],
] as readonly Operation[]
/** Large objects go in two parts; milliseconds are those of one operation, all attempts of all its requests. */
const BOUNDS = { large: 5.5 * MiB, limit: 60_000 }

/**
 * What stalls is given up soon, yet not so soon that a busy machine does what was given up after what came next. What
 * is idle is closed while the soak goes on.
 */
const OPTIONS = {
  credentials: KEYS,
  concurrency: CONCURRENCY,
  partSize: MiB,
  baseDelay: 1,
  maxDelay: 10,
  firstByteTimeout: 2000,
  stallTimeout: 2000,
  idleTimeout: 1000,
}

/** Of requests. */
const FAULTY = 0.004
/** Of those that wait for a time-out, fewer: everything else waits with them. */
const STALLED = 0.0005

/**
 * Every kind that a client can tell. (Bytes that were changed are told by the checksum of a whole object only, which
 * ranges of it do not have.)
 */
export const FAULTS = [
  { kind: 'slow-down', burst: 2 },
  { kind: 'error' },
  { kind: 'slow-first-byte', ms: 100 },
  { kind: 'stall' },
  { kind: 'slow-body', bytesPerSecond: 5_000_000 },
  { kind: 'short-body' },
  { kind: 'reset', when: 'before-head' },
  { kind: 'reset', when: 'during-upload' },
  { kind: 'reset', when: 'after-processing' },
  { kind: 'reset', when: 'mid-body', by: 'fin' },
  { kind: 'wrong-content-range' },
  { kind: 'wrong-content-length', by: 7 },
  { kind: 'etag-change' },
  { kind: 'error-in-200' },
  { kind: 'duplicate-complete' },
  { kind: 'truncated-xml' },
  { kind: 'garbage' },
  { kind: 'close-after', when: 'at-next-request' },
  { kind: 'stall-upload' },
].map((fault) => ({ probability: fault.kind.startsWith('stall') ? STALLED : FAULTY, fault }))

/** Every operation in turn, by several at once, each on objects of its own. */
export class Load {
  readonly #endpoint: string
  readonly #store: Store
  readonly #storms: readonly Storm[]

  private constructor(endpoint: string, store: Store) {
    this.#endpoint = endpoint
    this.#store = store
    this.#storms = Array.from(
      { length: LANES },
      (_, lane) => new Storm(store, `lane-${lane}`, { seed: lane, rounds: MIX.length, operations: MIX, ...BOUNDS }),
    )
  }

  static async open(endpoint: string): Promise<Load> {
    const store = await openStore('s3://soak', { endpoint, ...OPTIONS })
    await patient(async () => store.createContainer?.().catch(isThere))
    return new Load(endpoint, store)
  }

  /** Goes on for so long, then looks at every object with a store of its own. Nothing is under way afterwards. */
  async run(milliseconds: number): Promise<void> {
    const end = performance.now() + milliseconds
    await Promise.all(
      this.#storms.map(async (storm) => {
        while (performance.now() < end) await storm.run()
      }),
    )
    const store = await openStore('s3://soak', { endpoint: this.#endpoint, ...OPTIONS, attempts: 20 })
    await Promise.all(this.#storms.map((storm) => storm.verify(store)))
    await store.close()
  }

  report(): StormReport & { readonly retries: number } {
    const { retries } = (this.#store.report?.() ?? { retries: 0 }) as { retries: number }
    const sum = (of: (storm: Storm) => number) => this.#storms.reduce((total, storm) => total + of(storm), 0)
    return { runs: sum((storm) => storm.runs), errors: sum((storm) => storm.errors), retries }
  }

  close(): Promise<void> {
    return this.#store.close()
  }
}

/** Made by one attempt, the answer lost: the next one says that it is there. */
function isThere(error: unknown): void {
  if (!(error instanceof Error && 'code' in error && error.code === 'E_EXISTS')) throw error
}
