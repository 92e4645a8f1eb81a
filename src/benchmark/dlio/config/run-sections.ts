import type { Distribution } from '../types.ts'
import type { Behaviour } from './profiles.ts'
import type { Section } from './section.ts'

export interface TrainConfig {
  readonly epochs: number
  readonly totalSteps: number
  readonly seed: number
  readonly seedChangeEpoch: boolean
  readonly computationTime: Distribution
}

export function readTrain(section: Section): TrainConfig {
  const found = {
    epochs: section.integer('epochs', 1, { min: 1 }),
    totalSteps: section.integer('total_training_steps', -1, { min: -1 }),
    seed: section.integer('seed', 123, { min: 0, max: 2 ** 32 - 1 }),
    seedChangeEpoch: section.boolean('seed_change_epoch', true),
    computationTime: section.distribution('computation_time', 'computation_time_stdev'),
  }
  section.close()
  return found
}

export interface EvaluationConfig {
  readonly time: Distribution
  readonly afterEpoch: number
  readonly epochsBetween: number
}

export function readEvaluation(section: Section): EvaluationConfig {
  const found = {
    time: section.distribution('eval_time', 'eval_time_stdev'),
    afterEpoch: section.integer('eval_after_epoch', 1, { min: 1 }),
    epochsBetween: section.integer('epochs_between_evals', 1, { min: 1 }),
  }
  section.close()
  return found
}

export interface WorkflowConfig {
  readonly generate_data: boolean
  readonly train: boolean
  readonly evaluation: boolean
  readonly checkpoint: boolean
  readonly profiling: boolean
  /** A key whose value is all that is wanted. */
  readonly query: string | null
}

export function readWorkflow(section: Section): WorkflowConfig {
  const found = {
    generate_data: section.boolean('generate_data', false),
    train: section.boolean('train', true),
    evaluation: section.boolean('evaluation', false),
    checkpoint: section.boolean('checkpoint', false),
    profiling: section.boolean('profiling', false),
    query: section.has('query') ? section.optionalText('query') : null,
  }
  section.without('debug', 'DLIO does not use it either; DLIO_LOG_LEVEL says how much is logged')
  section.close()
  return found
}

export interface OutputConfig {
  readonly folder: string | null
  readonly logFile: string
  readonly excludeStartSteps: number
  readonly excludeEndSteps: number
}

export function readOutput(section: Section): OutputConfig {
  const metric = section.section('metric')
  const found = {
    folder: section.optionalText('folder'),
    logFile: section.text('log_file', 'dlio.log'),
    excludeStartSteps: metric.integer('exclude_start_steps', 1, { min: 0 }),
    excludeEndSteps: metric.integer('exclude_end_steps', 0, { min: 0 }),
  }
  metric.close()
  section.close()
  return found
}

/** AU to reach, 0 to 1. */
export function readMetric(section: Section): number {
  const au = section.number('au', 0.9, { min: 0, max: 100 })
  section.close()
  if (au <= 1) return au
  section.warn('au', `metric.au ${au} is read as ${au} %`)
  return au / 100
}

export interface ProfilingConfig {
  readonly profiler: 'iostat' | 'darshan' | 'tensorboard' | 'none'
  readonly iostatDevices: readonly string[]
}

export function readProfiling(section: Section, enabled: boolean, { aliases }: Behaviour): ProfilingConfig {
  const profiler = section.choice('profiler', 'iostat', ['iostat', 'darshan', 'tensorboard', 'none'])
  const iostatDevices = section.texts('iostat_devices')
  if (enabled && (profiler === 'darshan' || profiler === 'tensorboard'))
    section.without('profiler', `there is no ${profiler} here; iostat.json is written with iostat`)
  if (aliases) {
    section.without('profile_folder', 'what is profiled is written to the output folder')
    section.without('iostat', 'workflow.profiling says whether devices are watched')
  }
  section.close()
  return { profiler, iostatDevices }
}

export interface CheckpointConfig {
  readonly folder: string
  readonly afterEpoch: number
  readonly epochsBetween: number
  readonly stepsBetween: number
  readonly type: 'rank_zero' | 'all_ranks'
  readonly mode: 'default' | 'subset'
  readonly fsync: boolean
  readonly timeBetween: number
  readonly writes: number
  readonly reads: number
  readonly recoveryRankShift: boolean
  readonly rankSync: boolean
  readonly randomizeTensor: boolean
  readonly ksm: boolean
}

export function readCheckpoint(section: Section, { losesCheckpointKeys }: Behaviour): CheckpointConfig {
  const lost = (name: string): boolean => {
    const given = section.boolean(name, false)
    if (!losesCheckpointKeys || !given) return given
    section.without(name, 'DLIO reads it into a name that nothing uses')
    return false
  }
  const found: CheckpointConfig = {
    folder: section.text('checkpoint_folder', './checkpoints/'),
    afterEpoch: section.integer('checkpoint_after_epoch', 1, { min: 1 }),
    epochsBetween: section.integer('epochs_between_checkpoints', 1, { min: 1 }),
    stepsBetween: section.integer('steps_between_checkpoints', -1, { min: -1 }),
    type: section.choice('type', 'rank_zero', ['rank_zero', 'all_ranks']),
    mode: section.choice('mode', 'default', ['default', 'subset']),
    fsync: lost('fsync'),
    timeBetween: section.number('time_between_checkpoints', -1, { min: -1 }),
    writes: section.integer('num_checkpoints_write', -1, { min: -1 }),
    reads: section.integer('num_checkpoints_read', -1, { min: -1 }),
    recoveryRankShift: lost('recovery_rank_shift'),
    rankSync: section.boolean('rank_sync', false),
    randomizeTensor: section.boolean('randomize_tensor', true),
    ksm: section.has('ksm'),
  }
  if (found.ksm) readKsm(section.section('ksm'))
  section.optionalText('checkpoint_mechanism_classname')
  section.without(
    'checkpoint_mechanism_classname',
    'classes of Python cannot be loaded; checkpoints are written as the framework would',
  )
  section.close()
  return found
}

function readKsm(section: Section): void {
  section.integer('madv_mergeable_id', 12, { min: 0 })
  section.number('high_ram_trigger', 30, { min: 0 })
  section.number('low_ram_exit', 15, { min: 0 })
  section.integer('await_time', 200, { min: 0 })
  for (const name of ['madv_mergeable_id', 'high_ram_trigger', 'low_ram_exit', 'await_time'])
    section.without(name, 'a checkpoint is never held in memory as a whole, so that there are no pages to merge')
  section.close()
}
