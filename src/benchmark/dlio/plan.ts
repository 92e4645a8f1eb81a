import { checkpointFiles } from '../../checkpoint/index.ts'
import { positiveInteger } from '../../checks.ts'
import { HeadraceError } from '../../errors.ts'
import { BEHAVIOUR } from './config/profiles.ts'
import type { Phase, RunPlan, Workload } from './types.ts'

/** Files that take part, and the steps that they give every rank. */
export interface Steps {
  readonly files: number
  /** Of one epoch, before `total_training_steps` cuts it. */
  readonly steps: number
}

/** DLIO's formula: every rank the same number of whole batches. */
export function wholeSteps(files: number, samplesPerFile: number, batchSize: number, ranks: number): number {
  return Math.floor((files * samplesPerFile) / batchSize / ranks)
}

/** How many of the files are used, and the steps a rank takes with them, where the profile's DLIO cuts the set. */
function stepsOf(
  { data, profile }: Workload,
  files: number,
  batchSize: number,
  ranks: number,
  dropLast: boolean,
): Steps {
  const { trimsFiles, wholeFiles } = BEHAVIOUR[profile]
  const { samplesPerFile } = data
  if (trimsFiles) {
    const multiple = samplesPerFile * batchSize * ranks
    const kept = Math.floor(files / multiple) * multiple
    return { files: kept, steps: wholeSteps(kept, samplesPerFile, batchSize, ranks) }
  }
  if (wholeFiles) {
    const own = Math.floor(files / ranks)
    return { files: own * ranks, steps: wholeSteps(own, samplesPerFile, batchSize, 1) }
  }
  const samples = files * samplesPerFile
  const steps = dropLast
    ? wholeSteps(files, samplesPerFile, batchSize, ranks)
    : Math.ceil(samples / (batchSize * ranks))
  return { files, steps }
}

export function trainSteps(workload: Workload, ranks: number): Steps {
  const { data, reader } = workload
  return stepsOf(workload, data.filesTrain, reader.batchSize, ranks, reader.dropLast)
}

export function evalSteps(workload: Workload, ranks: number): Steps {
  const { data, reader } = workload
  return stepsOf(workload, data.filesValid, reader.batchSizeEval, ranks, true)
}

/** What this number of ranks cannot do, in words: the run is refused for the first of them. */
export function problems(workload: Workload, ranks: number): readonly string[] {
  const { workflow } = workload
  const found: string[] = []
  if (trains(workload)) {
    if (trainSteps(workload, ranks).steps === 0) found.push(noStep(workload, ranks))
  }
  if (trains(workload) || workflow.evaluation) found.push(...loaderProblems(workload))
  if (workflow.checkpoint) found.push(...checkpointProblems(workload, ranks))
  return found
}

function noStep({ data, reader, profile }: Workload, ranks: number): string {
  const { filesTrain, samplesPerFile } = data
  const { batchSize } = reader
  if (wholeSteps(filesTrain, samplesPerFile, batchSize, ranks) === 0)
    return `no step: the set has ${filesTrain * samplesPerFile} samples, but ${ranks} ranks with batches of ${batchSize} need ${ranks * batchSize}`
  if (BEHAVIOUR[profile].trimsFiles)
    return `DLIO trims the ${filesTrain} training files to none: it keeps a multiple of samples a file x batch x ranks, ${samplesPerFile} x ${batchSize} x ${ranks}`
  return `no step: of ${filesTrain} training files every one of ${ranks} ranks takes ${Math.floor(filesTrain / ranks)} whole ones in this DLIO, less than a batch of ${batchSize}`
}

/** In DLIO the defaults of framework and loader are TensorFlow, whatever the other one is. */
function loaderProblems({ framework, reader, data, profile }: Workload): string[] {
  if (BEHAVIOUR[profile].pairsLoader) return []
  const { dataLoader } = reader
  if (
    (framework === 'tensorflow' && dataLoader === 'pytorch') ||
    (framework === 'pytorch' && dataLoader === 'tensorflow')
  )
    return [`this DLIO refuses framework ${framework} with data_loader ${dataLoader}: name both`]
  if (data.format === 'tfrecord' && dataLoader === 'pytorch')
    return ['this DLIO refuses tfrecord with data_loader pytorch']
  return []
}

