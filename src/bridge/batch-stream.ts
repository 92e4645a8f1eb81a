import { formatBytes } from '../bytes.ts'
import type { Batch, Loader, LoaderState } from '../loader/index.ts'
import { failureOf } from './failure.ts'
import { FRAME, HEADER_BYTES, jsonFrame, newFrame } from './frames.ts'
import { LayoutTable, placeBatch } from './layout.ts'
import type { Slab } from './slab.ts'

/** Bytes of a batch's numbers, in front of its state and strings. */
const HEAD_BYTES = 48

/** A loader over the dataset, which goes on from a state where there is one. `full`: as of SlotMaker. */
export type MakeLoader = (state: LoaderState | undefined, full: (slots: number) => void) => Loader

export interface BatchStreamSettings {
  readonly slab: Slab
  /** Batches that the consumer may have at once. */
  readonly slots: number
  readonly write: (frame: Uint8Array) => void
}

interface Sent {
  readonly batch: Batch
  readonly loader: Loader
}

/** What a loader makes, sent as the consumer gives batches back. */
export class BatchStream {
  readonly #make: MakeLoader
  readonly #settings: BatchStreamSettings
  readonly #layouts = new LayoutTable()
  /** Batches that the consumer has, by their numbers. */
  readonly #sent = new Map<number, Sent>()
  #loader: Loader
  #iterating = false
  #next = 0
  #releases = 0
  #released: () => void = () => {}
  /** Slots of the loader, where one more batch waits for memory. */
  #fullAt: number | undefined

  constructor(make: MakeLoader, settings: BatchStreamSettings) {
    this.#make = make
    this.#settings = settings
    this.#loader = this.#newLoader(undefined)
  }

  get loader(): Loader {
    return this.#loader
  }

  start(): void {
    if (this.#iterating) return
    this.#iterating = true
    void this.#run(this.#loader)
  }

  release(number: number): void {
    const sent = this.#sent.get(number)
    this.#releases = (this.#releases + 1) >>> 0
    if (sent === undefined) return
    this.#sent.delete(number)
    this.#fullAt = undefined
    // Says it again if it helps nobody.
    sent.batch.release()
    this.#released()
    this.#tellStarved()
  }

  /** The epoch that is iterated next, from its beginning. What is iterated now ends. */
  setEpoch(epoch: number): void {
    // What has not begun needs no other loader, with threads of its own.
    if (!this.#iterating) this.#loader.setEpoch(epoch)
    else {
      const { delivered: _, deliveredBy: __, ...state } = this.#loader.state()
      this.#replace({ ...state, epoch, position: 0 })
    }
  }

  /** Goes on from a state. What is iterated now ends. */
  resume(state: LoaderState): void {
    this.#replace(state)
  }

  #replace(state: LoaderState): void {
    const before = this.#loader
    // Throws before anything changed where the state is none of this loader's.
    this.#loader = this.#newLoader(state)
    this.#iterating = false
    this.#fullAt = undefined
    before.close()
    this.#released()
  }

  close(): void {
    this.#iterating = false
    this.#loader.close()
    for (const { batch } of this.#sent.values()) batch.release()
    this.#sent.clear()
    this.#released()
  }

  #newLoader(state: LoaderState | undefined): Loader {
    const loader: Loader = this.#make(state, (slots) => {
      if (loader !== this.#loader) return
      this.#fullAt = slots
      this.#tellStarved()
    })
    return loader
  }

  /** Whether the iteration over `loader` is the one that the consumer wants. */
  #isCurrent(loader: Loader): boolean {
    return loader === this.#loader && this.#iterating
  }

  async #run(loader: Loader): Promise<void> {
    const { slots, write } = this.#settings
    try {
      const { epoch } = loader.state()
      const batches = loader.leases(slots)
      for (;;) {
        while (this.#sent.size >= slots && this.#isCurrent(loader))
          await new Promise<void>((resolve) => {
            this.#released = resolve
          })
        if (!this.#isCurrent(loader)) {
          await batches.return(undefined)
          return
        }
        const { value: batch, done } = await batches.next()
        if (done) break
        if (!this.#isCurrent(loader)) batch.release()
        else this.#send(batch, loader)
      }
      if (!this.#isCurrent(loader)) return
      this.#iterating = false
      write(jsonFrame(FRAME.end, { epoch, state: loader.state() }))
    } catch (error) {
      if (!this.#isCurrent(loader)) return
      this.#iterating = false
      write(jsonFrame(FRAME.error, failureOf(error, 'loading')))
    }
  }

  #send(batch: Batch, loader: Loader): void {
    const { slab, write } = this.#settings
    const { layout, begin, end, strings } = placeBatch(batch, slab)
    const text = JSON.stringify(layout)
    const { number: layoutNumber, isNew } = this.#layouts.number(text)
    if (isNew) {
      const frame = newFrame(FRAME.layout, 4 + Buffer.byteLength(text))
      frame.writeUInt32LE(layoutNumber, HEADER_BYTES)
      frame.write(text, HEADER_BYTES + 4)
      write(frame)
    }
    const number = this.#next
    this.#next = (number + 1) >>> 0
    this.#sent.set(number, { batch, loader })
    const { epoch, step, size, padding } = batch.meta
    const state = JSON.stringify(loader.state())
    const inline = strings === undefined ? '' : JSON.stringify(strings)
    const stateBytes = Buffer.byteLength(state)
    const frame = newFrame(FRAME.batch, HEAD_BYTES + stateBytes + Buffer.byteLength(inline))
    frame.writeUInt32LE(number, HEADER_BYTES)
    frame.writeUInt32LE(layoutNumber, HEADER_BYTES + 4)
    frame.writeBigUInt64LE(BigInt(begin), HEADER_BYTES + 8)
    frame.writeBigUInt64LE(BigInt(slab.roundUp(begin, end) - begin), HEADER_BYTES + 16)
    frame.writeBigUInt64LE(BigInt(step), HEADER_BYTES + 24)
    frame.writeUInt32LE(epoch, HEADER_BYTES + 32)
    frame.writeUInt32LE(size, HEADER_BYTES + 36)
    frame.writeUInt32LE(padding, HEADER_BYTES + 40)
    frame.writeUInt32LE(stateBytes, HEADER_BYTES + 44)
    frame.write(state, HEADER_BYTES + HEAD_BYTES)
    if (inline !== '') frame.write(inline, HEADER_BYTES + HEAD_BYTES + stateBytes)
    write(frame)
    this.#tellStarved()
  }

  /** Nothing comes any more before the consumer gives something back: it has all the memory that there is. */
  #tellStarved(): void {
    if (this.#fullAt === undefined || !this.#iterating) return
    let own = 0
    for (const { loader } of this.#sent.values()) if (loader === this.#loader) own++
    if (own < this.#fullAt || own === 0) return
    const message = `all memory (${formatBytes(this.#loader.slotBytes)}) is held by ${own} batches that are still referenced`
    const hint = 'copy what you keep, or raise ringBytes'
    this.#settings.write(jsonFrame(FRAME.starved, { message, hint }, this.#releases))
  }
}
