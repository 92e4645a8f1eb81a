import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import { HeadraceError } from '../../../errors.ts'
import { native } from '../../../native.ts'
import { type FailureData, failureData } from '../../../storage/threads/failure.ts'
import { type MemoryFile, openReader, type ReaderSpec } from './open-reader.ts'
import { serveRing } from './reader.ts'
import { placeOf, Ring, type RingMemory } from './ring.ts'

/** A thread that reads batches for a trainer, which is blocked most of the time: both look into the port when it suits. */

export interface ReaderThreadData {
  readonly spec: ReaderSpec
  readonly memory: RingMemory
  /** Of this reader. */
  readonly number: number
  /** What it tells the trainer, and what the trainer tells it. */
  readonly port: MessagePort
}

/** What a reader tells. */
export type ReaderMessage =
  | { readonly kind: 'fault'; readonly file: number; readonly sample: number; readonly failure: FailureData }
  | { readonly kind: 'failed'; readonly failure: FailureData }

/** What it is told. */
export interface TrainerMessage {
  readonly calibration: MemoryFile
}

async function serve({ spec, memory, number, port }: ReaderThreadData): Promise<void> {
  const ring = new Ring(memory)
  const tell = (message: ReaderMessage) => port.postMessage(message)
  try {
    const calibration = () => {
      const received: { message: TrainerMessage } | undefined = receiveMessageOnPort(port)
      if (received === undefined) throw new HeadraceError('E_STATE', 'there is no file in memory to read')
      return received.message.calibration
    }
    const { reader, close } = await openReader(
      spec,
      ring.stopWord,
      placeOf(ring, number),
      ({ file, sample, error }) => tell({ kind: 'fault', file, sample, failure: failureData(error) }),
      calibration,
    )
    const slots = memory.slots.map((slot) => native.leaseShared(slot))
    parentPort?.postMessage('ready')
    try {
      await serveRing(
        ring,
        slots.map((slot) => new Uint8Array(slot)),
        reader,
      )
    } finally {
      for (const slot of slots) native.detach(slot)
      await close()
    }
  } catch (error) {
    tell({ kind: 'failed', failure: failureData(error) })
    parentPort?.postMessage('failed')
    ring.stop()
  } finally {
    port.close()
  }
}

void serve(workerData as ReaderThreadData)
