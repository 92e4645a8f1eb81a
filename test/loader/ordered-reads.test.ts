import { describe, expect, it } from 'vitest'
import type { Dataset, Sample } from '../../src/datasets/types.ts'
import { HeadraceError } from '../../src/errors.ts'
import { OrderedReads, reachOf } from '../../src/loader/ordered-reads.ts'
import { type LoadOptions, load } from '../../src/vision/index.ts'
import { own } from './own-dataset.ts'

const FIELD = { b: { kind: 'bytes' } } as const

/** A source that gives one sample after the other, or begins anew; notes what was asked of it. */
class Tape {
  readonly reads: number[] = []
  /** Ids that are not there, and why. */
  readonly bad = new Map<number, HeadraceError>()
  #next = 0
  #reading = false
  readonly length: number

  constructor(length: number) {
    this.length = length
  }

  async read(id: number): Promise<Sample> {
    if (this.#reading) throw new Error('two reads at once')
    if (id !== this.#next && id !== 0) throw new Error(`the next is ${this.#next}, but ${id} is asked for`)
    this.#reading = true
    await new Promise(setImmediate)
    this.#reading = false
    this.reads.push(id)
    const error = this.bad.get(id)
    if (error !== undefined && error.code === 'E_NETWORK') {
      this.bad.delete(id)
      throw error
    }
    this.#next = id + 1
    if (error !== undefined) throw error
    return { b: Uint8Array.of(id & 255, id >> 8) }
  }

  get dataset(): Dataset<typeof FIELD> {
    return own(FIELD, this.length, (id) => this.read(id), { randomAccess: false })
  }
}

async function seen(tape: Tape, options: LoadOptions, most = Number.POSITIVE_INFINITY) {
  const loader = load(tape.dataset, { batchSize: 8, seed: 5, rank: 0, worldSize: 1, ...options })
  const ids: number[] = []
  let state = loader.state()
  for await (const { b, meta } of loader) {
    const { data, shape } = b as { data: Uint8Array; shape: readonly [number, number] }
    for (let row = 0; row < meta.size; row++) {
      const id = Number(meta.index.data[row])
      expect([data[row * shape[1]], data[row * shape[1] + 1]]).toEqual([id & 255, id >> 8])
      ids.push(id)
    }
    state = loader.state()
    if (ids.length >= most) break
  }
  return { ids, state, loader }
}

const upTo = (count: number): number[] => [...Array(count).keys()]
const WINDOW = { shuffle: true, window: 50 } as const

describe('a dataset that is read in order', () => {
  it('is read once from first to last for a shuffled epoch, and again for the next', async () => {
    const tape = new Tape(300)
    const { ids, loader } = await seen(tape, WINDOW)
    expect(ids).not.toEqual(upTo(300))
    expect([...ids].sort((a, b) => a - b)).toEqual(upTo(300))
    expect(tape.reads).toEqual(upTo(300))
    for await (const _ of loader);
    expect(tape.reads).toEqual([...upTo(300), ...upTo(300)])
  })

  it('gives several ranks the sequence of one, each reading it once', async () => {
    const { ids: whole } = await seen(new Tape(300), { ...WINDOW, batchSize: 32 })
    const tapes = upTo(4).map(() => new Tape(300))
    const ranks = await Promise.all(
      tapes.map((tape, rank) => seen(tape, { ...WINDOW, rank, worldSize: 4, tail: 'short', prefetch: 5 })),
    )
    const steps = upTo(9).flatMap((step) => ranks.flatMap(({ ids }) => ids.slice(step * 8, step * 8 + 8)))
    expect(steps).toEqual(whole.slice(0, 288))
    expect(new Set(ranks.flatMap(({ ids }) => ids)).size).toBe(300)
    for (const tape of tapes) expect(tape.reads).toEqual(upTo(tape.reads.length))
  })

  it('resumes at every step', async () => {
    const { ids: whole } = await seen(new Tape(130), WINDOW)
    for (let step = 1; step <= 16; step++) {
      const { state } = await seen(new Tape(130), WINDOW, step * 8)
      const tape = new Tape(130)
      expect((await seen(tape, { ...WINDOW, resume: state })).ids).toEqual(whole.slice(step * 8))
      expect(tape.reads).toEqual(upTo(tape.reads.length))
    }
  })

  it('padding begins it anew, where what it needs has gone', async () => {
    const tape = new Tape(100)
    const { ids } = await seen(tape, { tail: 'pad' })
    expect(ids).toEqual([...upTo(100), 0, 1, 2, 3])
    expect(tape.reads).toEqual([...upTo(100), 0, 1, 2, 3])
  })

  it('a bad sample is left out without reading anything twice', async () => {
    const tape = new Tape(100)
    tape.bad.set(33, new HeadraceError('E_CORRUPT', 'it is torn'))
    const { ids, loader } = await seen(tape, { ...WINDOW, onError: 'skip' })
    expect([...ids].sort((a, b) => a - b)).toEqual(upTo(100).filter((id) => id !== 33))
    expect(tape.reads).toEqual(upTo(100))
    expect(loader.report().faults).toEqual([
      { sample: 33, key: 'row 33', field: 'b', code: 'E_CORRUPT', reason: 'it is torn' },
    ])
  })

  it('what is wrong with the source and not with a sample is thrown, and asked for anew', async () => {
    const tape = new Tape(100)
    tape.bad.set(60, new HeadraceError('E_NETWORK', 'the line is cut'))
    const loader = load(tape.dataset, { batchSize: 10, rank: 0, worldSize: 1, prefetch: 1 })
    const ids: number[] = []
    const go = async () => {
      for await (const { meta } of loader) ids.push(...[...meta.index.data].map(Number))
    }
    await expect(go()).rejects.toMatchObject({ code: 'E_NETWORK' })
    await go()
    expect(ids).toEqual(upTo(100))
  })

  it('keeps as many samples as can be asked for again, and no more', async () => {
    const tape = new Tape(100)
    const reads = new OrderedReads(tape.dataset, 10)
    expect((await reads.read(20)).b).toEqual(Uint8Array.of(20, 0))
    await Promise.all([11, 19, 20, 11].map((id) => reads.read(id)))
    expect(tape.reads).toEqual(upTo(21))
    await reads.read(10)
    expect(tape.reads).toEqual([...upTo(21), ...upTo(11)])
    const settings = { window: 64, prefetch: 2, batchSize: 8, worldSize: 2 }
    expect(reachOf(settings)).toBe(2 * 64 + 3 * 16)
    expect(reachOf({ ...settings, tune: { maxPrefetch: 32 } })).toBe(2 * 64 + 33 * 16)
  })
})
