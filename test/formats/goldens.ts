import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { DType } from '../../src/dtype.ts'
import { memorySource } from '../../src/formats/byte-source.ts'
import type { ByteSource, FileLayout, FormatName, RecordFormat } from '../../src/formats/types.ts'

/** Files that DLIO wrote (test/fixtures/dlio), and what Python's standard library finds in them. */
export interface Golden {
  readonly case: string
  readonly file: string
  readonly format: FormatName
  readonly shape: readonly number[]
  readonly dtype: DType
  /** The first 16 hex digits of each record's SHA-256. */
  readonly records: readonly string[]
}

function fixture(name: string): Buffer {
  return readFileSync(fileURLToPath(new URL(`../fixtures/dlio/${name}`, import.meta.url)))
}

export const goldens = JSON.parse(fixture('records.json').toString()) as readonly Golden[]

/** Of every file that DLIO made whose size follows from its layout: case, format, samples, shape, type, bytes. */
export const goldenSizes = JSON.parse(fixture('sizes.json').toString()) as readonly (readonly [
  string,
  FormatName,
  number,
  readonly number[],
  DType | 'index',
  number,
])[]

export function goldenBytes({ case: of, file }: Pick<Golden, 'case' | 'file'>): Uint8Array {
  return new Uint8Array(fixture(`${of}/${file}`))
}

export function layoutOf({ records, shape, dtype, case: of }: Golden): FileLayout {
  return { samples: records.length, shape, dtype, options: of === 'fork_npz' ? { zip64: 'needed' } : {} }
}

/** Its sidecars, where it has them. */
export function goldenSidecars(golden: Golden, format: RecordFormat): ((i: number) => Promise<ByteSource>) | undefined {
  const names = format.sidecars.map(({ suffix }) => `${golden.file}${suffix}`)
  const [first] = names
  if (first === undefined || !existsSync(new URL(`../fixtures/dlio/${golden.case}/${first}`, import.meta.url)))
    return undefined
  return async (i) => memorySource(names[i] ?? '', goldenBytes({ case: golden.case, file: names[i] ?? '' }))
}

export function digest(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex').slice(0, 16)
}
