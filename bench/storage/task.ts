/** What a client is asked to do, one line of JSON each; peers/drive.py reads the same. */

export type OperationName = 'get' | 'put' | 'multipart' | 'list' | 'delete'

export interface Task {
  readonly operation: OperationName
  /** Bytes of an object. */
  readonly size: number
  /** Keys are folder/00000, folder/00001 and so on. */
  readonly folder: string
  readonly objects: number
  /** Of `get`, `put` and `multipart`; `list` and `delete` are about all objects, once. */
  readonly requests: number
}

/** Of all requests of a task together, in seconds: the client's CPU, and how long it took. */
export interface Cost {
  readonly user: number
  readonly system: number
  readonly seconds: number
}

export const IN_FLIGHT = 16

export const keyOf = (folder: string, number: number): string => `${folder}/${String(number).padStart(5, '0')}`
