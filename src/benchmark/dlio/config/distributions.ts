import type { Distribution } from '../types.ts'
import { configError, shown } from './errors.ts'
import { type ConfigNode, isNull, type MapNode } from './node.ts'
import { closest } from './suggestion.ts'

/** Parameters of each kind, and DLIO's default where one may be left out. */
const PARAMETERS = {
  normal: { mean: undefined, stdev: 0 },
  uniform: { min: undefined, max: undefined },
  gamma: { shape: undefined, scale: undefined },
  exponential: { scale: undefined },
  poisson: { lam: undefined },
} as const

type Kind = keyof typeof PARAMETERS
const KINDS = Object.keys(PARAMETERS) as readonly Kind[]

function seconds(node: ConfigNode, key: string): number {
  if (node.kind === 'scalar' && typeof node.value === 'number' && Number.isFinite(node.value) && node.value >= 0)
    return node.value
  throw configError(node.place, `${key} must be a number of 0 or more, but is ${shown(node)}`, undefined, key)
}

function parameter(map: MapNode, name: string, fallback: number | undefined, key: string): number {
  const node = map.entries.get(name)
  if (node !== undefined && !isNull(node)) return seconds(node, `${key}.${name}`)
  if (fallback !== undefined) return fallback
  throw configError(map.place, `${key} needs ${name}`, undefined, key)
}

function kindOf(map: MapNode, key: string): Kind {
  const node = map.entries.get('type')
  if (node === undefined) {
    // Without a type DLIO looks at mean and stdev alone.
    return 'normal'
  }
  const value = node.kind === 'scalar' ? node.value : undefined
  const kind = KINDS.find((each) => each === value)
  if (kind !== undefined) return kind
  const near = typeof value === 'string' ? closest(value, KINDS) : undefined
  const hint = near === undefined ? undefined : `did you mean ${near}?`
  throw configError(node.place, `${key}.type must be one of ${KINDS.join(', ')}, but is ${shown(node)}`, hint, key)
}

function refuseOthers(map: MapNode, kind: Kind, key: string): void {
  const names = ['type', ...Object.keys(PARAMETERS[kind])]
  for (const [name, node] of map.entries)
    if (!names.includes(name))
      throw configError(
        node.named ?? node.place,
        `${key}.${name} is no parameter of a ${kind} distribution, which has ${names.slice(1).join(', ')}`,
        map.entries.has('type') ? undefined : `${key}.type says which distribution it is`,
        key,
      )
}

function normal(mean: number, stdev: number): Distribution {
  return stdev === 0 ? { type: 'constant', value: mean } : { type: 'normal', mean, stdev }
}

/**
 * Every form that DLIO takes: a number, `{mean, stdev}`, and `{type, …}`. `beside`: the key next to it that holds the
 * deviation. Numbers are seconds (a gamma's shape and a Poisson's lam: numbers).
 */
export function distributionOf(
  node: ConfigNode | undefined,
  beside: ConfigNode | undefined,
  key: string,
): Distribution {
  const spread = beside === undefined || isNull(beside) ? undefined : seconds(beside, `${key}_stdev`)
  // A deviation of nothing is nothing: DLIO asks for the mean first.
  if (node === undefined || isNull(node)) return normal(0, 0)
  if (node.kind === 'scalar') return normal(seconds(node, key), spread ?? 0)
  if (node.kind === 'list') throw configError(node.place, `${key} must be a number or a distribution`, undefined, key)
  if (node.entries.size === 0) return normal(0, 0)
  const kind = kindOf(node, key)
  refuseOthers(node, kind, key)
  const at = (name: string, fallback?: number) => parameter(node, name, fallback, key)
  switch (kind) {
    case 'normal':
      return normal(at('mean'), spread ?? at('stdev', 0))
    case 'uniform': {
      const [min, max] = [at('min'), at('max')]
      if (min > max) throw configError(node.place, `${key}: min ${min} is above max ${max}`, undefined, key)
      return { type: 'uniform', min, max }
    }
    case 'gamma':
      return { type: 'gamma', shape: at('shape'), scale: at('scale') }
    case 'exponential':
      return { type: 'exponential', scale: at('scale') }
    case 'poisson':
      return { type: 'poisson', lam: at('lam') }
  }
}
