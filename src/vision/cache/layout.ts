import type { Field, Schema } from '../../datasets/types.ts'
import { HeadraceError } from '../../errors.ts'
import type { NpyDescr } from '../../formats/npy.ts'
import { RESERVED_FIELDS } from '../../loader/index.ts'

/**
 * The files of an image cache: a directory that NumPy can open. Per image or bytes field `<f>.bin` (samples one after
 * the other, no padding) and `<f>.meta.npy`; per string field `<f>.bin` and `<f>.offsets.npy`; per number field
 * `<f>.npy`; `manifest.json` last. Source: slipstream's cache layout, so that each tool opens the other's caches.
 * Ours in addition: `<f>.crc32c.npy`, a CRC-32C of every sample in `<f>.bin`.
 */
export const MANIFEST = 'manifest.json'

/** One row of `<f>.meta.npy`: where a sample's bytes lie in `<f>.bin`, and its pixels (0 x 0 for bytes). */
export const BLOB_ROW: NpyDescr = [
  ['data_ptr', '<u8'],
  ['data_size', '<u8'],
  ['height', '<u4'],
  ['width', '<u4'],
]
export const BLOB_ROW_BYTES = 24
/** One row of `<f>.offsets.npy`: offset and length in `<f>.bin`, both in bytes. */
export const TEXT_ROW_BYTES = 16
export const TEXT_ROW: NpyDescr = '<u8'
export const CHECKSUM: NpyDescr = '<u4'

/** How an image field's pictures are stored (docs/formats/cache.md, "Pictures"). */
export type ImageEncoding = 'jpeg' | 'yuv420' | 'dct'

/** Of packed coefficients: as they are decoded, or entropy-coded on top (docs/formats/dct.md). */
export type PackedForm = 'plain' | 'compact'

export type Storage = 'blob' | 'text' | 'number'

export interface FieldFiles {
  /** The samples' bytes, of blob and text fields. */
  readonly data?: string
  /** The rows that point into `data`, or the numbers themselves. */
  readonly table: string
  /** Checksums of the samples in `data`. */
  readonly checksums?: string
}

/** The frequencies of a field of compact packed pictures, uint16 [16, 256]. */
export const frequenciesFile = (name: string): string => `${name}.rans.npy`
export const FREQUENCIES: NpyDescr = '<u2'
/** Contexts, and symbols of each. */
export const FREQUENCIES_SHAPE = [16, 256] as const

export function storageOf(kind: Field['kind']): Storage {
  if (kind === 'number') return 'number'
  return kind === 'string' ? 'text' : 'blob'
}

export function filesOf(name: string, storage: Storage): FieldFiles {
  if (storage === 'number') return { table: `${name}.npy` }
  const table = storage === 'blob' ? `${name}.meta.npy` : `${name}.offsets.npy`
  return { data: `${name}.bin`, table, checksums: `${name}.crc32c.npy` }
}

/** slipstream's name of a field's type. */
export function typeName(field: Field): string {
  if (field.kind === 'number') return isFloat(field) ? 'float' : 'int'
  if (field.kind === 'tensor') throw new HeadraceError('E_UNSUPPORTED', 'a cache has no fields of arrays')
  return { image: 'ImageBytes', bytes: 'bytes', string: 'str' }[field.kind]
}

/** The field that a type name of a manifest stands for; the dtype of numbers is in their file. */
export function kindOfType(type: string): Field['kind'] {
  if (type === 'ImageBytes' || type === 'HFImageDict') return 'image'
  if (type === 'bytes') return 'bytes'
  return type === 'str' ? 'string' : 'number'
}

/** Numbers are stored in 8 bytes: all floats as float64, all else as int64, as slipstream reads them. */
export function isFloat(field: Field): boolean {
  return field.dtype?.includes('float') ?? false
}

/** Whether a field's name can be part of a file name: no path, not hidden. */
export function isFieldName(name: string): boolean {
  return name.length <= 200 && /^[^./\\\p{Cc}][^/\\\p{Cc}]*$/u.test(name) && name !== '__proto__'
}

/**
 * E_USAGE for field names that cannot be file names, that batches use themselves, and for fields whose files would be
 * the same.
 */
export function checkFieldNames(schema: Schema): void {
  const owners = new Map<string, string>([[MANIFEST, 'the manifest']])
  for (const [name, field] of Object.entries(schema)) {
    if (!isFieldName(name) || !/^[\x20-\x7e]*$/.test(name))
      throw new HeadraceError(
        'E_USAGE',
        `a field named ${JSON.stringify(name)} cannot be stored: its name becomes a file name`,
      )
    if (RESERVED_FIELDS.includes(name))
      throw new HeadraceError('E_USAGE', `a field cannot be called ${JSON.stringify(name)}: batches use that name`)
    const { data, table, checksums } = filesOf(name, storageOf(field.kind))
    for (const file of [data, table, checksums, field.kind === 'image' ? frequenciesFile(name) : undefined]) {
      if (file === undefined) continue
      // some file systems do not tell A from a
      const owner = owners.get(file.toLowerCase())
      if (owner !== undefined)
        throw new HeadraceError('E_USAGE', `the fields ${owner} and ${name} would share the file ${file}`)
      owners.set(file.toLowerCase(), name)
    }
  }
}
