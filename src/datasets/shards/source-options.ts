import type { SourceOptions } from '../listing.ts'

/** Those of a dataset's options that say where its files are. */
export function sourceOptions(options: SourceOptions): SourceOptions {
  const { include, exclude, parallel, manifest, fingerprint, signal } = options
  return {
    ...(include && { include }),
    ...(exclude && { exclude }),
    ...(parallel !== undefined && { parallel }),
    ...(manifest !== undefined && { manifest }),
    ...(fingerprint !== undefined && { fingerprint }),
    ...(signal && { signal }),
  }
}
