import type { Field } from '../../datasets/types.ts'
import type { BuildOptions, PackedForm } from '../../vision/index.ts'

/** The fields of a cache that is tried: its pictures alone. */
export type TrialSchema = { readonly image: Field<'image'> }

/** A way to store pictures. */
export interface EncodingCandidate {
  readonly encoding: NonNullable<BuildOptions['encoding']>
  /** Of the encoding 'dct'. */
  readonly form?: PackedForm
}

/** What `adviseEncoding` measures. The first one is what the others are compared with. */
export const CANDIDATES = [
  { encoding: 'jpeg' },
  { encoding: 'dct', form: 'plain' },
  { encoding: 'dct', form: 'compact' },
] as const satisfies readonly EncodingCandidate[]

/** The options that build it. */
export function buildOptionsOf({ encoding, form }: EncodingCandidate): BuildOptions {
  return { encoding, ...(form === 'compact' ? { compact: true } : {}) }
}

/** "jpeg", "dct", "dct (compact)" */
export function nameOf({ encoding, form }: EncodingCandidate): string {
  return form === 'compact' ? `${encoding} (compact)` : encoding
}
