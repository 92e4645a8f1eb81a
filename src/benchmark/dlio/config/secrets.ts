import type { ConfigNode, MapNode } from './node.ts'

/** Names of keys whose values are for no output. */
const SECRET = /secret|password|token$|access_key|credential/i
const MASK = '***'

export function isSecret(key: string): boolean {
  return SECRET.test(key)
}

/** The config with masks for secrets; an interpolation is none itself. */
export function masked(root: MapNode): MapNode {
  const entries = [...root.entries].map(([key, node]): [string, ConfigNode] => [
    key,
    isSecret(key) && node.kind === 'scalar' && typeof node.value === 'string' && !node.value.startsWith('${')
      ? { ...node, value: MASK }
      : maskedNode(node),
  ])
  return { ...root, entries: new Map(entries) }
}

function maskedNode(node: ConfigNode): ConfigNode {
  if (node.kind === 'list') return { ...node, items: node.items.map(maskedNode) }
  return node.kind === 'map' ? masked(node) : node
}

const SECRET_IN_TEXT =
  /([\w.]*(?:secret|password|access_key|credential|session_token)\w*['"]?\s*[:=]\s*)("[^"]*"|'[^']*'|[^,}\]]+)/gi

/** An override with masks for secrets, for messages and files. */
export function maskedText(override: string): string {
  return override.replace(SECRET_IN_TEXT, `$1${MASK}`)
}
