import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { npyHeader } from '../../formats/npy.ts'
import { native } from '../../native.ts'
import type { Extent } from './extent.ts'
import { FREQUENCIES, FREQUENCIES_SHAPE, frequenciesFile } from './layout.ts'
import { corrupt, readTable } from './stored-table.ts'

/** The frequencies of the compact form, by image field: 16 x 256, each context's sum 1024. */
export type Frequencies = ReadonlyMap<string, Uint16Array>

const [CONTEXTS, SYMBOLS] = FREQUENCIES_SHAPE
/** What the frequencies of a context sum to. */
const UNIT = 1024
/** Writes the files of the frequencies; their sizes and checksums. */
export async function writeFrequencies(folder: string, frequencies: Frequencies): Promise<Record<string, Extent>> {
  const extents: Record<string, Extent> = {}
  for (const [name, values] of frequencies) {
    const header = npyHeader(FREQUENCIES, [...FREQUENCIES_SHAPE])
    const bytes = Buffer.concat([header, new Uint8Array(values.buffer, values.byteOffset, values.byteLength)])
    await writeFile(join(folder, frequenciesFile(name)), bytes, { flush: true })
    extents[frequenciesFile(name)] = { bytes: bytes.length, crc: native.crc32c(bytes) }
  }
  return extents
}

/** Reads and checks a field's frequencies. E_CORRUPT where they are not ones. */
export async function readFrequencies(folder: string, name: string): Promise<Uint16Array> {
  const file = frequenciesFile(name)
  const { rows } = await readTable(
    folder,
    file,
    CONTEXTS,
    ({ descr, shape }) => descr === FREQUENCIES && shape.length === 2 && shape[0] === CONTEXTS && shape[1] === SYMBOLS,
  )
  const values = new Uint16Array(rows)
  for (let context = 0; context < CONTEXTS; context++) {
    const own = values.subarray(context * SYMBOLS, (context + 1) * SYMBOLS)
    const sum = own.reduce((total, value) => total + value, 0)
    if (sum !== UNIT || own.includes(0))
      throw corrupt(join(folder, file), `the frequencies of context ${context} sum to ${sum}, not ${UNIT}, or one is 0`)
  }
  return values
}
