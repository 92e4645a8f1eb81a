import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { BatchStream, BatchStreamSettings, MakeLoader } from '../../src/bridge/batch-stream.ts'
import type { Engine } from '../../src/bridge/engine.ts'
import type { OpenDatasets } from '../../src/bridge/open-datasets.ts'
import type { Slab } from '../../src/bridge/slab.ts'
import type { Client, Operation } from '../../src/bridge/types.ts'
import type { Dataset } from '../../src/datasets/types.ts'
import type { Batch, Loader } from '../../src/loader/index.ts'
import type { native as Native, SlotHandle } from '../../src/native.ts'

/**
 * An engine with two operations: `load`, whose dataset is numbers by arithmetic, and `ready`, which hands over batches
 * that are made already: nothing but the way they go is measured. Prints its address; ends with its stdin.
 */

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..')
const module = async <T>(name: string) => (await import(pathToFileURL(join(root, 'dist', name)).href)) as T

const { Engine: EngineClass } = await module<{ Engine: typeof Engine }>('bridge/engine.js')
const { BatchStream: Stream } = await module<{ BatchStream: typeof BatchStream }>('bridge/batch-stream.js')
const { Slab: SlabClass } = await module<{ Slab: typeof Slab }>('bridge/slab.js')
const { OpenDatasets: Datasets } = await module<{ OpenDatasets: typeof OpenDatasets }>('bridge/open-datasets.js')
const { loadOperation } = await module<{ loadOperation(datasets: OpenDatasets): Operation }>('bridge/load.js')
const { converse, send } = await module<{
  converse(client: Client, early: Buffer, stream: BatchStream): Promise<void>
  send(client: Client, frame: Uint8Array): void
}>('bridge/converse.js')
const { native } = await module<{ native: typeof Native }>('native.js')
const { version } = createRequire(import.meta.url)(join(root, 'package.json')) as { version: string }

const numbers: Dataset = {
  length: 2 ** 40,
  schema: { n: { kind: 'number', dtype: 'int64' } },
  fingerprint: 'numbers',
  describe: String,
  read: async (id) => ({ n: BigInt(id) }),
  gather(ids, _, out) {
    for (const [row, id] of ids.entries()) out[row] = BigInt(id)
  },
  async close() {},
}

/** Batches of `bytes` in `slots` slots, over and over: a slot is leased and detached as a loader's is, and nothing else. */
function readyLoader(slab: Slab, slots: number, bytes: number): Loader {
  const free: SlotHandle[] = Array.from({ length: slots }, () => native.carveSlot(slab.handle, bytes) as SlotHandle)
  for (const slot of free) {
    const memory = native.leaseSlot(slot, bytes)
    new Uint8Array(memory).fill(7)
    native.detach(memory)
  }
  let step = 0
  async function* leases(): AsyncGenerator<Batch> {
    for (;;) {
      // The stream asks for no more than `slots`.
      const slot = free.pop() as SlotHandle
      const memory = native.leaseSlot(slot, bytes)
      const data = new Uint8Array(memory)
      const index = { data: new BigInt64Array(memory, 0, 1), shape: [1], dtype: 'int64' as const }
      let out = true
      yield {
        data: { data, shape: [bytes], dtype: 'uint8' },
        meta: { epoch: 0, step: step++, size: 1, padding: 0, index },
        release() {
          if (!out) return
          out = false
          native.detach(memory)
          free.push(slot)
        },
      } as unknown as Batch
    }
  }
  const state = () => ({
    version: 1,
    fingerprint: 'ready',
    seed: 0,
    epoch: 0,
    position: step,
    tail: 'short',
    globalBatch: 1,
  })
  return { leases, state, steps: 0, slotBytes: 0, close() {}, setEpoch() {} } as unknown as Loader
}

const ready: Operation = async (client) => {
  const { slots, bytes } = client.hello as { slots: number; bytes: number }
  const slab = new SlabClass(slots * Math.max(bytes, 2 ** 21))
  const make: MakeLoader = () => readyLoader(slab, slots, bytes)
  const settings: BatchStreamSettings = { slab, slots, write: (frame) => send(client, frame) }
  const stream = new Stream(make, settings)
  const state = stream.loader.state()
  const answer = { slots, slab: slab.bytes, steps: 0, samples: 0, fingerprint: 'ready', schema: {}, state }
  await converse(client, client.accept(answer, slab.handle), stream)
  stream.close()
  slab.destroy()
}

const operations = { load: loadOperation(new Datasets(async () => numbers)), ready }
const engine = await EngineClass.start({ version, operations })
process.stdout.write(`${JSON.stringify(engine.facts)}\n`)
process.stdin.on('end', () => process.exit(0)).resume()
