import type { Scalar } from './node.ts'

/**
 * Plain scalars as DLIO reads them: YAML 1.1 by PyYAML with the changes of OmegaConf (exponents need no point, there are
 * no dates). Unlike YAML 1.2, `off` is false, `010` is 8 and `1:30` is 90; unlike YAML 1.1's own text, `y` is a string.
 */
const NULL = /^(?:~|null|Null|NULL|)$/
const TRUE = /^(?:yes|Yes|YES|true|True|TRUE|on|On|ON)$/
const FALSE = /^(?:no|No|NO|false|False|FALSE|off|Off|OFF)$/
const INT = /^[-+]?(?:0b[0-1_]+|0[0-7_]+|0|[1-9][0-9_]*|0x[0-9a-fA-F_]+|[1-9][0-9_]*(?::[0-5]?[0-9])+)$/
const FLOAT =
  /^(?:[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?|[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+|\.[0-9_]+(?:[eE][-+][0-9]+)?|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$/

export interface Resolved {
  readonly value: Scalar
  readonly float?: true
}

/** Base 60: `1:30` is 90. */
function sexagesimal(digits: string): number {
  return digits.split(':').reduce((sum, part) => sum * 60 + Number(part), 0)
}

function integer(text: string): number {
  const sign = text.startsWith('-') ? -1 : 1
  const digits = text.replace(/^[-+]/, '').replaceAll('_', '')
  if (digits.includes(':')) return sign * sexagesimal(digits)
  if (/^0[0-7]+$/.test(digits)) return sign * Number.parseInt(digits, 8)
  return sign * Number(digits)
}

function float(text: string): number {
  const sign = text.startsWith('-') ? -1 : 1
  const digits = text.replace(/^[-+]/, '').replaceAll('_', '').toLowerCase()
  if (digits === '.inf') return sign * Infinity
  if (digits === '.nan') return Number.NaN
  return sign * (digits.includes(':') ? sexagesimal(digits) : Number(digits))
}

export function resolvePlain(text: string): Resolved {
  if (NULL.test(text)) return { value: null }
  if (TRUE.test(text)) return { value: true }
  if (FALSE.test(text)) return { value: false }
  if (INT.test(text)) return { value: integer(text) }
  if (FLOAT.test(text)) return { value: float(text), float: true }
  return { value: text }
}

const EXPLICIT: Readonly<Record<string, RegExp>> = {
  'tag:yaml.org,2002:null': NULL,
  'tag:yaml.org,2002:int': INT,
  'tag:yaml.org,2002:bool': new RegExp(`${TRUE.source}|${FALSE.source}`),
}

/** A scalar whose tag is written; undefined for tags that configs have no use for, and texts that are not of the tag. */
export function resolveTagged(tag: string, text: string): Resolved | undefined {
  if (tag === 'tag:yaml.org,2002:str' || tag === '!') return { value: text }
  if (tag === 'tag:yaml.org,2002:float' && (FLOAT.test(text) || INT.test(text)))
    return { value: FLOAT.test(text) ? float(text) : integer(text), float: true }
  return EXPLICIT[tag]?.test(text) === true ? resolvePlain(text) : undefined
}
