import { checkpointSize } from '../../checkpoint/index.ts'
import { itemSize } from '../../dtype.ts'
import { DataSet } from '../../generate/data-set.ts'
import { evalSteps, problems, trainSteps, wholeSteps } from './plan.ts'
import type { Warning, Workload } from './types.ts'

/** What a run comes to, in numbers. Files and bytes are those of the whole set, whatever the ranks use of it. */
export interface PlanSummary {
  readonly trainFiles: number
  readonly evalFiles: number
  /** To train with. */
  readonly samples: number
  readonly evalSamples: number
  /** Of one record; under a deviation of one of the mean size. */
  readonly recordBytes: number
  readonly recordShape: readonly number[]
  /** Of the records of all training files. */
  readonly totalBytes: number
  readonly evalBytes: number
  readonly stepsPerEpoch: number
  readonly evalStepsPerEpoch: number
  /** Files that the profile's DLIO trains with, where it cuts the set. */
  readonly trainFilesUsed?: number
  /** null: none is written, or so many ranks cannot. */
  readonly checkpoint: {
    readonly files: number
    /** Of the tensors. */
    readonly totalBytes: number
    /** One number a rank. */
    readonly bytesPerRank: readonly number[]
  } | null
}

/** Shape and bytes of a record. Without dimensions DLIO's records are squares of bytes. */
export function recordOf({ data, recordLength }: Workload): {
  readonly shape: readonly number[]
  readonly bytes: number
} {
  const { record } = data
  if (record.kind === 'dims')
    return { shape: record.dims, bytes: record.dims.reduce((all, each) => all * each, itemSize(record.dtype)) }
  // Columns have sizes of their own.
  if (data.options.columns !== undefined && recordLength !== record.bytes)
    return { shape: [recordLength], bytes: recordLength }
  const side = Math.floor(Math.sqrt(record.bytes))
  return { shape: [side, side], bytes: side * side }
}

/** Bytes of all records of the training files, and of the others: under a deviation every file's own. */
function bytesOf({ data }: Workload, recordBytes: number): { readonly train: number; readonly eval: number } {
  const { record, filesTrain, filesValid, samplesPerFile } = data
  if (record.kind === 'dims' || record.stdev === 0)
    return { train: filesTrain * samplesPerFile * recordBytes, eval: filesValid * samplesPerFile * recordBytes }
  const set = new DataSet(data)
  const train = samplesPerFile * set.recordBytesBefore(filesTrain)
  return { train, eval: set.totalBytes - train }
}

/** The summary for a number of ranks, and warnings of what they could not run. */
export function planSummary(
  workload: Workload,
  ranks: number,
): { readonly plan: PlanSummary; readonly warnings: readonly Warning[] } {
  const { data, reader, workflow } = workload
  const record = recordOf(workload)
  const samples = data.filesTrain * data.samplesPerFile
  const evalSamples = data.filesValid * data.samplesPerFile
  const used = trainSteps(workload, ranks)
  const found = problems(workload, ranks)
  const bytes = bytesOf(workload, record.bytes)
  const saves = workflow.checkpoint && isDivisible(workload, ranks)
  const plan: PlanSummary = {
    trainFiles: data.filesTrain,
    evalFiles: data.filesValid,
    samples,
    evalSamples,
    recordBytes: record.bytes,
    recordShape: record.shape,
    totalBytes: bytes.train,
    evalBytes: bytes.eval,
    stepsPerEpoch: wholeSteps(data.filesTrain, data.samplesPerFile, reader.batchSize, ranks),
    evalStepsPerEpoch: wholeSteps(data.filesValid, data.samplesPerFile, reader.batchSizeEval, ranks),
    ...(used.files !== data.filesTrain && { trainFilesUsed: used.files }),
    checkpoint: saves ? checkpointOf(workload, ranks) : null,
  }
  const steps = [
    ...(workflow.train && workload.train.totalSteps > plan.stepsPerEpoch && plan.stepsPerEpoch > 0
      ? [
          `train.total_training_steps ${workload.train.totalSteps} is more than the ${plan.stepsPerEpoch} steps of an epoch: it cuts nothing`,
        ]
      : []),
    ...(workflow.evaluation && evalSteps(workload, ranks).steps === 0
      ? [`evaluation has no step: ${evalSamples} samples for ${ranks} x ${reader.batchSizeEval}`]
      : []),
  ]
  return { plan, warnings: [...found, ...steps].map((message) => ({ message })) }
}

function isDivisible({ checkpoint }: Workload, ranks: number): boolean {
  const { mode, parallelism } = checkpoint.spec
  const { tensor, pipeline, data } = parallelism
  return mode === 'default' ? ranks % (tensor * pipeline) === 0 : tensor * pipeline * data >= ranks
}

function checkpointOf({ checkpoint }: Workload, ranks: number): PlanSummary['checkpoint'] {
  const { files, bytes, bytesPerRank } = checkpointSize(checkpoint.spec, ranks)
  return { files, totalBytes: bytes, bytesPerRank }
}
