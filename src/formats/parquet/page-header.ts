import { ThriftReader } from './thrift-reader.ts'

/** What stands before the bytes of a page. */
export interface PageHeader {
  readonly kind: 'data' | 'data-v2' | 'dictionary' | 'other'
  /** Bytes of this header. */
  readonly headerBytes: number
  /** Of the page, before compression and in the file. */
  readonly plainBytes: number
  readonly storedBytes: number
  readonly values: number
  readonly encoding: number
  /** Of the second version: bytes of levels before the values, and whether those are compressed. */
  readonly repetitionBytes: number
  readonly definitionBytes: number
  readonly compressed: boolean
}

/** A header is never as long: statistics are cut to 4 KiB each. */
export const MAX_HEADER = 32 * 1024

const KINDS: Readonly<Record<number, PageHeader['kind']>> = { 0: 'data', 2: 'dictionary', 3: 'data-v2' }

/** Reads the header at `at`; `broken` makes the error for what is none. */
export function readPageHeader(bytes: Uint8Array, at: number, broken: (at: number) => Error): PageHeader {
  const reader = new ThriftReader(bytes, broken, at)
  let kind = -1
  let plainBytes = -1
  let storedBytes = -1
  let values = 0
  let encoding = 0
  let repetitionBytes = 0
  let definitionBytes = 0
  let compressed = true
  reader.struct((field) => {
    if (field === 1) kind = reader.int()
    else if (field === 2) plainBytes = reader.int()
    else if (field === 3) storedBytes = reader.int()
    else if (field === 5 || field === 7)
      reader.inner((inner) => {
        if (inner === 1) values = reader.int()
        else if (inner === 2) encoding = reader.int()
      })
    else if (field === 8)
      reader.inner((inner) => {
        if (inner === 1) values = reader.int()
        else if (inner === 4) encoding = reader.int()
        else if (inner === 5) definitionBytes = reader.int()
        else if (inner === 6) repetitionBytes = reader.int()
        else if (inner === 7) compressed = reader.bool()
      })
  })
  const sizes = [plainBytes, storedBytes, values, definitionBytes, repetitionBytes]
  if (sizes.some((size) => !Number.isSafeInteger(size) || size < 0)) throw broken(at)
  if (definitionBytes + repetitionBytes > Math.min(plainBytes, storedBytes)) throw broken(at)
  const headerBytes = reader.at - at
  const levels = { repetitionBytes, definitionBytes, compressed }
  return { kind: KINDS[kind] ?? 'other', headerBytes, plainBytes, storedBytes, values, encoding, ...levels }
}
