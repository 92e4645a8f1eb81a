import { strict as assert } from 'node:assert'
import type { ErrorCode } from '../../src/errors.ts'
import type { Store } from '../../src/storage/types.ts'

/**
 * Runs against a store while things go wrong: of every operation either what it says is true, or it ends in an error of
 * ours within the time that time-outs and attempts add up to. What an object may hold is kept track of: after a write that
 * failed it is the old bytes or the new ones, whole, and nothing else.
 */

export const OPERATIONS = ['get', 'put', 'multipart', 'range', 'list', 'delete', 'copy'] as const
export type Operation = (typeof OPERATIONS)[number]

/** undefined: not there. */
type Bytes = Uint8Array | undefined

/** What faults may end in. */
const CODES: readonly ErrorCode[] = [
  'E_NETWORK',
  'E_TIMEOUT',
  'E_THROTTLED',
  'E_SERVER',
  'E_CHECKSUM',
  'E_CORRUPT',
  'E_STATE',
  // A redirect that leads nowhere.
  'E_CONFIG',
]

export interface StormOptions {
  readonly seed: number
  readonly rounds: number
  /** What has its turn, one after the other; all of them. */
  readonly operations?: readonly Operation[]
  /** Milliseconds that no operation may take longer than. */
  readonly limit: number
  /** Bytes of an object that is uploaded in parts. */
  readonly large: number
  /** What the server keeps no checksum of may come back changed: parts of objects. */
  readonly changedParts?: true
}

export interface StormReport {
  readonly runs: number
  /** Of them, those that ended in an error. */
  readonly errors: number
}

/** Mulberry32. */
function random(seed: number): (n: number) => number {
  let state = seed
  return (n) => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % n
  }
}

/** Contents are views of one table, a different one for each of 256 versions in turn: keeping many costs nothing. */
let table = new Uint8Array(0)

function pattern(length: number, version: number): Uint8Array {
  const from = ((version * 17) & 0xff) * 1024
  if (table.length < from + length) {
    table = new Uint8Array(2 ** Math.ceil(Math.log2(length + 256 * 1024)))
    for (let i = 0; i < table.length; i++) table[i] = Math.imul(i & 1023, 31) + (i >> 10)
  }
  return table.subarray(from, from + length)
}

function same(one: Bytes, other: Bytes): boolean {
  return one === undefined || other === undefined ? one === other : Buffer.compare(one, other) === 0
}

/** Of an error of ours, whichever build of the package it came from. */
function codeOf(error: unknown): ErrorCode | undefined {
  return error instanceof Error && error.name === 'HeadraceError'
    ? (error as Error & { code: ErrorCode }).code
    : undefined
}

export class Storm {
  readonly #store: Store
  readonly #folder: string
  readonly #options: StormOptions
  readonly #random: (n: number) => number
  readonly #possible = new Map<string, Bytes[]>()
  #version = 0
  #runs = 0
  #errors = 0

  constructor(store: Store, folder: string, options: StormOptions) {
    this.#store = store
    this.#folder = folder
    this.#options = options
    this.#random = random(options.seed)
  }

  async run(): Promise<StormReport> {
    const { rounds, seed, operations = OPERATIONS } = this.#options
    for (let round = 0; round < rounds; round++) {
      // Each kind of operation has its turn; which object it is about is drawn.
      const operation = operations[(round + seed) % operations.length] ?? 'get'
      await this.#timed(operation, () => this.#once(operation))
    }
    return { runs: this.#runs, errors: this.#errors }
  }

  get runs(): number {
    return this.#runs
  }

  get errors(): number {
    return this.#errors
  }

  /** Every object holds one of the things that it may hold, looked at by a store that meets no faults, or tries often. */
  async verify(store: Store): Promise<void> {
    for (const [key, possible] of this.#possible) {
      const body = await patient(() => store.get(key))
      assert(
        possible.some((bytes) => same(bytes, body?.data)),
        `${key} holds ${body?.data.length} bytes that nobody wrote`,
      )
    }
  }

  #key(): string {
    return `${this.#folder}/${this.#random(3)}`
  }

