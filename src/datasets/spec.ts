/**
 * A dataset as plain data, JSON: what another thread, the bridge and the command line open it from. `kind` says which
 * dataset, the other keys are that dataset's own options; each dataset checks its own.
 */
export interface DatasetSpec {
  readonly kind: string
  readonly [option: string]: unknown
}
