import { configError } from './errors.ts'
import { type ConfigNode, type MapNode, merged, nodeAt, withNode } from './node.ts'
import type { Reading } from './section.ts'
import { closest } from './suggestion.ts'

const FRAMEWORKS = ['pytorch', 'tensorflow', 'jax'] as const
type Name = (typeof FRAMEWORKS)[number]

/** What a framework's profile says of the loader: DLIO's key, and whether it counts where that is there already. */
interface Meaning {
  readonly key: string
  readonly wins: boolean
  /** Values that say "choose yourself": they change nothing. */
  readonly unless?: (value: unknown) => boolean
}

const automatic = (value: unknown): boolean => typeof value === 'number' && value < 0
const none = (value: unknown): boolean => typeof value === 'number' && value <= 0

const BATCH: Meaning = { key: 'reader.batch_size', wins: true }
const SEED: Meaning = { key: 'train.seed', wins: true }
const DROP: Meaning = { key: 'reader.drop_last', wins: true }
const WORKERS: Meaning = { key: 'reader.read_threads', wins: false, unless: none }

const MEANINGS: Readonly<Record<Name, Readonly<Record<string, Meaning | string>>>> = {
  pytorch: {
    batch_size: BATCH,
    num_workers: WORKERS,
    shuffle: { key: 'reader.shuffle', wins: true },
    seed: SEED,
    drop_last: DROP,
    prefetch_factor: { key: 'reader.prefetch', wins: true },
    pin_memory: { key: 'reader.pin_memory', wins: true },
    persistent_workers: 'workers stay for the whole run',
    return_type: 'samples are always decoded',
    distributed: 'ranks are always told apart',
  },
  tensorflow: {
    batch_size: BATCH,
    shuffle_buffer_size: { key: 'reader.shuffle_size', wins: true },
    buffer_size: { key: 'reader.shuffle_size', wins: false },
    seed: SEED,
    num_parallel_calls: WORKERS,
    prefetch_buffer_size: { key: 'reader.prefetch', wins: true, unless: automatic },
    drop_remainder: DROP,
    reshuffle_each_iteration: { key: 'train.seed_change_epoch', wins: true },
    deterministic: 'the order of samples is always the same',
    writable: 'samples are written to memory of the loader',
    experimental_optimization: 'there is no graph to optimise',
  },
  jax: {
    batch_size: BATCH,
    seed: SEED,
    shuffle_buffer_size: { key: 'reader.shuffle_size', wins: true },
    prefetch: { key: 'reader.prefetch', wins: false },
    prefetch_buffer_size: { key: 'reader.prefetch', wins: true, unless: automatic },
    writable: 'samples are written to memory of the loader',
  },
}

/** The profile of one framework: `pytorch_config`, and below it `framework_profiles.pytorch`. */
function profileOf(root: MapNode, name: Name): MapNode | undefined {
  const nested = nodeAt(root, ['framework_profiles', name])
  const own = root.entries.get(`${name}_config`)
  for (const node of [nested, own])
    if (node !== undefined && node.kind !== 'map')
      throw configError(node.place, `the profile of ${name} must be a map`, undefined, `${name}_config`)
  if (nested?.kind !== 'map') return own?.kind === 'map' ? own : undefined
  return own?.kind === 'map' ? (merged(nested, own) as MapNode) : nested
}

/** The framework that the config names; where it names none, the first whose profile is there. */
function active(root: MapNode): Name | undefined {
  const node = root.entries.get('framework')
  const named = node?.kind === 'scalar' ? FRAMEWORKS.find((each) => each === node.value) : undefined
  return named ?? (node === undefined ? FRAMEWORKS.find((each) => profileOf(root, each) !== undefined) : undefined)
}

/** The config with what the framework's profile says in DLIO's keys, and without profiles. */
export function withFrameworkProfile(body: MapNode, reading: Reading): MapNode {
  const name = active(body)
  const profile = name === undefined ? undefined : profileOf(body, name)
  let root: ConfigNode = body
  for (const key of ['framework_profiles', ...FRAMEWORKS.map((each) => `${each}_config`)])
    root = withNode(root, [key], undefined)
  if (name === undefined) return root as MapNode
  if (body.entries.get('framework') === undefined && profile !== undefined)
    root = withNode(root, ['framework'], { kind: 'scalar', value: name, place: profile.place })
  for (const [key, node] of profile?.entries ?? []) root = withMeaning(root, name, key, node, reading)
  return root as MapNode
}

function withMeaning(root: ConfigNode, name: Name, key: string, node: ConfigNode, reading: Reading): ConfigNode {
  const path = `framework_profiles.${name}.${key}`
  const meaning = Object.hasOwn(MEANINGS[name], key) ? MEANINGS[name][key] : undefined
  if (meaning === undefined) {
    const near = closest(key, Object.keys(MEANINGS[name]))
    const hint = near === undefined ? '' : `; did you mean ${near}?`
    reading.warn(`${path} is no key of a ${name} profile and is ignored${hint}`, path, node.named ?? node.place)
    return root
  }
  if (typeof meaning === 'string') {
    reading.warn(`${path} has no effect: ${meaning}`, path, node.named ?? node.place)
    return root
  }
  if (node.kind === 'scalar' && (node.value === null || meaning.unless?.(node.value) === true)) return root
  const steps = meaning.key.split('.')
  return meaning.wins || nodeAt(root, steps) === undefined ? withNode(root, steps, node) : root
}
