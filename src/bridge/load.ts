import { booleanOption, positiveInteger, show } from '../checks.ts'
import { HeadraceError } from '../errors.ts'
import { DEFAULT_RING_BYTES } from '../loader/index.ts'
import { type LoadOptions, loadInto } from '../vision/load.ts'
import { BatchStream } from './batch-stream.ts'
import { converse, send } from './converse.ts'
import { operationsOf } from './image-operations.ts'
import type { OpenDatasets } from './open-datasets.ts'
import { Slab } from './slab.ts'
import type { Message, Operation } from './types.ts'
import { weightsOf } from './weights.ts'

const DEFAULT_SLOTS = 4
const MAX_SLOTS = 1024

/** What comes as data becomes what `load` takes; it checks the rest. */
async function optionsOf(data: unknown): Promise<LoadOptions> {
  if (typeof data !== 'object' || data === null || Array.isArray(data))
    throw new HeadraceError('E_USAGE', `options must be an object, but got ${show(data)}`)
  const { image, views, ...given } = data as Message
  // What the engine was started among says nothing about its clients.
  const others = {
    ...(given.worldSize === undefined && given.rank === undefined ? { rank: 0, worldSize: 1 } : {}),
    ...given,
    ...(given.weights === undefined ? {} : { weights: (await weightsOf(given.weights)) as ArrayLike<number> }),
  }
  if ('signal' in others) throw new HeadraceError('E_USAGE', 'signal is no option of a connection: close it instead')
  if (typeof views === 'object' && views !== null) {
    const named = Object.entries(views).map(([name, operations]) => [name, operationsOf(`views.${name}`, operations)])
    return { ...others, views: Object.fromEntries(named) }
  }
  return image === undefined ? others : { ...others, image: operationsOf('image', image) }
}

/** Batches of a dataset in shared memory. */
export function loadOperation(datasets: OpenDatasets): Operation {
  return async (client) => {
    const { dataset: spec, options: data = {}, slots: asked = DEFAULT_SLOTS, pinned = false } = client.hello
    const options = await optionsOf(data)
    const slots = positiveInteger('slots', asked, MAX_SLOTS)
    const ringBytes = positiveInteger('ringBytes', options.ringBytes ?? DEFAULT_RING_BYTES)
    const { dataset, giveBack } = await datasets.hold(spec)
    let slab: Slab | undefined
    const keepPages = () => slab?.keepPages()
    try {
      const memory = new Slab(ringBytes)
      slab = memory
      if (booleanOption('pinned', pinned)) memory.keepPages()
      // Before the loader hears of it, and gives its slots back.
      client.signal.addEventListener('abort', keepPages, { once: true })
      const { epoch: _, resume: __, ...lasting } = options
      const stream = new BatchStream(
        (state, full) => {
          const from = state === undefined ? options : { ...lasting, resume: state }
          return loadInto(dataset, { ...from, signal: client.signal }, memory.slots(full))
        },
        { slab: memory, slots, write: (frame) => send(client, frame) },
      )
      try {
        if (client.signal.aborted) return
        const { loader } = stream
        const early = client.accept(
          {
            slots,
            slab: memory.bytes,
            steps: loader.steps,
            samples: dataset.length,
            fingerprint: dataset.fingerprint,
            schema: dataset.schema,
            state: loader.state(),
          },
          memory.handle,
        )
        await converse(client, early, stream)
      } finally {
        stream.close()
      }
    } finally {
      client.signal.removeEventListener('abort', keepPages)
      slab?.destroy()
      await giveBack()
    }
  }
}
