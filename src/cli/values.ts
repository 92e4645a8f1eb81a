import { InvalidArgumentError } from 'commander'

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

export function share(text: string): number {
  const value = Number(text)
  if (text.trim() === '' || !(value > 0 && value <= 1))
    throw new InvalidArgumentError('It must be a number above 0, up to 1.')
  return value
}

/** The given flags only: an absent one stays absent, so that the library's default holds. */
export function given<T extends object>(flags: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>
  }
}
