import type { FormatName } from '../../../formats/types.ts'
import type { Profile } from '../types.ts'
import { readDataset } from './dataset-section.ts'
import { modelMap, readModel } from './model-section.ts'
import type { MapNode } from './node.ts'
import { BEHAVIOUR } from './profiles.ts'
import { readerMap, readReader } from './reader-section.ts'
import { checkRules, type Framework, type Parts, type Sections } from './rules.ts'
import {
  type EvaluationConfig,
  type OutputConfig,
  readCheckpoint,
  readEvaluation,
  readMetric,
  readOutput,
  readProfiling,
  readTrain,
  readWorkflow,
  type TrainConfig,
} from './run-sections.ts'
import { type Reading, Section } from './section.ts'
import { readStorage } from './storage-section.ts'

export interface AllParts extends Parts {
  readonly train: TrainConfig
  readonly evaluation: EvaluationConfig
  readonly output: OutputConfig
  readonly metricAu: number
}

const FRAMEWORKS: readonly Framework[] = ['tensorflow', 'pytorch', 'jax']

export interface ReadContext {
  readonly profile: Profile
  readonly env: Readonly<Record<string, string | undefined>>
  /** Where `dataset.format` is absent. */
  readonly format: FormatName
}

/** Reads a workload's body, all interpolations replaced. E_CONFIG with its place for what DLIO would not take. */
export function readParts(body: MapNode, reading: Reading, { profile, env, format }: ReadContext): AllParts {
  const behaviour = BEHAVIOUR[profile]
  const { root: withModel, named } = modelMap(readerMap(body, reading), behaviour)
  const root = Section.root(reading, withModel)
  if (named !== undefined)
    reading.warn(
      behaviour.aliases
        ? 'model is read as model.name, which it is called; DLIO ignores it'
        : 'model is one name and is ignored: DLIO reads model.name',
      'model',
      named.named ?? named.place,
    )
  const at: Sections & Record<'train' | 'evaluation' | 'output' | 'metric', Section> = {
    root,
    model: root.section('model'),
    workflow: root.section('workflow'),
    storage: root.section('storage'),
    dataset: root.section('dataset'),
    reader: root.section('reader'),
    train: root.section('train'),
    evaluation: root.section('evaluation'),
    checkpoint: root.section('checkpoint'),
    output: root.section('output'),
    metric: root.section('metric'),
    profiling: root.section('profiling'),
  }
  const framework = root.choice<Framework>(
    'framework',
    'tensorflow',
    behaviour.aliases ? FRAMEWORKS : FRAMEWORKS.slice(0, 2),
  )
  const model = readModel(at.model, behaviour)
  const workflow = readWorkflow(at.workflow)
  const reader = readReader(at.reader, behaviour)
  const parts: AllParts = {
    framework,
    frameworkGiven: root.has('framework'),
    model,
    workflow,
    storage: readStorage(at.storage, behaviour, env),
    dataset: readDataset(at.dataset, behaviour, format),
    reader,
    train: readTrain(at.train),
    evaluation: readEvaluation(at.evaluation),
    checkpoint: readCheckpoint(at.checkpoint, behaviour),
    output: readOutput(at.output),
    metricAu: readMetric(at.metric),
    profiling: readProfiling(at.profiling, workflow.profiling, behaviour),
  }
  root.close()
  const paired = behaviour.pairsLoader ? pairedLoader(parts, at) : parts
  checkRules(paired, at, profile, env)
  return paired
}

/** DLIO's default is TensorFlow for framework and loader; where only one is given the other goes with it. */
function pairedLoader(parts: AllParts, { root, reader, dataset }: Sections): AllParts {
  const { framework, frameworkGiven } = parts
  const { loader, loaderGiven } = parts.reader
  const reads = parts.workflow.train || parts.workflow.evaluation
  if (frameworkGiven && !loaderGiven && framework !== 'tensorflow') {
    if (reads)
      reader.warn(
        'data_loader',
        `reader.data_loader is not given: ${framework}, as the framework; DLIO's default tensorflow fails`,
      )
    return { ...parts, reader: { ...parts.reader, loader: framework } }
  }
  if (frameworkGiven || !loaderGiven || loader === 'tensorflow') return parts
  if (loader !== 'pytorch' && loader !== 'jax') return parts
  root.warn('framework', `framework is not given: ${loader}, as the data loader; DLIO's default tensorflow fails`)
  if (reads && loader === 'pytorch' && parts.dataset.format === 'tfrecord' && !parts.dataset.formatGiven)
    dataset.warn(
      'format',
      "dataset.format is not given: DLIO's default tfrecord, which DLIO refuses with this data loader",
    )
  return { ...parts, framework: loader }
}
