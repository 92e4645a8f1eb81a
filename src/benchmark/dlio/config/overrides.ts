import { show } from '../../../checks.ts'
import { HeadraceError } from '../../../errors.ts'
import { maskedText } from './secrets.ts'
import { type OverrideValue, parseOverrideValue } from './value-grammar.ts'

/** set: must be there. add: must not. force: either. delete: must be there. */
export type OverrideOp = 'set' | 'add' | 'force' | 'delete'

/** One argument of Hydra's command line. */
export interface Override {
  readonly op: OverrideOp
  /** Parts of the key: `workload`, `train`, `epochs`; of a group such as `hydra/job_logging` the name as it is. */
  readonly path: readonly string[]
  readonly key: string
  /** Undefined only where something is deleted whatever it is. */
  readonly value: OverrideValue | undefined
  /** As it was given, with masks for secrets. */
  readonly text: string
}

const PREFIXES: readonly (readonly [string, OverrideOp])[] = [
  ['++', 'force'],
  ['+', 'add'],
  ['~', 'delete'],
  ['', 'set'],
]

const KEY = /^(?:[A-Za-z_$][\w$-]*(?:\/[A-Za-z_$][\w$-]*)*|[\w$][\w$-]*(?:\.[\w$][\w$-]*)+)(?:@[\w$.:-]*)?$/

/** Parses `workload.a=1`, `+a=1`, `++a=1`, `~a`. E_USAGE for what is none of these. */
export function parseOverride(given: string): Override {
  const [prefix, op] = PREFIXES.find(([start]) => given.startsWith(start)) ?? ['', 'set' as const]
  const rest = given.slice(prefix.length)
  const text = maskedText(given)
  const equals = rest.indexOf('=')
  const key = (equals < 0 ? rest : rest.slice(0, equals)).trim()
  if (equals < 0 && op !== 'delete')
    throw new HeadraceError('E_USAGE', `${show(text)} is no override: it has no =`, {
      hint: 'overrides are like workload.train.epochs=2, and options begin with --',
    })
  if (!KEY.test(key)) throw new HeadraceError('E_USAGE', `override ${show(text)}: ${show(key)} is no key`)
  if (key.includes('@'))
    throw new HeadraceError('E_UNSUPPORTED', `override ${show(text)}: the @ of packages has no use here`)
  const value = equals < 0 ? undefined : parseOverrideValue(rest.slice(equals + 1), text, prefix.length + equals + 1)
  if (value?.kind === 'sweep') throw ambiguous(text, prefix + key)
  return { op, path: key.includes('/') ? [key] : key.split('.'), key, value, text }
}

function ambiguous(text: string, key: string): HeadraceError {
  return new HeadraceError('E_USAGE', `override ${show(text)} names several values, which only a sweep runs`, {
    hint: `a list is ${key}=[a,b], a text with commas ${key}='"a,b"'; for a sweep run the command once for each`,
  })
}
