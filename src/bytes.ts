import { nonNegativeInteger, show } from './checks.ts'
import { HeadraceError } from './errors.ts'

/** Powers of 1000 and of 1024, as IEC 80000-13 names them. */
const UNITS: ReadonlyMap<string, number> = new Map([
  ['b', 1],
  ...['k', 'm', 'g', 't', 'p'].flatMap((letter, i): [string, number][] => [
    [`${letter}b`, 1000 ** (i + 1)],
    [`${letter}ib`, 1024 ** (i + 1)],
  ]),
])

const BINARY_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const

/**
 * Bytes of a size as people write it: 1024, '512', '64KiB', '1.5 GB'. Upper and lower case are the same; a fraction of
 * a byte is rounded. E_USAGE with the option's name for anything else, also for '64K', which means two things.
 */
export function parseSize(value: string | number, name = 'size'): number {
  if (typeof value === 'number') return nonNegativeInteger(name, value)
  const [, whole, fraction = '', unit = 'b'] = /^\s*(\d+)(?:\.(\d+))?\s*([a-z]+)?\s*$/i.exec(value) ?? []
  const scale = UNITS.get(unit.toLowerCase())
  if (whole === undefined || scale === undefined || (scale === 1 && fraction !== '')) {
    const hint = /^[kmgtp]$/i.test(unit) ? `; write ${unit}B (powers of 1000) or ${unit}iB (powers of 1024)` : ''
    throw new HeadraceError(
      'E_USAGE',
      `${name} must be a size such as 512, 64KiB or 1GB, but got ${show(value)}${hint}`,
    )
  }
  // Digits first, point after: 2.3 * 1e9 is not 2300000000 in doubles, 23 * 1e9 / 10 is.
  const bytes = Math.round((Number(whole + fraction) * scale) / 10 ** fraction.length)
  if (!Number.isSafeInteger(bytes)) throw new HeadraceError('E_USAGE', `${name} is too large: ${show(value)}`)
  return bytes
}

/** A size for people, in binary units and three digits (four from 1000 to 1023): '0 B', '1.5 KiB', '21.3 GiB'. */
export function formatBytes(bytes: number): string {
  let value = bytes
  let unit = 0
  // 1023.5 would print as 1024 of a unit: from there on it is one of the next.
  while (Math.abs(value) >= 1023.5 && unit < BINARY_UNITS.length - 1) {
    value /= 1024
    unit++
  }
  const digits = Math.abs(value) >= 999.5 ? value.toFixed(0) : String(Number(value.toPrecision(3)))
  return `${digits} ${BINARY_UNITS[unit]}`
}

/** Bytes a second for people: '1.21 GiB/s'. */
export function formatRate(bytesPerSecond: number): string {
  return `${formatBytes(bytesPerSecond)}/s`
}
