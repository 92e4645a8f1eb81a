import { timestampFormatter } from './timestamp.ts'
import type { OpRecord } from './types.ts'

/**
 * A record as a line. The columns are those of s3dlio's op-log and of MinIO warp, which read ours: they look columns up
 * by name, and `offset` is one more.
 */
export const COLUMNS = [
  'idx',
  'thread',
  'op',
  'client_id',
  'n_objects',
  'bytes',
  'endpoint',
  'file',
  'error',
  'start',
  'first_byte',
  'end',
  'duration_ns',
  'offset',
] as const

export type Column = (typeof COLUMNS)[number]

export type RowFormat = 'tsv' | 'json'

/** What would end a field, or be taken for a quoted one (RFC 4180, with tabs). */
const NEEDS_QUOTES = /["\t\r\n]|^\s|\s$/

function field(text: string): string {
  return NEEDS_QUOTES.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

function durationOf({ start, end }: OpRecord): number {
  return Math.max(0, Math.round((end - start) * 1e6))
}

/** Gives lines, each with its newline. */
export function rowFormatter(format: RowFormat): (record: OpRecord, index: number) => string {
  const time = timestampFormatter()
  if (format === 'tsv')
    return (record, index) => {
      const { worker, op, client = '', objects, bytes, endpoint, url, error = '', start, firstByte, end } = record
      const first = firstByte === undefined ? '' : time(firstByte)
      return `${index}\t${worker}\t${field(op)}\t${field(client)}\t${objects}\t${bytes}\t${field(endpoint)}\t${field(url)}\t${field(error)}\t${time(start)}\t${first}\t${time(end)}\t${durationOf(record)}\t${record.offset ?? ''}\n`
    }
  return (record, index) => {
    const { worker, op, client, objects, bytes, endpoint, url, error, start, firstByte, end, offset } = record
    const columns: Partial<Record<Column, string | number | undefined>> = {
      idx: index,
      thread: worker,
      op,
      client_id: client,
      n_objects: objects,
      bytes,
      endpoint,
      file: url,
      error,
      start: time(start),
      first_byte: firstByte === undefined ? undefined : time(firstByte),
      end: time(end),
      duration_ns: durationOf(record),
      offset,
    }
    return `${JSON.stringify(columns)}\n`
  }
}

/** What stands before the first record. */
export function headOf(format: RowFormat): string {
  return format === 'tsv' ? `${COLUMNS.join('\t')}\n` : ''
}
