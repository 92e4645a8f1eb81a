import { show } from '../../../checks.ts'
import { formatTime } from './clock.ts'
import { configError } from './errors.ts'
import { type ConfigNode, type MapNode, nodeAt, type Place, plain, type ScalarNode } from './node.ts'
import { resolvePlain } from './scalars.ts'

/** What interpolations can ask for besides the config. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly now: Date
  readonly cwd: string
  readonly jobName: string
}

const MAX_DEPTH = 32
/** Values that are looked up: each may be a list of others. */
const MAX_LOOKUPS = 100_000

/** The config with every `${…}` replaced by what it stands for. E_CONFIG names what cannot be. */
export function interpolated(root: MapNode, around: Surroundings): MapNode {
  return new Interpolator(root, around).tree(root, []) as MapNode
}

/** One text of the config's, such as the run's folder. */
export function interpolatedText(root: MapNode, around: Surroundings, text: string): string {
  const place: Place = {}
  const node = new Interpolator(root, around).scalar({ kind: 'scalar', value: text, place }, [], 0)
  return node.kind === 'scalar' ? String(node.value) : JSON.stringify(plain(node))
}

class Interpolator {
  readonly #root: MapNode
  readonly #around: Surroundings
  #lookups = 0

  constructor(root: MapNode, around: Surroundings) {
    this.#root = root
    this.#around = around
  }

  tree(node: ConfigNode, path: readonly string[], depth = 0): ConfigNode {
    if (node.kind === 'scalar') return this.scalar(node, path, depth)
    if (node.kind === 'list')
      return { ...node, items: node.items.map((item, i) => this.tree(item, [...path, String(i)], depth)) }
    const entries = new Map([...node.entries].map(([key, item]) => [key, this.tree(item, [...path, key], depth)]))
    return { ...node, entries }
  }

  /** A text that is one interpolation becomes what that is; within other text it becomes text. */
  scalar(node: ScalarNode, path: readonly string[], depth: number): ConfigNode {
    if (typeof node.value !== 'string' || !node.value.includes('${')) return node
    if (++this.#lookups > MAX_LOOKUPS)
      throw configError(node.place, `interpolations come to more than ${MAX_LOOKUPS} values`)
    if (depth > MAX_DEPTH)
      throw configError(node.place, `${path.join('.') || show(node.value)} is an interpolation of itself`)
    let out = ''
    let at = 0
    const text = node.value
    while (at < text.length) {
      if (text.startsWith('\\${', at)) {
        out += '${'
        at += 3
      } else if (text.startsWith('${', at)) {
        const end = closing(text, at)
        if (end < 0) throw configError(node.place, `${show(text)}: an interpolation does not end`)
        const found = this.#value(text.slice(at + 2, end), node, path, depth + 1)
        if (at === 0 && end === text.length - 1)
          return { ...found, place: node.place, ...(node.named && { named: node.named }) }
        if (found.kind !== 'scalar')
          throw configError(node.place, `${show(text)}: a list or map cannot stand within a text`)
        out += found.value === null ? 'null' : String(found.value)
        at = end + 1
      } else out += text[at++]
    }
    return { ...node, value: out }
  }

  #value(inner: string, node: ScalarNode, path: readonly string[], depth: number): ConfigNode {
    const spec = this.#nested(inner, node, path, depth)
    const [, resolver, rest = ''] = /^\s*([A-Za-z_][\w.]*):(.*)$/s.exec(spec) ?? []
    if (resolver === undefined) return this.#reference(spec.trim(), node, path, depth)
    const args = rest.split(',').map((part) => part.trim())
    const value = this.#resolver(resolver, args, rest, node)
    return { kind: 'scalar', place: node.place, ...value }
  }

  /** Interpolations within interpolations come first: `${a.${b}}`. */
  #nested(inner: string, node: ScalarNode, path: readonly string[], depth: number): string {
    if (!inner.includes('${')) return inner
    const found = this.scalar({ ...node, value: inner }, path, depth)
    return found.kind === 'scalar' ? String(found.value) : ''
  }

  #reference(name: string, node: ScalarNode, path: readonly string[], depth: number): ConfigNode {
    const [dots = ''] = /^\.*/.exec(name) ?? []
    const base = dots === '' ? [] : path.slice(0, Math.max(0, path.length - dots.length))
    const steps = name
      .slice(dots.length)
      .replaceAll(/\[(\w+)\]/g, '.$1')
      .split('.')
    const target = [...base, ...steps]
    const found = nodeAt(this.#root, target)
    if (found === undefined)
      throw configError(node.place, `${show(node.value)}: there is no ${target.join('.')} in the config`)
    return this.tree(found, target, depth)
  }

  #resolver(name: string, args: readonly string[], rest: string, node: ScalarNode): { value: ScalarNode['value'] } {
    const [first = '', second] = args
    if (name === 'now') return { value: formatTime(rest, this.#around.now) }
    if (name === 'oc.env' || name === 'env') {
      const value = this.#around.env[first] ?? (second === undefined ? undefined : unquoted(second))
      if (value === undefined)
        throw configError(
          node.place,
          `${show(node.value)}: the environment has no ${first}`,
          'a default stands behind a comma',
        )
      return { value }
    }
    if (name === 'oc.decode') return resolvePlain(unquoted(first))
    if (name === 'hydra' && first === 'runtime.cwd') return { value: this.#around.cwd }
    if (name === 'hydra' && first === 'job.name') return { value: this.#around.jobName }
    throw configError(
      node.place,
      `${show(node.value)}: there is no resolver ${show(name === 'hydra' ? `hydra:${first}` : name)}`,
      'there are now, oc.env, oc.decode, hydra:runtime.cwd, hydra:job.name',
    )
  }
}

function unquoted(text: string): string {
  return /^(['"]).*\1$/s.test(text) ? text.slice(1, -1) : text
}

/** Where the brace of the interpolation at `from` closes. */
function closing(text: string, from: number): number {
  let depth = 0
  for (let i = from; i < text.length; i++) {
    if (text.startsWith('${', i)) {
      depth++
      i++
    } else if (text[i] === '}' && --depth === 0) return i
  }
  return -1
}
