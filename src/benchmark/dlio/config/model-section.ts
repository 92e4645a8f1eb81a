import type { CheckpointSpec, Parallelism, TensorType } from '../../../checkpoint/types.ts'
import { type ConfigNode, type MapNode, mapNode, scalarNode } from './node.ts'
import type { Behaviour } from './profiles.ts'
import type { Section } from './section.ts'

const TENSOR_TYPES: readonly TensorType[] = ['fp16', 'bf16', 'fp32', 'fp64', 'int8', 'uint8']

export interface ModelConfig {
  readonly name: string
  readonly type: string | null
  readonly sizeBytes: number
  readonly layers: number
  readonly parallelism: Parallelism
  readonly modelType: TensorType
  readonly optimizerType: TensorType
  readonly spec: CheckpointSpec['model']
}

/** `model: resnet50` as `model: {name: resnet50}`; DLIO finds no key in it, and goes on with its default. */
export function modelMap(root: MapNode, behaviour: Behaviour): { root: MapNode; named: ConfigNode | undefined } {
  const model = root.entries.get('model')
  if (model?.kind !== 'scalar' || typeof model.value !== 'string') return { root, named: undefined }
  const named = {
    ...mapNode(behaviour.aliases ? [['name', scalarNode(model.value, model.place)]] : [], model.place),
    named: model.named ?? model.place,
  }
  return { root: { ...root, entries: new Map([...root.entries, ['model', named]]) }, named: model }
}

export function readModel(section: Section, behaviour: Behaviour): ModelConfig {
  const name = section.text('name', 'default')
  const type = section.optionalText('type')
  const sizeBytes = readSize(section, behaviour)
  const modelType = section.choice('model_datatype', 'fp16', TENSOR_TYPES)
  const optimizerType = section.choice('optimizer_datatype', 'fp32', TENSOR_TYPES)
  const optimizationGroups = section.integers('optimization_groups', { min: 0 })
  const layers = section.integer('num_layers', -1, { min: -1 })
  const layerParameters = section.integers('layer_parameters', { min: 0 })
  const parallelism = readParallelism(section.section('parallelism'))
  const transformer = readTransformer(section.section('transformer'))
  section.passed('framework')
  section.close()
  const spec: CheckpointSpec['model'] =
    type === 'transformer' && layers > 0
      ? { kind: 'transformer', layers, ...transformer }
      : { kind: 'sized', bytes: sizeBytes, layers, layerParameters, optimizationGroups }
  return { name, type, sizeBytes, layers, parallelism, modelType, optimizerType, spec }
}

function readSize(section: Section, { aliases }: Behaviour): number {
  const given = section.has('model_size_bytes')
  if (!section.has('model_size') || given || !aliases) {
    const size = section.integer('model_size_bytes', 10_240, { min: 0 })
    if (section.has('model_size'))
      section.without('model_size', given ? 'model_size_bytes is there' : 'DLIO reads model_size_bytes')
    return size
  }
  const size = section.integer('model_size', 0, { min: 0 })
  section.warn('model_size', 'model.model_size is read as model_size_bytes, which it is called; DLIO ignores it')
  section.set('model_size_bytes', size)
  return size
}

function readParallelism(section: Section): Parallelism {
  const found = {
    tensor: section.integer('tensor', 1, { min: 1 }),
    pipeline: section.integer('pipeline', 1, { min: 1 }),
    data: section.integer('data', -1, { min: -1 }),
    zeroStage: section.integer('zero_stage', 0, { min: 0, max: 3 }) as Parallelism['zeroStage'],
  }
  section.close()
  return found
}

function readTransformer(
  section: Section,
): Omit<Extract<CheckpointSpec['model'], { kind: 'transformer' }>, 'kind' | 'layers'> {
  const found = {
    vocabulary: section.integer('vocab_size', 32_000, { min: 1 }),
    hidden: section.integer('hidden_size', 2048, { min: 1 }),
    ffn: section.integer('ffn_hidden_size', 8192, { min: 1 }),
    heads: section.integer('num_attention_heads', 32, { min: 1 }),
    kvHeads: section.integer('num_kv_heads', 8, { min: 1 }),
  }
  section.close()
  return found
}
