import { show } from '../checks.ts'
import { HeadraceError } from '../errors.ts'

/** Fields of a request, which may be anything: each is read once, with the type that it must have. */
export type Fields = Readonly<Record<string, unknown>>

export function textField(fields: Fields, name: string): string {
  const value = fields[name]
  if (typeof value === 'string') return value
  throw new HeadraceError('E_USAGE', `${name} must be a text, but got ${show(value)}`)
}

export function optionalText(fields: Fields, name: string): string | undefined {
  return fields[name] === undefined ? undefined : textField(fields, name)
}

export function countField(fields: Fields, name: string, fallback: number | undefined, max: number): number {
  const value = fields[name] ?? fallback
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value <= max) return value
  throw new HeadraceError('E_USAGE', `${name} must be an integer from 0 to ${max}, but got ${show(value)}`)
}

export function textsField(fields: Fields, name: string): readonly string[] {
  const value = fields[name]
  if (Array.isArray(value) && value.every((each) => typeof each === 'string')) return value
  throw new HeadraceError('E_USAGE', `${name} must be a list of texts, but got ${show(value)}`)
}

export function tableField(fields: Fields, name: string): Fields {
  const value = fields[name]
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields
  throw new HeadraceError('E_USAGE', `${name} must be a table, but got ${show(value)}`)
}

export function textTable(fields: Fields, name: string): Readonly<Record<string, string>> | undefined {
  const value = fields[name]
  if (value === undefined) return undefined
  if (typeof value === 'object' && value !== null && Object.values(value).every((each) => typeof each === 'string'))
    return value as Record<string, string>
  throw new HeadraceError('E_USAGE', `${name} must be a table of texts, but got ${show(value)}`)
}
