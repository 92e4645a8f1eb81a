export type ReduceOp = 'sum' | 'min' | 'max'

export interface CollectiveOptions {
  readonly signal?: AbortSignal
  /** Milliseconds; E_TIMEOUT names the ranks that did not come. Without it a call waits as long as all ranks live. */
  readonly timeout?: number
}

/**
 * The processes that run one job. Every rank makes the same calls in the same order. When one aborts or dies, the calls
 * of all others reject with E_PEER, which names that rank and its reason.
 */
export interface Communicator {
  readonly rank: number
  readonly size: number
  /** Among the ranks of this host. */
  readonly localRank: number
  readonly localSize: number
  /** Names of the hosts, one a rank. */
  readonly hosts: readonly string[]
  /** Fires when no call can succeed any more; its reason is the E_PEER that calls reject with. */
  readonly broken: AbortSignal
  barrier(options?: CollectiveOptions): Promise<void>
  /** Element by element, on every rank the same. */
  allReduce(values: Float64Array, op: ReduceOp, options?: CollectiveOptions): Promise<Float64Array>
  /** On rank 0 the bytes of every rank, elsewhere undefined. */
  gather(bytes: Uint8Array, options?: CollectiveOptions): Promise<readonly Uint8Array[] | undefined>
  /** Rank 0's bytes, on every rank; what other ranks give is not looked at. */
  broadcast(bytes: Uint8Array | undefined, options?: CollectiveOptions): Promise<Uint8Array>
  /** Ends the job: on every rank the next or pending call rejects with this reason. */
  abort(reason: string): void
  /** Leaves in good order, after all others have made their last call. */
  close(): Promise<void>
}
