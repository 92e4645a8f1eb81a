import { gunzipSync } from 'node:zlib'
import { snappyDecode } from './snappy.ts'

/** Parquet's numbers of the codecs. */
const UNCOMPRESSED = 0
const SNAPPY = 1
const GZIP = 2
const OTHERS = { 4: 'BROTLI', 5: 'LZ4', 6: 'ZSTD', 7: 'LZ4_RAW' } as const
const NAMES: Readonly<Record<number, string>> = {
  0: 'none',
  1: 'snappy',
  2: 'gzip',
  3: 'lzo',
  4: 'brotli',
  5: 'lz4',
  6: 'zstd',
  7: 'lz4',
}

export function codecName(codec: number): string {
  return NAMES[codec] ?? `codec ${codec}`
}

/** Undoes the compression of a page of `plainBytes`. */
export type Decompress = (page: Uint8Array, plainBytes: number) => Uint8Array

/** undefined for a codec that there is not. */
export async function decompressor(codec: number): Promise<Decompress | undefined> {
  if (codec === UNCOMPRESSED) return (page) => page
  if (codec === SNAPPY)
    return (page, plainBytes) => {
      const plain = new Uint8Array(plainBytes)
      snappyDecode(page, plain)
      return plain
    }
  if (codec === GZIP) return (page, plainBytes) => gunzipSync(page, { maxOutputLength: Math.max(1, plainBytes) })
  const name = OTHERS[codec as keyof typeof OTHERS]
  if (name === undefined) return undefined
  const { compressors } = await import('hyparquet-compressors')
  return compressors[name]
}
