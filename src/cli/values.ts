import { InvalidArgumentError } from 'commander'
import { parseSize } from '../bytes.ts'
import { isHeadraceError } from '../errors.ts'

/** Readers of flag values; what they refuse is a usage error (exit code 2). */

export function count(text: string): number {
  const value = Number(text)
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < 1)
    throw new InvalidArgumentError('It must be a positive integer.')
  return value
}

export function countFromZero(text: string): number {
  const value = Number(text)
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value))
    throw new InvalidArgumentError('It must be an integer of 0 or more.')
  return value
}

export function quality(text: string): number {
  const value = Number(text)
  if (!/^\d+$/.test(text) || value < 1 || value > 100)
    throw new InvalidArgumentError('It must be an integer from 1 to 100.')
  return value
}

export function pngFile(text: string): string {
  if (!/[^/]\.png$/i.test(text)) throw new InvalidArgumentError('It must end in .png.')
  return text
}

export function seconds(text: string): number {
  const value = Number(text)
  if (text.trim() === '' || !Number.isFinite(value) || value < 0.01)
    throw new InvalidArgumentError('It must be a number of seconds, 0.01 or more.')
  return value
}

export function secondsFromZero(text: string): number {
  return Number(text) === 0 && text.trim() !== '' ? 0 : seconds(text)
}

export function share(text: string): number {
  const value = Number(text)
  if (text.trim() === '' || !(value > 0 && value <= 1))
    throw new InvalidArgumentError('It must be a number above 0, up to 1.')
  return value
}

/** Bytes, of which there is at least one. */
export function size(text: string): number {
  try {
    const bytes = parseSize(text)
    if (bytes > 0) return bytes
  } catch (error) {
    if (!isHeadraceError(error)) throw error
  }
  throw new InvalidArgumentError('It must be a size such as 512KiB, 8MiB or 1GB.')
}

const SECONDS: Readonly<Record<string, number>> = { '': 1, s: 1, m: 60, h: 3600, d: 86_400 }

/** "15m", in seconds. */
export function timeSpan(text: string): number {
  const [, number = '', unit = ''] = /^(\d+)\s*([smhd]?)$/.exec(text) ?? []
  const value = Number(number) * (SECONDS[unit] ?? Number.NaN)
  if (number === '' || !Number.isSafeInteger(value) || value < 1)
    throw new InvalidArgumentError('It must be a time such as 900, 15m, 12h or 7d.')
  return value
}

/** A range of bytes as HTTP writes it. */
export interface RangeFlag {
  /** Absent: the last `length` bytes. */
  readonly offset?: number
  readonly length?: number
}

export function byteRange(text: string): RangeFlag {
  const [, from = '', to = ''] = /^(\d*)-(\d*)$/.exec(text) ?? []
  const [first, last] = [Number(from), Number(to)]
  const exact = Number.isSafeInteger(first) && Number.isSafeInteger(last)
  if (exact && from !== '' && to === '') return { offset: first }
  if (exact && from === '' && to !== '') return { length: last }
  if (exact && from !== '' && last >= first) return { offset: first, length: last - first + 1 }
  throw new InvalidArgumentError('It must be like 0-99 (both included), 100- or -100 (the last 100 bytes).')
}

/** "GET,PUT" */
export function list(text: string): string[] {
  const names = text.split(',').map((name) => name.trim())
  if (names.some((name) => name === '')) throw new InvalidArgumentError('It must be names with commas between them.')
  return names
}

/** The given flags only: an absent one stays absent, so that the library's default holds. */
export function given<T extends object>(flags: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>
  }
}
