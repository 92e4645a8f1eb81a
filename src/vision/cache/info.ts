import type { Field } from '../../datasets/types.ts'
import { native, type SimdLevel } from '../../native.ts'
import type { ImageEncoding, PackedForm } from './layout.ts'
import type { Manifest } from './manifest.ts'
import type { StoredColumn } from './stored-columns.ts'

export interface FieldInfo {
  readonly kind: Field['kind']
  readonly dtype?: string
  readonly encoding?: ImageEncoding
  /** Of the encoding 'dct'. */
  readonly form?: PackedForm
  /** Of image and bytes fields: all samples, and the largest one. */
  readonly bytes?: number
  readonly maxSize?: number
  /** Of image fields, in pixels, to a tenth. */
  readonly meanWidth?: number
  readonly meanHeight?: number
}

/** What a cache holds, and what would decode it. */
export interface ImageCacheInfo {
  /** Samples. */
  readonly images: number
  /** Of all files that the manifest names. */
  readonly bytes: number
  readonly encoding: string
  /** Where the samples came from; null where the cache does not say. */
  readonly source: { readonly url?: string; readonly fingerprint?: string } | null
  readonly fields: Readonly<Record<string, FieldInfo>>
  /** What wrote it: 'headrace 0.1.0', or 'slipstream layout 1' for a cache without our own part. */
  readonly version: string
  readonly classes?: readonly string[]
  /** How many pictures of each type were encoded anew when it was built. */
  readonly reencoded?: Readonly<Record<string, number>>
  /** With 'dct': how many pictures stayed JPEG, by the reason. */
  readonly unpacked?: Readonly<Record<string, number>>
  /** Samples that were left out when it was built. */
  readonly skipped?: number
  readonly options?: Readonly<Record<string, unknown>>
  readonly contentHash?: string
  /** Whether `verifyImageCache` can check every byte. */
  readonly checksums: boolean
  /** The libjpeg-turbo that would decode it here, and the instructions that would resize. */
  readonly libjpegTurbo: string
  readonly simd: SimdLevel
}

function fieldInfo(
  field: Field,
  column: StoredColumn,
  encoding: ImageEncoding | undefined,
  form: PackedForm | undefined,
  samples: number,
): FieldInfo {
  const { kind } = field
  if (column.storage === 'number') return { kind, dtype: column.dtype }
  if (column.storage === 'text') return { kind }
  const sizes = { bytes: column.total, maxSize: column.largest }
  if (encoding === undefined) return { kind, ...sizes }
  let width = 0
  let height = 0
  for (let id = 0; id < samples; id++) {
    width += column.width(id)
    height += column.height(id)
  }
  const mean = (sum: number): number => (samples === 0 ? 0 : Math.round((sum / samples) * 10) / 10)
  const packed = encoding === 'dct' ? { form: form ?? 'plain' } : {}
  return { kind, encoding, ...packed, ...sizes, meanWidth: mean(width), meanHeight: mean(height) }
}

export function describeCache(
  manifest: Manifest,
  schema: Readonly<Record<string, Field>>,
  columns: ReadonlyMap<string, StoredColumn>,
  encodings: ReadonlyMap<string, ImageEncoding>,
  bytes: number,
): ImageCacheInfo {
  const own = manifest.headrace
  const { libjpegTurbo, simd } = native.info()
  const fields = [...columns].map(([name, column]) => {
    const field = schema[name] ?? { kind: 'bytes' }
    return [
      name,
      fieldInfo(field, column, encodings.get(name), manifest.fields[name]?.form, manifest.num_samples),
    ] as const
  })
  const { url, fingerprint } = own?.source ?? {}
  const source = { ...(url === undefined ? {} : { url }), ...(fingerprint === undefined ? {} : { fingerprint }) }
  return {
    images: manifest.num_samples,
    bytes,
    encoding: [...new Set(encodings.values())].join(' + ') || 'none',
    source: Object.keys(source).length === 0 ? null : source,
    fields: Object.fromEntries(fields),
    version: own === undefined ? `slipstream layout ${manifest.version}` : `headrace ${own.version}`,
    ...(own?.classes === undefined ? {} : { classes: own.classes }),
    ...(own?.unpacked === undefined ? {} : { unpacked: own.unpacked }),
    ...(own === undefined
      ? {}
      : { reencoded: own.reencoded, skipped: own.skipped, options: own.options, contentHash: own.contentHash }),
    checksums: own !== undefined,
    libjpegTurbo,
    simd,
  }
}
