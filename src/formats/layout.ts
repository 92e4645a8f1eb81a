import { show } from '../checks.ts'
import { itemSize } from '../dtype.ts'
import { HeadraceError } from '../errors.ts'
import type { FileLayout, FormatName, FormatOptions } from './types.ts'

/** What every format asks of a layout and of a caller, told in the same words. */

/** NumPy holds no more axes, 32, and one of them counts samples. */
const MAX_AXES = 31

/** Elements of one record. */
export function recordElements(layout: Pick<FileLayout, 'shape'>): number {
  return layout.shape.reduce((product, axis) => product * axis, 1)
}

/** Bytes of one record. */
export function recordBytes(layout: Pick<FileLayout, 'shape' | 'dtype'>): number {
  return recordElements(layout) * itemSize(layout.dtype)
}

type Asked = {
  readonly [K in keyof FormatOptions]-?: (value: NonNullable<FormatOptions[K]>) => boolean
}

/** What a value must be to ask for something; others ask for nothing and go with every format. */
const ASKS: Asked = {
  compression: (value) => value !== 'none',
  compressionLevel: () => false,
  chunkDims: (value) => value.length > 0,
  maxShape: (value) => value.length > 0,
  dataSets: (value) => value > 1,
  columns: (value) => value.length > 0,
  rowGroupSize: () => true,
  rowsAtOnce: () => true,
  zip64: (value) => value !== 'always',
  pictures: (value) => value !== 'encoded',
}

function asks<K extends keyof FormatOptions>(options: FormatOptions, name: K): boolean {
  const value = options[name]
  return value !== undefined && (ASKS[name] as (value: unknown) => boolean)(value)
}

/** E_CONFIG for options that ask a format for what it has not got. */
export function refuseOptions(format: FormatName, options: FormatOptions, has: readonly (keyof FormatOptions)[]): void {
  for (const name of Object.keys(ASKS) as (keyof FormatOptions)[])
    if (!has.includes(name) && asks(options, name))
      throw new HeadraceError('E_CONFIG', `${format} files have no ${name}, but it is ${show(options[name])}`)
}

/** E_CONFIG for a layout that is none. */
export function checkLayout(format: FormatName, layout: FileLayout): void {
  const { samples, shape } = layout
  if (!Number.isSafeInteger(samples) || samples < 0)
    throw new HeadraceError('E_CONFIG', `a ${format} file must hold 0 or more samples, but got ${show(samples)}`)
  if (shape.length > MAX_AXES || shape.some((axis) => !Number.isSafeInteger(axis) || axis < 1))
    throw new HeadraceError(
      'E_CONFIG',
      `a record must have up to ${MAX_AXES} axes of 1 or more, but got ${show(shape)}`,
    )
  if (!Number.isSafeInteger(recordBytes(layout) * Math.max(1, samples)))
    throw new HeadraceError(
      'E_CONFIG',
      `${samples} records of ${show(shape)} ${layout.dtype} are more than a file holds`,
    )
}

/** E_USAGE for a sample that there is not. */
export function checkSample(sample: number, samples: number, file: string): void {
  if (!Number.isSafeInteger(sample) || sample < 0 || sample >= samples)
    throw new HeadraceError('E_USAGE', `${file} has samples 0 to ${samples - 1}, but ${show(sample)} was asked for`, {
      path: file,
      sample,
    })
}

/** The beginning of `into` that takes a record of `bytes`; E_LIMIT where it is too small. */
export function roomOf(into: Uint8Array, bytes: number, file: string, sample: number): Uint8Array {
  if (into.length < bytes)
    throw new HeadraceError('E_LIMIT', `${file}: sample ${sample} has ${bytes} bytes, but into has ${into.length}`, {
      path: file,
      sample,
    })
  return into.length === bytes ? into : into.subarray(0, bytes)
}

/** Where in a file something is wrong. */
export interface Damage {
  readonly sample?: number
  /** Byte of the file. */
  readonly offset?: number
  readonly cause?: unknown
}

/** E_CORRUPT that names file, sample and place. */
export function corrupt(file: string, reason: string, at: Damage = {}): HeadraceError {
  const sample = at.sample === undefined ? '' : `sample ${at.sample}: `
  const offset = at.offset === undefined ? '' : ` (at byte ${at.offset})`
  return new HeadraceError('E_CORRUPT', `${file}: ${sample}${reason}${offset}`, { path: file, ...at })
}

/** Runs `read`; what is corrupt says of which sample it is. */
export async function ofSample<T>(sample: number, file: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (error) {
    if (!(error instanceof HeadraceError) || error.details.sample !== undefined || error.code !== 'E_CORRUPT')
      throw error
    const reason = error.message.startsWith(`${file}: `) ? error.message.slice(file.length + 2) : error.message
    throw new HeadraceError('E_CORRUPT', `${file}: sample ${sample}: ${reason}`, { ...error.details, sample })
  }
}
