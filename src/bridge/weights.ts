import { readFile } from 'node:fs/promises'
import { show } from '../checks.ts'
import { fromSystemError, HeadraceError } from '../errors.ts'

/** Bytes a number. */
const WIDTH = Float64Array.BYTES_PER_ELEMENT

/**
 * Weights of samples as they come from a client: a list of numbers, which the loader checks, or `{ file }`, a path of
 * float64 numbers: a hello has no room for millions in JSON. The file may go once this has returned.
 */
export async function weightsOf(value: unknown): Promise<unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  const { file, ...others } = value as { readonly file?: unknown }
  if (typeof file !== 'string' || Object.keys(others).length > 0)
    throw new HeadraceError('E_USAGE', `weights must be a list of numbers or {"file":…}, but got ${show(value)}`)
  const bytes = await readFile(file).catch((error: unknown) => {
    throw fromSystemError(error, `weights cannot be read from ${file}`, { path: file })
  })
  if (bytes.length % WIDTH !== 0)
    throw new HeadraceError('E_USAGE', `weights in ${file} must be float64 numbers, but are ${bytes.length} bytes`)
  const weights = new Float64Array(bytes.length / WIDTH)
  new Uint8Array(weights.buffer).set(bytes)
  return weights
}
