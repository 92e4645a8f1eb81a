import type { Dataset, Sample, Schema } from '../../src/datasets/types.ts'

/** A dataset of one's own: what is not given is as small as it can be. */
export function own<S extends Schema>(
  schema: S,
  length: number,
  read: (id: number) => Promise<Sample>,
  more: Partial<Dataset<S>> = {},
): Dataset<S> {
  return { length, schema, fingerprint: 'own', describe: (id) => `row ${id}`, read, async close() {}, ...more }
}

export const BYTES = { b: { kind: 'bytes' } } as const
