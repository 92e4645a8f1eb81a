/**
 * Operations as logs name them. Others are kept as they stand: logs of other tools know more of them.
 * GET is a whole object, GET_RANGE a part of one; DELETE one key, DELETE_BATCH several in one request.
 */
export type OpName =
  | 'GET'
  | 'GET_RANGE'
  | 'PUT'
  | 'HEAD'
  | 'LIST'
  | 'DELETE'
  | 'DELETE_BATCH'
  | 'COPY'
  | 'CREATE_CONTAINER'
  | 'DELETE_CONTAINER'

/**
 * One operation that ended. Times are milliseconds since 1970 with a fraction (`performance.timeOrigin +
 * performance.now()`): doubles of today's dates are 0.25 us apart.
 */
export interface OpRecord {
  /** From 0. A sink that writes a log numbers rows itself where this is absent. */
  readonly index?: number
  /** Which worker or thread did it. */
  readonly worker: number
  readonly op: OpName | (string & {})
  /** Objects that it was about: keys that were deleted, entries that were listed. */
  readonly objects: number
  /** Of data that moved; 0 where it failed. */
  readonly bytes: number
  /** Which server answered; '' where nobody says so. */
  readonly endpoint: string
  /**
   * URL of the object: the store's, '/' and the key, all literal. Of a listing that of its prefix, of several keys that
   * of the first. Logs of other tools have what they have: a key, or bucket and key.
   */
  readonly url: string
  /** Of a GET_RANGE: the first byte that was asked for. */
  readonly offset?: number
  /** Which client process; several may log into files that are read as one. */
  readonly client?: string
  /** 'E_NETWORK: cannot reach …'. Absent where it succeeded. */
  readonly error?: string
  readonly start: number
  /** Absent where nothing came, or nobody saw when. */
  readonly firstByte?: number
  readonly end: number
}

/** Where records go. A promise is to be waited for before the next operation starts: the log is behind. */
export interface OpSink {
  record(record: OpRecord): void | Promise<void>
  /** What was recorded is kept once this resolves. */
  close(): Promise<void>
}
