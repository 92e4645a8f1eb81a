import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { snappyCompress } from 'hyparquet-writer/src/snappy.js'
import { show } from '../../checks.ts'
import { HeadraceError } from '../../errors.ts'
import type { FormatOptions } from '../types.ts'

/** How the pages of a file are compressed. */
export interface Codec {
  /** As Parquet numbers it. */
  readonly number: number
  compress(page: Uint8Array): Uint8Array | Promise<Uint8Array>
}

const gzipped = promisify<Uint8Array, { level?: number }, Buffer>(gzip)

/** E_CONFIG for what Parquet has not got. */
export function codecOf({ compression = 'none', compressionLevel }: FormatOptions): Codec {
  switch (compression) {
    case 'none':
      return { number: 0, compress: (page) => page }
    case 'snappy':
      return { number: 1, compress: snappyCompress }
    case 'gzip': {
      const options = compressionLevel === undefined ? {} : { level: compressionLevel }
      return { number: 2, compress: (page) => gzipped(page, options) }
    }
    default:
      throw new HeadraceError(
        'E_CONFIG',
        `parquet: compression ${show(compression)}; there are "none", "gzip" and "snappy"`,
      )
  }
}
