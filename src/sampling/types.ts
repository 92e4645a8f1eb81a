/** Which sample when: positions 0 .. length-1 of an epoch to sample ids. Pure: the same answer for the same arguments. */
export interface Sampler {
  /** Positions in an epoch. */
  readonly length: number
  /**
   * True where no sample comes twice in an epoch. Otherwise the loader counts how often each came before, which takes four
   * bytes a sample, and going through the epoch up to where it resumes.
   */
  readonly unique?: boolean
  /**
   * What the order follows from beside the loader's seed and `length`, in a few words: a state of a sampler with another
   * fingerprint is refused. 'own' where absent.
   */
  readonly fingerprint?: string
  /** Called before `fill` for an epoch; may derive keys, does no I/O. */
  prepare(epoch: number): void
  /** Writes the ids of positions start .. start + out.length - 1. */
  fill(epoch: number, start: number, out: Float64Array): void
}
