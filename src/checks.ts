import { HeadraceError, userCallback } from './errors.ts'

/** Validates options once, at the edge. Every message names the option and quotes the value. */

export function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value)
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value === 'function') return `function ${value.name}`.trimEnd()
  if (value === null || typeof value !== 'object') return String(value)
  if (ArrayBuffer.isView(value)) return `${value.constructor.name}(${value.byteLength} bytes)`
  const kind: unknown = value.constructor?.name
  if (typeof kind === 'string' && kind !== 'Object' && kind !== 'Array') return kind
  try {
    return JSON.stringify(value) ?? String(value)
  } catch {
    return Object.prototype.toString.call(value)
  }
}

function refuse(name: string, wanted: string, value: unknown): never {
  throw new HeadraceError('E_USAGE', `${name} must be ${wanted}, but got ${show(value)}`)
}

/** The range, where it ends before what a number can hold exactly, or where the value is beyond that. */
function integerRange(min: number, max: number, value: unknown): string | undefined {
  return max < Number.MAX_SAFE_INTEGER || (typeof value === 'number' && value > max)
    ? `an integer from ${min} to ${max}`
    : undefined
}

export function positiveInteger(name: string, value: unknown, max = Number.MAX_SAFE_INTEGER): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 1 && value <= max) return value
  return refuse(name, integerRange(1, max, value) ?? 'a positive integer', value)
}

export function nonNegativeInteger(name: string, value: unknown, max = Number.MAX_SAFE_INTEGER): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value <= max) return value
  return refuse(name, integerRange(0, max, value) ?? 'an integer of 0 or more', value)
}

export function finiteNumber(name: string, value: unknown, min = -Infinity, max = Infinity): number {
  if (typeof value === 'number' && Number.isFinite(value) && value >= min && value <= max) return value
  const range = min === Number.MIN_VALUE ? `above 0, up to ${max}` : `from ${min} to ${max}`
  return refuse(name, min === -Infinity && max === Infinity ? 'a finite number' : `a number ${range}`, value)
}

export function oneOf<T extends string>(name: string, value: unknown, allowed: readonly T[]): T {
  if (allowed.includes(value as T)) return value as T
  return refuse(name, `one of ${allowed.map((a) => JSON.stringify(a)).join(', ')}`, value)
}

export function booleanOption(name: string, value: unknown): boolean {
  return typeof value === 'boolean' ? value : refuse(name, 'true or false', value)
}

/** An option that is called with how far something is. */
export function progressOption<T>(value: ((progress: T) => void) | undefined): ((progress: T) => void) | undefined {
  if (value === undefined) return undefined
  return typeof value === 'function' ? userCallback(value) : refuse('onProgress', 'a function', value)
}

/** Refuses names that are not options, so that a misspelt one is never silently ignored. */
export function knownOptions(of: string, options: object, allowed: readonly string[]): void {
  for (const name of Object.keys(options)) {
    if (!allowed.includes(name))
      throw new HeadraceError('E_USAGE', `${of} has no option ${show(name)}; it has ${allowed.join(', ')}`)
  }
}
