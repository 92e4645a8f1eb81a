/** Which sample when: positions 0 .. length-1 of an epoch to sample ids. Pure: the same answer for the same arguments. */
export interface Sampler {
  /** Positions in an epoch. */
  readonly length: number
  /** Called before `fill` for an epoch; may derive keys, does no I/O. */
  prepare(epoch: number): void
  /** Writes the ids of positions start .. start + out.length - 1. */
  fill(epoch: number, start: number, out: Float64Array): void
}
