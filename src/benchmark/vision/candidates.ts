import type { Field } from '../../datasets/types.ts'
import type { BuildOptions, ImageEncoding, PackedForm } from '../../vision/index.ts'

/** The fields of a cache that is tried: its pictures alone. */
export type TrialSchema = { readonly image: Field<'image'> }

/** A way to store pictures. */
export interface EncodingCandidate {
  readonly encoding: ImageEncoding
  /** Of the encoding 'dct'. */
  readonly form?: PackedForm
}

/** One that a cache can be built with. */
export type BuildCandidate = EncodingCandidate & Pick<BuildOptions, 'encoding'>

/** What `adviseEncoding` measures. The first one is what the others are compared with. */
export const CANDIDATES: readonly BuildCandidate[] = [
  { encoding: 'jpeg' },
  { encoding: 'dct', form: 'plain' },
  { encoding: 'dct', form: 'compact' },
  { encoding: 'yuv420' },
]

/** The options that build it. */
export function buildOptionsOf({ encoding, form }: BuildCandidate): BuildOptions {
  return { encoding, ...(form === 'compact' ? { compact: true } : {}) }
}

/** "jpeg", "dct", "dct (compact)" */
export function nameOf({ encoding, form }: EncodingCandidate): string {
  return form === 'compact' ? `${encoding} (compact)` : encoding
}
