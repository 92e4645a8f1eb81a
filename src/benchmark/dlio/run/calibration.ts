import { recordFormat } from '../../../formats/records.ts'
import type { ByteSink } from '../../../formats/types.ts'
import { contentOf } from '../../../generate/content.ts'
import { DataSet } from '../../../generate/data-set.ts'
import type { DataSetSpec } from '../../../generate/types.ts'
import type { RankContext } from './context.ts'
import { isZero, meanOf, Times } from './distribution.ts'
import { trainMetrics } from './metrics.ts'
import { type MemoryFile, PART } from './open-reader.ts'
import type { OrderSpec } from './order.ts'
import { rankShare } from './order.ts'
import { Progress } from './progress.ts'
import type { Readers } from './readers.ts'
import { StepRecords } from './step-records.ts'
import { runSteps } from './trainer.ts'

/** 64 MiB: so much of a file with several samples stands for all of it. */
const FILE_BYTES = 64 * 2 ** 20

/** Seconds of computation that are run, and bounds of the steps that come to that. */
const SECONDS = 2
const FEWEST_STEPS = 3
const MOST_STEPS = 400

/**
 * The highest AU that this host can show: steps of the same plan, with the same readers and decoding, from a file in
 * memory instead of storage. Percent, of this rank; the ranks of a run do it at the same time.
 */
export async function calibrate(context: RankContext, readers: Readers): Promise<number> {
  const { workload, comm, plan, progress, signal, stop, rules } = context
  const { reader, train } = workload
  const seconds = meanOf(train.computationTime)
  const wanted = seconds > 0 ? Math.round(SECONDS / seconds) : MOST_STEPS
  const steps = Math.max(1, Math.min(plan.stepsPerEpoch, Math.max(FEWEST_STEPS, Math.min(MOST_STEPS, wanted))))
  const file = await memoryFile(workload.data)
  readers.calibrate(file)
  progress.begin('calibrating', 0, steps)
  const share = rankShare(file.order.files * file.order.samplesPerFile, steps, reader.batchSize, 0, 1)
  if (comm.size > 1) await comm.barrier({ signal })
  const begin = performance.now()
  await readers.feed.begin({ part: PART.calibration, epoch: 1, batches: steps, batchSize: reader.batchSize, ...share })
  const times = isZero(train.computationTime) ? undefined : new Times(train.computationTime, train.seed, 1, comm.rank)
  const records = new StepRecords(steps)
  await runSteps(
    { firstBatch: 0, count: steps, compute: times === undefined ? () => 0 : (batch) => times.at(batch) },
    {
      feed: readers.feed,
      barrier: comm.size > 1 ? () => comm.barrier({ signal }) : undefined,
      hasPeers: comm.size > 1,
      stop: new Uint32Array(stop),
      progress: new Progress(),
    },
    records,
  ).catch((error: unknown) => {
    throw readers.collect() ?? error
  })
  const { load, proc, compute } = records.table()
  const wall = (performance.now() - begin) / 1000
  return trainMetrics({ load, proc, compute, wall }, reader.batchSize, workload.output, steps, rules).au
}

/** A file like those of the set, with fewer samples where all of them would take too much memory. */
async function memoryFile(spec: DataSetSpec): Promise<MemoryFile> {
  const { record, samplesPerFile } = spec
  const uniform: DataSetSpec = record.kind === 'length' ? { ...spec, record: { ...record, stdev: 0 } } : spec
  const bytes = new DataSet(uniform).recordBytes(0)
  const samples = Math.max(1, Math.min(samplesPerFile, Math.floor(FILE_BYTES / bytes)))
  const files = Math.max(1, Math.ceil((spec.filesTrain * samplesPerFile) / samples))
  const small: DataSetSpec = { ...uniform, filesTrain: files, filesValid: 0, samplesPerFile: samples }
  const set = new DataSet(small)
  const format = await recordFormat(spec.format)
  const sink = new MemorySink()
  const sidecars = format.sidecars.map(() => new MemorySink())
  await format.write(sink, set.file(0).layout, contentOf(set, 0), sidecars)
  const order: OrderSpec = {
    files,
    samplesPerFile: samples,
    fileShuffle: 'off',
    sampleShuffle: 'off',
    shuffleSize: 0,
    seed: 0,
    seedChangeEpoch: false,
    runSeed: 0,
  }
  return { set: small, order, bytes: sink.bytes(), sidecars: sidecars.map((sidecar) => sidecar.bytes()) }
}

/** Keeps what is written. */
class MemorySink implements ByteSink {
  readonly #chunks: Uint8Array[] = []
  #length = 0

  async write(chunk: Uint8Array): Promise<void> {
    this.#chunks.push(chunk.slice())
    this.#length += chunk.length
  }

  bytes(): SharedArrayBuffer {
    const memory = new SharedArrayBuffer(this.#length)
    const bytes = new Uint8Array(memory)
    let at = 0
    for (const chunk of this.#chunks.splice(0)) {
      bytes.set(chunk, at)
      at += chunk.length
    }
    return memory
  }
}
