import { expect } from 'vitest'
import { type ErrorCode, isHeadraceError } from '../../src/errors.ts'
import type { Store } from '../../src/storage/types.ts'

/**
 * Runs against a store while things go wrong: of every operation either what it says is true, or it ends in an error of
 * ours within the time that time-outs and attempts add up to. What an object may hold is kept track of: after a write that
 * failed it is the old bytes or the new ones, whole, and nothing else.
 */

export const OPERATIONS = ['get', 'put', 'multipart', 'range', 'list', 'delete', 'copy'] as const

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

function pattern(length: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(length)
  for (let i = 0; i < length; i++) bytes[i] = (Math.imul(i, 31) + (i >> 10) + Math.imul(seed, 17)) & 0xff
  return bytes
}

function same(one: Bytes, other: Bytes): boolean {
  return one === undefined || other === undefined ? one === other : Buffer.compare(one, other) === 0
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
    for (let round = 0; round < this.#options.rounds; round++) {
      // Each kind of operation has its turn; which object it is about is drawn.
      const operation = OPERATIONS[(round + this.#options.seed) % OPERATIONS.length] ?? 'get'
      await this.#timed(operation, () => this.#once(operation))
    }
    return { runs: this.#runs, errors: this.#errors }
  }

  /** Every object holds one of the things that it may hold, looked at by a store that meets no faults, or tries often. */
  async verify(store: Store): Promise<void> {
    for (const [key, possible] of this.#possible) {
      const body = await patient(() => store.get(key))
      expect(
        possible.some((bytes) => same(bytes, body?.data)),
        `${key} holds ${body?.data.length} bytes that nobody wrote`,
      ).toBe(true)
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
      if (!isHeadraceError(error) || !CODES.includes(error.code)) throw error
      expect(error.message, 'one line').not.toMatch(/\n/)
      this.#errors++
    }
    expect(performance.now() - started, `${operation} took too long`).toBeLessThan(this.#options.limit)
  }

  /** A write: whatever happens, the object is afterwards as it was or as it was to be. */
  async #write(key: string, after: Bytes, work: () => Promise<unknown>): Promise<void> {
    const before = this.#of(key)
    this.#possible.set(key, [...before, after])
    await work()
    this.#possible.set(key, [after])
  }

  async #once(operation: (typeof OPERATIONS)[number]): Promise<void> {
    const key = this.#key()
    const store = this.#store
    switch (operation) {
      case 'get': {
        const body = await store.get(key)
        const seen = this.#of(key).filter((bytes) => same(bytes, body?.data))
        expect(seen.length, `${key} came as nobody wrote it`).toBeGreaterThan(0)
        return
      }
      case 'range': {
        const body = await store.get(key, { range: { offset: 5 } }).catch((error: unknown) => {
          // Past the end of what is there.
          if (isHeadraceError(error, 'E_USAGE')) return undefined
          throw error
        })
        if (body === undefined || this.#options.changedParts) return
        expect(this.#of(key).some((bytes) => same(bytes?.subarray(5), body.data))).toBe(true)
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
          expect((await writer.close()).size).toBe(bytes.length)
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
          if (!isHeadraceError(error, 'E_NOT_FOUND')) throw error
          expect(sources).toContain(undefined)
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
          expect(
            this.#of(listed).some((bytes) => bytes !== undefined),
            listed,
          ).toBe(true)
        for (const [known, possible] of this.#possible)
          if (!possible.includes(undefined)) expect(keys, 'a list that is not whole').toContain(known)
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
