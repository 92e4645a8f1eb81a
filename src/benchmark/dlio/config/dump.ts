import type { ConfigNode, MapNode, ScalarNode } from './node.ts'
import { resolvePlain } from './scalars.ts'

/** A float as Python prints it and YAML 1.1 reads it again: 1.0, 0.0035, 1.0e-05. */
export function pythonFloat(value: number): string {
  if (Number.isNaN(value)) return '.nan'
  if (!Number.isFinite(value)) return value > 0 ? '.inf' : '-.inf'
  const [digits = '', exponent = '0'] = value.toExponential().split('e')
  const power = Number(exponent)
  if (value !== 0 && (power < -4 || power >= 16)) {
    const sign = power < 0 ? '-' : '+'
    return `${digits.includes('.') ? digits : `${digits}.0`}e${sign}${String(Math.abs(power)).padStart(2, '0')}`
  }
  // Between these powers the shortest digits need no exponent, which JavaScript writes below 1e-6.
  const text = power < 0 ? value.toFixed(Math.max(0, digits.replace(/\D/g, '').length - 1 - power)) : String(value)
  return text.includes('.') ? text : `${text}.0`
}

/** What would make another value, or end the text, when it stood there without quotes. */
function needsQuotes(text: string): boolean {
  return (
    typeof resolvePlain(text).value !== 'string' ||
    /^[\s#,[\]{}&*!|>'"%@`]|^[-?:](?:\s|$)|^(?:---|\.\.\.)|^=$|^<<$|:(?:\s|$)|\s#|\s$/.test(text) ||
    // A date to PyYAML.
    /^\d{4}-\d\d?-\d\d?(?:[Tt ]|$)/.test(text)
  )
}

function quoted(text: string): string {
  // Control characters, surrogates and what ends a line need escapes, which JSON's are.
  if (/[\p{Cc}\p{Cs}\u2028\u2029\uFEFF]/u.test(text))
    return JSON.stringify(text).replace(/[\u2028\u2029\uFEFF]/g, (letter) => `\\u${letter.charCodeAt(0).toString(16)}`)
  return needsQuotes(text) ? `'${text.replaceAll("'", "''")}'` : text
}

function scalarText({ value, float }: ScalarNode): string {
  if (value === null) return 'null'
  if (typeof value === 'string') return quoted(value)
  if (typeof value === 'number' && (float === true || !Number.isInteger(value))) return pythonFloat(value)
  return typeof value === 'number' ? BigInt(value).toString() : String(value)
}

function lines(node: ConfigNode, indent: string): string[] {
  if (node.kind === 'scalar') return [scalarText(node)]
  if (node.kind === 'list')
    return node.items.flatMap((item) => {
      const inner = isBlock(item) ? lines(item, '') : [inline(item)]
      return inner.map((line, i) => `${indent}${i === 0 ? '- ' : '  '}${line}`)
    })
  return [...node.entries].flatMap(([key, value]) => {
    const name = `${indent}${quoted(key)}:`
    if (!isBlock(value)) return [`${name} ${inline(value)}`]
    // PyYAML does not indent the dashes of a list in a map.
    return [name, ...lines(value, value.kind === 'list' ? indent : `${indent}  `)]
  })
}

function isBlock(node: ConfigNode): boolean {
  return (node.kind === 'list' && node.items.length > 0) || (node.kind === 'map' && node.entries.size > 0)
}

function inline(node: ConfigNode): string {
  return node.kind === 'scalar' ? scalarText(node) : node.kind === 'list' ? '[]' : '{}'
}

/** YAML as Hydra writes its files: block style, in the order of the keys; lines are never folded. */
export function dumpYaml(root: MapNode | ConfigNode): string {
  return `${isBlock(root) ? lines(root, '').join('\n') : inline(root)}\n`
}
