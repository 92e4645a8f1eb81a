import { show } from '../../../checks.ts'
import { configError } from './errors.ts'
import { type ConfigNode, isNull, type MapNode, merged, nodeAt, plain, withNode } from './node.ts'
import type { Override } from './overrides.ts'
import { closest } from './suggestion.ts'

/** The config with one override in it, as Hydra does it. E_CONFIG where the key is not there, or is there already. */
export function applied(root: MapNode, override: Override): MapNode {
  const { op, path, key, value, text } = override
  const old = nodeAt(root, path)
  if (op === 'delete') {
    if (old === undefined) throw absent(root, override)
    if (value?.kind === 'value' && !same(value.node, old))
      throw configError(undefined, `override ${show(text)}: ${key} is ${show(plain(old))}`, undefined, key)
    return withNode(root, path, undefined) as MapNode
  }
  // Sweeps were refused when the override was parsed; only a delete has no value.
  if (value?.kind !== 'value') return root
  const { node } = value
  if (op === 'set' && old === undefined) throw absent(root, override)
  checkKinds(root, override, node, old)
  if (op === 'add' && !isNull(old) && node.kind === 'scalar')
    throw configError(undefined, `override ${show(text)}: ${key} is there already`, `++${key}=… replaces it`, key)
  const placed = old?.named === undefined ? node : { ...node, named: node.place }
  return withNode(root, path, old === undefined ? placed : merged(old, placed)) as MapNode
}

/** Neither an item beyond a list, nor a list for a map or a map for a list; `set` adds no keys to a map. */
function checkKinds(
  root: MapNode,
  { op, path, key, text }: Override,
  node: ConfigNode,
  old: ConfigNode | undefined,
): void {
  const parent = nodeAt(root, path.slice(0, -1))
  if (parent?.kind === 'list' && old === undefined)
    throw configError(
      undefined,
      `override ${show(text)}: ${key} is beyond a list of ${parent.items.length}`,
      undefined,
      key,
    )
  if (old === undefined || old.kind === 'scalar' || node.kind === 'scalar') return
  if (old.kind !== node.kind)
    throw configError(undefined, `override ${show(text)}: ${key} is a ${old.kind}, and no ${node.kind}`, undefined, key)
  const added = op === 'set' ? newKey(old, node) : undefined
  if (added !== undefined)
    throw configError(
      undefined,
      `override ${show(text)}: ${key}.${added} is not in the config`,
      `to add it, write ++${text}`,
      key,
    )
}

function newKey(old: ConfigNode, node: ConfigNode): string | undefined {
  if (old.kind !== 'map' || node.kind !== 'map') return undefined
  for (const [name, value] of node.entries) {
    const there = old.entries.get(name)
    const below = there === undefined ? undefined : newKey(there, value)
    if (there === undefined) return name
    if (below !== undefined) return `${name}.${below}`
  }
  return undefined
}

function same(a: ConfigNode, b: ConfigNode): boolean {
  return JSON.stringify(plain(a)) === JSON.stringify(plain(b))
}

function absent(root: MapNode, { op, path, key, text }: Override): Error {
  const depth = path.findIndex((_, i) => nodeAt(root, path.slice(0, i + 1)) === undefined)
  const parent = nodeAt(root, path.slice(0, depth))
  const near = closest(path[depth] ?? '', parent?.kind === 'map' ? parent.entries.keys() : [])
  const below = nodeAt(root, ['workload', ...path]) !== undefined ? ['workload', ...path] : undefined
  const meant = below ?? (near === undefined ? undefined : [...path.slice(0, depth), near, ...path.slice(depth + 1)])
  const add = op === 'delete' ? undefined : `to add it, write ++${text}`
  const hint = [meant === undefined ? undefined : `did you mean ${meant.join('.')}?`, add].filter(
    (part) => part !== undefined,
  )
  return configError(
    undefined,
    `override ${show(text)}: ${key} is not in the config`,
    hint.length === 0 ? undefined : hint.join(' '),
    key,
  )
}
