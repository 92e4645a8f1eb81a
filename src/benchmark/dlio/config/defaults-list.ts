import { show } from '../../../checks.ts'
import { isHeadraceError } from '../../../errors.ts'
import { configError } from './errors.ts'
import type { ConfigText, SearchPath } from './groups.ts'
import { type ConfigNode, type MapNode, mapNode, merged, withNode } from './node.ts'

/** Configs that name each other in a circle are told by their depth. */
const MAX_DEPTH = 16

/** One line of a `defaults:` list. */
interface DefaultsEntry {
  /** '' for a config of the same folder. */
  readonly group: string
  readonly names: readonly string[]
  readonly optional: boolean
}

/** What the defaults list and the command line come to. */
export interface Composition {
  readonly root: MapNode
  /** Group to chosen option. */
  readonly choices: ReadonlyMap<string, string>
  /** Published files that others of the same name hide, or are hidden by. */
  readonly hidden: readonly { readonly file: string; readonly hides: string }[]
}

/**
 * Composes configs as Hydra does: each may begin with `defaults:`, a list of configs that are merged in its order, itself
 * being `_self_` (last where it is not there).
 */
export class Composer {
  readonly #path: SearchPath
  readonly #chosen: ReadonlyMap<string, readonly string[]>
  readonly #choices = new Map<string, string>()
  readonly #hidden: { file: string; hides: string }[] = []

  /** `chosen`: what the command line says of groups; no name: leave that group out. */
  constructor(path: SearchPath, chosen: ReadonlyMap<string, readonly string[]>) {
    this.#path = path
    this.#chosen = chosen
  }

  /** From the primary config, which is built in: one entry `workload: default`. */
  async builtIn(): Promise<Composition> {
    return this.#done(await this.#groups(this.#chosen.has('workload') ? [] : [['workload', ['default']]]))
  }

  async primary(name: string): Promise<Composition> {
    const { config } = await this.#path.read('', name)
    const known = new Set<string>()
    const root = await this.#compose(config, '', known, 0)
    return this.#done(merged(root, await this.#groups([], known)) as MapNode)
  }

  #done(root: MapNode): Composition {
    return { root, choices: this.#choices, hidden: this.#hidden }
  }

  /** Groups that the command line names and no defaults list did. */
  async #groups(
    defaults: readonly (readonly [string, readonly string[]])[],
    done: ReadonlySet<string> = new Set(),
  ): Promise<MapNode> {
    let root: ConfigNode = mapNode([], {})
    for (const [group, options] of [...defaults, ...this.#chosen])
      if (!done.has(group)) for (const option of options) root = merged(root, await this.#option(group, option, 0))
    return root as MapNode
  }

  async #option(group: string, option: string, depth: number): Promise<ConfigNode> {
    const { config, hides } = await this.#path.read(group, option)
    if (hides !== undefined) this.#hidden.push({ file: config.file, hides })
    this.#choices.set(group, option)
    const global = /^\s*#\s*@package\s+_global_\s*$/m.test(config.text)
    const body = await this.#compose(config, group, new Set(), depth)
    return global ? body : withNode(mapNode([], body.place), group.split('/'), body)
  }

  /** One config and those that its defaults list names. Paths of groups are told to `known`. */
  async #compose(config: ConfigText, group: string, known: Set<string>, depth: number): Promise<MapNode> {
    if (depth > MAX_DEPTH) throw configError({ file: config.file }, 'configs name each other in a circle')
    const list = config.root.entries.get('defaults')
    const self = withNode(config.root, ['defaults'], undefined) as MapNode
    if (list?.kind !== 'list') return config.root
    let root: ConfigNode = mapNode([], config.root.place)
    let merges = false
    for (const item of list.items) {
      const entry = defaultsEntry(item)
      if (entry === undefined) continue
      if (entry === '_self_') {
        root = merged(root, self)
        merges = true
        continue
      }
      root = merged(root, await this.#entry(entry, group, known, depth))
    }
    return (merges ? root : merged(root, self)) as MapNode
  }

  async #entry(entry: DefaultsEntry, group: string, known: Set<string>, depth: number): Promise<ConfigNode> {
    if (entry.group === '') {
      let root: ConfigNode = mapNode([], {})
      for (const name of entry.names) {
        const { config } = await this.#path.read(name.startsWith('/') ? '' : group, name.replace(/^\//, ''))
        root = merged(root, await this.#compose(config, group, known, depth + 1))
      }
      return root
    }
    const path =
      entry.group.startsWith('/') || group === '' ? entry.group.replace(/^\//, '') : `${group}/${entry.group}`
    // Hydra's own groups say how it logs and launches.
    if (path.startsWith('hydra/')) return mapNode([], {})
    known.add(path)
    let root: ConfigNode = mapNode([], {})
    for (const name of this.#chosen.get(path) ?? entry.names) {
      const option = this.#option(path, name, depth + 1)
      root = merged(root, await (entry.optional ? option.catch(absent) : option))
    }
    // Below a group the package is relative to it: what came out is placed from the root, so it is lifted again.
    return group === '' ? root : lifted(root, group.split('/'))
  }
}

/** What an `optional` entry comes to where there is no such config. */
function absent(error: unknown): ConfigNode {
  if (isHeadraceError(error, 'E_NOT_FOUND')) return mapNode([], {})
  throw error
}

function lifted(root: ConfigNode, path: readonly string[]): ConfigNode {
  let node: ConfigNode | undefined = root
  for (const name of path) node = node?.kind === 'map' ? node.entries.get(name) : undefined
  return node ?? mapNode([], {})
}

function defaultsEntry(item: ConfigNode): DefaultsEntry | '_self_' | undefined {
  if (item.kind === 'scalar' && typeof item.value === 'string')
    return item.value === '_self_' ? '_self_' : { group: '', names: [item.value], optional: false }
  const [first, ...more] = item.kind === 'map' ? [...item.entries] : []
  if (first === undefined || more.length > 0)
    throw configError(item.place, 'an entry of defaults is a name, or one group with its option')
  const [key, value] = first
  const [, modifier = '', group = ''] = /^(optional\s+|override\s+)?(.+)$/.exec(key.trim()) ?? []
  if (value.kind === 'scalar' && value.value === null) return undefined
  if (modifier.startsWith('override') && !group.startsWith('hydra/') && !group.startsWith('/hydra/'))
    throw configError(item.place, `${show(key)}: name the option where the group is, without override`)
  const names = value.kind === 'list' ? value.items : [value]
  return {
    group: group.trim(),
    names: names.map((name) => {
      if (name.kind === 'scalar' && typeof name.value === 'string') return name.value
      throw configError(name.place, `${show(group)} takes the name of a config`)
    }),
    optional: modifier.startsWith('optional'),
  }
}