  #of(key: string): Bytes[] {
    return this.#possible.get(key) ?? [undefined]
  }

  async #timed(operation: string, work: () => Promise<void>): Promise<void> {
    this.#runs++
    const started = performance.now()
    try {
      await work()
    } catch (error) {
      const code = codeOf(error)
      if (code === undefined || !CODES.includes(code)) throw error
      assert.doesNotMatch((error as Error).message, /\n/)
      this.#errors++
    }
    const took = performance.now() - started
    assert(took < this.#options.limit, `${operation} took ${took} ms`)
  }

  /** A write: whatever happens, the object is afterwards as it was or as it was to be. */
  async #write(key: string, after: Bytes, work: () => Promise<unknown>): Promise<void> {
    const before = this.#of(key)
    this.#possible.set(key, [...before, after])
    await work()
    this.#possible.set(key, [after])
  }

  async #once(operation: Operation): Promise<void> {
    const key = this.#key()
    const store = this.#store
    switch (operation) {
      case 'get': {
        const body = await store.get(key)
        assert(
          this.#of(key).some((bytes) => same(bytes, body?.data)),
          `${key} came as nobody wrote it`,
        )
        return
      }
      case 'range': {
        const body = await store.get(key, { range: { offset: 5 } }).catch((error: unknown) => {
          // Past the end of what is there.
          if (codeOf(error) === 'E_USAGE') return undefined
          throw error
        })
        if (body === undefined || this.#options.changedParts) return
        assert(
          this.#of(key).some((bytes) => same(bytes?.subarray(5), body.data)),
          `a range of ${key} came as nobody wrote it`,
        )
        return
      }
      case 'put': {
        const bytes = pattern(1 + this.#random(50_000), ++this.#version)
        await this.#write(key, bytes, () => store.put(key, bytes))
        return
      }
      case 'multipart': {
        const bytes = pattern(this.#options.large + this.#random(1000), ++this.#version)
        await this.#write(key, bytes, async () => {
          const writer = store.writer(key)
          for (let at = 0; at < bytes.length; at += 300_000) await writer.write(bytes.subarray(at, at + 300_000))
          assert.equal((await writer.close()).size, bytes.length)
        })
        return
      }
      case 'delete':
        await this.#write(key, undefined, async () => {
          for await (const { error } of store.delete([key, `${this.#folder}/never`])) if (error) throw error
        })
        return
      case 'copy': {
        const from = this.#key()
        const target = `${this.#folder}/copy`
        const sources = this.#of(from)
        const before = this.#of(target)
        this.#possible.set(target, [...before, ...sources])
        try {
          await store.copy?.(from, target)
        } catch (error) {
          if (codeOf(error) !== 'E_NOT_FOUND') throw error
          assert(sources.includes(undefined), `${from} is there, and was not found`)
          this.#possible.set(target, before)
          return
        }
        this.#possible.set(
          target,
          sources.filter((bytes) => bytes !== undefined),
        )
        return
      }
      case 'list': {
        const keys: string[] = []
        for await (const entry of store.list(`${this.#folder}/`)) if (entry.kind === 'object') keys.push(entry.key)
        for (const listed of keys)
          assert(
            this.#of(listed).some((bytes) => bytes !== undefined),
            `${listed} is listed, and cannot be there`,
          )
        for (const [known, possible] of this.#possible)
          assert(possible.includes(undefined) || keys.includes(known), `a list that is not whole: without ${known}`)
      }
    }
  }
}

/** Until it works: the question is what is there, not whether it can be asked. */
export async function patient<T>(work: () => Promise<T>): Promise<T> {
  for (let tries = 0; ; tries++) {
    try {
      return await work()
    } catch (error) {
      if (tries === 60) throw error
    }
  }
}
