/** Which sample when: positions 0 .. length-1 of an epoch to sample ids. Pure: the same answer for the same arguments. */
export interface Sampler {
  /** Positions in an epoch. */
  readonly length: number
  /**
   * True where no sample comes twice in an epoch. Otherwise the loader counts how often each came before, which takes four
   * bytes a sample, and going through the epoch up to where it resumes.
   */
  readonly unique?: boolean
  /** Called before `fill` for an epoch; may derive keys, does no I/O. */
  prepare(epoch: number): void
  /** Writes the ids of positions start .. start + out.length - 1. */
  fill(epoch: number, start: number, out: Float64Array): void
}