function checkpointProblems({ checkpoint }: Workload, ranks: number): string[] {
  const { mode, parallelism } = checkpoint.spec
  const { tensor, pipeline, data } = parallelism
  if (mode === 'default' && ranks % (tensor * pipeline) !== 0)
    return [
      `${ranks} ${ranks === 1 ? 'rank is' : 'ranks are'} no multiple of parallelism.tensor x parallelism.pipeline, ${tensor} x ${pipeline}: the checkpoint needs ${tensor * pipeline}, or checkpoint.mode subset`,
    ]
  if (mode === 'subset' && tensor * pipeline * data < ranks)
    return [`${ranks} ranks are more than the whole job of tensor ${tensor} x pipeline ${pipeline} x data ${data}`]
  return []
}

function trains({ workflow, profile }: Workload): boolean {
  return workflow.train || (BEHAVIOUR[profile].trainsAnyway && !workflow.generate_data && !workflow.checkpoint)
}

/**
 * The whole run, the same for every rank: phases in order, steps of every block. E_CONFIG where so many ranks cannot run
 * it.
 */
export function planRun(workload: Workload, ranks: number): RunPlan {
  positiveInteger('ranks', ranks)
  const [first] = problems(workload, ranks)
  if (first !== undefined) throw new HeadraceError('E_CONFIG', first)
  const all = trains(workload) ? trainSteps(workload, ranks).steps : 0
  const { totalSteps } = workload.train
  const stepsPerEpoch = totalSteps > 0 ? Math.min(all, totalSteps) : all
  const evaluation = workload.workflow.evaluation ? evalSteps(workload, ranks).steps : 0
  const { spec } = workload.checkpoint
  const saving = workload.workflow.checkpoint ? ranks : 0
  return {
    ranks,
    stepsPerEpoch,
    evalSteps: evaluation,
    phases: [...phasesOf(workload, stepsPerEpoch, evaluation)],
    checkpointFiles: Array.from({ length: saving }, (_, rank) => checkpointFiles(spec, rank, ranks)),
  }
}

function* phasesOf(workload: Workload, steps: number, evaluation: number): Generator<Phase> {
  const { workflow, profile } = workload
  if (workflow.generate_data) yield { kind: 'generate' }
  if (trains(workload)) yield* trainingPhases(workload, steps, evaluation)
  else {
    // DLIO evaluates after epochs of training only.
    if (workflow.evaluation && !BEHAVIOUR[profile].trainsAnyway) yield { kind: 'evaluate', epoch: 1, steps: evaluation }
    if (workflow.checkpoint) yield* checkpointPhases(workload)
  }
}

function* trainingPhases(workload: Workload, steps: number, evaluation: number): Generator<Phase> {
  const { workflow, train, checkpoint } = workload
  let nextEvaluation = workload.evaluation.afterEpoch
  let nextSave = checkpoint.afterEpoch
  for (let epoch = 1; epoch <= train.epochs; epoch++) {
    const blocks = yield* epochPhases(workload, epoch, steps)
    if (workflow.checkpoint && checkpoint.stepsBetween < 0 && epoch === nextSave) {
      // DLIO names the step after the last one.
      yield { kind: 'save', epoch, step: steps + 1, number: blocks }
      nextSave += checkpoint.epochsBetween
    }
    if (workflow.evaluation && epoch >= nextEvaluation) {
      yield { kind: 'evaluate', epoch, steps: evaluation }
      nextEvaluation += workload.evaluation.epochsBetween
    }
  }
}

/** Blocks of one epoch and the checkpoints between them; returns how many blocks. */
function* epochPhases(
  { workflow, checkpoint, profile }: Workload,
  epoch: number,
  steps: number,
): Generator<Phase, number> {
  const between = workflow.checkpoint && checkpoint.stepsBetween > 0 ? checkpoint.stepsBetween : Infinity
  let block = 1
  let first = 1
  for (; first + between - 1 <= steps; first += between) {
    yield { kind: 'train', epoch, block, firstStep: first, steps: between }
    yield { kind: 'save', epoch, step: first + between - 1, number: block }
    block++
  }
  if (first <= steps || block === 1 || BEHAVIOUR[profile].emptyBlocks) {
    yield { kind: 'train', epoch, block, firstStep: first, steps: steps - first + 1 }
    return block
  }
  return block - 1
}

function* checkpointPhases({ checkpoint }: Workload): Generator<Phase> {
  for (let number = 1; number <= checkpoint.writes; number++) yield { kind: 'save', epoch: 1, step: number, number }
  for (let number = 1; number <= checkpoint.reads; number++) yield { kind: 'load', epoch: 1, step: number, number }
}
