import { DataSet } from '../../../generate/data-set.ts'
import type { DataSetSpec } from '../../../generate/types.ts'
import { secretsOf } from '../../../storage/secrets.ts'
import type { Store } from '../../../storage/types.ts'
import { evalSteps, trainSteps } from '../plan.ts'
import { recordOf } from '../plan-summary.ts'
import type { Workload } from '../types.ts'
import type { RankContext } from './context.ts'
import { heldMemory } from './held-files.ts'
import { LOSSY } from './open-reader.ts'
import type { OrderSpec } from './order.ts'
import type { Fault } from './reader.ts'
import { type Readers, startReaders } from './readers.ts'
import type { Tensor } from './samples.ts'

/** Faults that are told one by one. */
const TOLD = 10

/** Standard deviations, and the share of the mean, by which records may be larger than the mean and still fit. */
const SPREAD = 6
const SLACK = 1.25

/** What a sample becomes: a tensor of the size that the config resizes to, or the record, which may vary. */
function tensorOf(workload: Workload): Tensor {
  const { reader, data } = workload
  if (reader.resizedBytes !== undefined) return { stride: reader.resizedBytes, resized: true }
  const { bytes } = recordOf(workload)
  const stdev = data.record.kind === 'length' ? data.record.stdev : 0
  return { stride: Math.ceil(Math.min(bytes + SPREAD * stdev, SLACK * bytes)), resized: false }
}

function orderOf(workload: Workload, files: number, runSeed: number): OrderSpec {
  const { data, reader, train } = workload
  return {
    files,
    samplesPerFile: data.samplesPerFile,
    fileShuffle: reader.fileShuffle,
    sampleShuffle: reader.sampleShuffle,
    shuffleSize: reader.shuffleSize,
    seed: train.seed,
    seedChangeEpoch: train.seedChangeEpoch,
    runSeed,
  }
}

/** The same on every rank: rank 0 draws it. */
async function runSeedOf({ comm, signal }: RankContext): Promise<number> {
  const drawn = Uint32Array.of(Math.floor(Math.random() * 2 ** 32))
  if (comm.size === 1) return drawn[0] as number
  const bytes = await comm.broadcast(new Uint8Array(drawn.buffer), { signal })
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true)
}

export interface RankReaders {
  readonly readers: Readers
  /** Of training. */
  readonly order: OrderSpec
}

/** The readers of a rank, for all its epochs. `located`: the set as it lies in storage. */
export async function rankReaders(context: RankContext, store: Store, located: DataSetSpec): Promise<RankReaders> {
  const { workload, settings, log, comm, stop, signal } = context
  const { data, reader, train } = workload
  const set = new DataSet(located)
  const tensor = tensorOf(workload)
  const runSeed = await runSeedOf(context)
  const order = orderOf(workload, trainSteps(workload, comm.size).files, runSeed)
  let faults = 0
  const readers = await startReaders({
    threads: reader.readThreads,
    prefetch: reader.prefetch,
    batchBytes: tensor.stride * Math.max(reader.batchSize, workload.workflow.evaluation ? reader.batchSizeEval : 0),
    ringBytes: settings.ringBytes,
    timeout: settings.timeout * 1000,
    stop,
    signal,
    nameOf: (file) => `${store.url}/${set.key(file)}`,
    onFault: (fault) => {
      if (faults++ < TOLD) log.error(`rank ${comm.rank}: ${describe(fault, set, store)}`)
    },
    spec: {
      store: store.spec,
      secrets: secretsOf(store.spec),
      set: located,
      orders: {
        train: order,
        valid: orderOf(workload, evalSteps(workload, comm.size).files, runSeed),
      },
      tensor,
      preprocessTime: reader.preprocessTime,
      seed: train.seed,
      transferSize: reader.transferSize,
      requests: settings.requests,
      onError: settings.onError,
      verify: settings.verify,
      rank: comm.rank,
      held: reader.readType === 'memory' ? heldMemory(set.files, settings.holdBytes) : undefined,
    },
  })
  if (settings.verify && LOSSY.has(data.format))
    log.warning(`samples of ${data.format} are not compared: they are not read as they were written`)
  if (reader.readThreads > 0 && readers.ahead < Math.max(1, reader.prefetch))
    log.warning(
      `prefetch_size ${reader.prefetch} does not fit into ${settings.ringBytes} bytes: ${readers.ahead} batches are read ahead`,
    )
  return { readers, order }
}

function describe({ file, sample, error }: Fault, set: DataSet, store: Store): string {
  const reason = error instanceof Error ? error.message : String(error)
  return `sample ${sample} of ${store.url}/${set.key(file)} was not read: ${reason}`
}
