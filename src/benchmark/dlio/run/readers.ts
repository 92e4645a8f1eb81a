import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from 'node:worker_threads'
import { HeadraceError } from '../../../errors.ts'
import { native, type SlotHandle } from '../../../native.ts'
import { failureOf } from '../../../storage/threads/failure.ts'
import { type Feed, OwnFeed, RingFeed } from './feed.ts'
import { type MemoryFile, openReader, type ReaderSpec } from './open-reader.ts'
import type { Fault } from './reader.ts'
import type { ReaderMessage, ReaderThreadData, TrainerMessage } from './reader-thread.ts'
import { PLACE, placeOf, Ring, ringMemory } from './ring.ts'

/** ms that threads have to close their stores, and then to be ended: one that storage holds in a call never is. */
const GRACE = 2_000
const LAST_GRACE = 1_000

/** 4 GiB: an ArrayBuffer holds no more. */
const MOST_BATCH = 2 ** 32

export interface ReadersOptions {
  readonly spec: ReaderSpec
  readonly threads: number
  /** Batches ahead of the trainer. */
  readonly prefetch: number
  /** Bytes of the largest batch. */
  readonly batchBytes: number
  /** Most bytes of all batches that are read or wait; two batches are always held. */
  readonly ringBytes: number
  /** ms that a batch may take. */
  readonly timeout: number
  /** Name of a file, for messages. */
  readonly nameOf: (file: number) => string
  readonly onFault: (fault: Fault) => void
  /** One word: not 0 ends everything. */
  readonly stop: SharedArrayBuffer
  readonly signal: AbortSignal
}

/** Who reads the batches of a rank: threads, or the trainer's own. */
export interface Readers {
  readonly feed: Feed
  /** Batches that may be ready at once. */
  readonly ahead: number
  /** A file in memory, for sessions of calibration. */
  calibrate(file: MemoryFile): void
  /** Hands on the faults that came meanwhile; what a reader has failed with, if one has. */
  collect(): Error | undefined
  /** Ends everything that is under way. */
  close(): Promise<void>
}

/** Threads run compiled code, also where tests run the sources. */
function script(): string {
  const { resolve } = createRequire(import.meta.url)
  return join(dirname(resolve('headrace/package.json')), 'dist/benchmark/dlio/run/reader-thread.js')
}

/** Batches that lie ready while one is in use, within the bound of bytes. */
function batchesAhead({ threads, prefetch, batchBytes, ringBytes }: ReadersOptions): number {
  if (batchBytes > MOST_BATCH)
    throw new HeadraceError('E_LIMIT', `a batch of ${batchBytes} bytes is larger than ${MOST_BATCH}`, {
      hint: 'a smaller reader.batch_size, or dataset.record_length_bytes_resize',
    })
  const wanted = Math.max(1, prefetch, threads)
  return Math.max(1, Math.min(wanted, Math.floor(ringBytes / Math.max(1, batchBytes)) - 1))
}

/** Waits no longer than that. */
async function withinTime(work: Promise<unknown>, milliseconds: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, milliseconds)
  })
  await Promise.race([work, late])
  clearTimeout(timer)
}

export async function startReaders(options: ReadersOptions): Promise<Readers> {
  return options.threads === 0 ? ownReader(options) : threadedReaders(options)
}

async function ownReader(options: ReadersOptions): Promise<Readers> {
  const { spec, batchBytes, onFault, stop, timeout, signal, nameOf } = options
  batchesAhead(options)
  let file: MemoryFile | undefined
  const place = new Float64Array(Object.keys(PLACE).length)
  const { reader, close } = await openReader(spec, new Uint32Array(stop), place, onFault, () => {
    if (file === undefined) throw new HeadraceError('E_STATE', 'there is no file in memory to read')
    return file
  })
  return {
    feed: new OwnFeed({
      reader,
      slot: new Uint8Array(native.alignedMemory(Math.max(1, batchBytes))),
      timeout,
      signal,
      whereabouts: () => `it is at sample ${place[PLACE.sample]} of ${nameOf(place[PLACE.file] as number)}`,
    }),
    ahead: 0,
    calibrate: (given) => {
      file = given
    },
    collect: () => undefined,
    close,
  }
}

interface Member {
  readonly worker: Worker
  readonly port: MessagePort
  readonly exited: Promise<void>
}

async function threadedReaders(options: ReadersOptions): Promise<Readers> {
  const { threads, batchBytes, timeout, nameOf, onFault, stop, spec } = options
  const ahead = batchesAhead(options)
  const handles: SlotHandle[] = Array.from({ length: ahead + 1 }, () => native.createSlot(Math.max(1, batchBytes)))
  const memory = ringMemory(
    handles.map((handle) => native.shareSlot(handle)),
    threads,
    stop,
  )
  const ring = new Ring(memory)
  let failure: Error | undefined
  const members: Member[] = []
  const collect = () => {
    for (const { port } of members)
      for (let got = receiveMessageOnPort(port); got !== undefined; got = receiveMessageOnPort(port)) {
        const message = got.message as ReaderMessage
        if (message.kind === 'failed') failure ??= failureOf(message.failure)
        else onFault({ file: message.file, sample: message.sample, error: failureOf(message.failure) })
      }
    return failure
  }
  const check = () => {
    if (collect() !== undefined) throw failure
  }
  const close = async () => {
    ring.stop()
    await withinTime(Promise.all(members.map(({ exited }) => exited)), GRACE)
    await withinTime(Promise.all(members.map(({ worker }) => worker.terminate())), LAST_GRACE)
    collect()
    for (const { port } of members) port.close()
    for (const slot of memory.slots) native.unshareSlot(slot)
    for (const handle of handles) native.destroySlot(handle)
  }
  const start = (number: number) => {
    const { port1, port2 } = new MessageChannel()
    const data: ReaderThreadData = { spec, memory, number, port: port2 }
    const worker = new Worker(script(), { workerData: data, transferList: [port2] })
    const died = (error: Error) => {
      failure ??= error
      ring.stop()
    }
    const exited = new Promise<void>((resolve) => {
      worker.once('exit', (code) => {
        if (code !== 0) died(new HeadraceError('E_STATE', `reader thread ${number} ended with ${code}`))
        resolve()
      })
    })
    worker.on('error', died)
    const ready = new Promise<void>((resolve) => {
      worker.once('message', () => resolve())
      worker.once('exit', () => resolve())
    })
    members.push({ worker, port: port1, exited })
    return ready
  }
  try {
    await Promise.all(Array.from({ length: threads }, (_, number) => start(number)))
    check()
  } catch (error) {
    await close()
    throw error
  }
  return {
    feed: new RingFeed({ ring, timeout, check, whereabouts: () => whereabouts(ring, threads, nameOf) }),
    ahead,
    calibrate: (calibration) => {
      for (const { port } of members) port.postMessage({ calibration } satisfies TrainerMessage)
    },
    collect,
    close,
  }
}

/** What readers are at. */
function whereabouts(ring: Ring, threads: number, nameOf: (file: number) => string): string {
  return Array.from({ length: threads }, (_, reader) => {
    const place = placeOf(ring, reader)
    return `reader ${reader} is at sample ${place[PLACE.sample]} of ${nameOf(place[PLACE.file] as number)}`
  }).join(', ')
}
