/** A file mapped by the addon: an opaque handle for native calls. */
export interface MappedBytes {
  readonly handle: object
  readonly bytes: number
}
