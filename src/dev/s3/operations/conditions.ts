import type { ObjectRecord } from '../disk/records.ts'
import { Refusal } from '../refusal.ts'

/** If-Match and its kin (RFC 9110, 13.1), as S3 reads them. */

type Headers = ReadonlyMap<string, string>

function failed(condition: string): Refusal {
  return new Refusal('PreconditionFailed', 'At least one of the pre-conditions you specified did not hold', {
    Condition: condition,
  })
}

/** Whether a list of entity tags has that one, quotes or none. */
function names(list: string, etag: string): boolean {
  return list.split(',').some((tag) => {
    const bare = tag
      .trim()
      .replace(/^W\//, '')
      .replace(/^"(.*)"$/, '$1')
    return bare === '*' || bare === etag
  })
}

/** Seconds are all that these headers have. */
function afterDate(modified: number, date: string): boolean | undefined {
  const time = Date.parse(date)
  return Number.isNaN(time) ? undefined : Math.floor(modified / 1000) * 1000 > time
}

/** What a read must answer instead of the object: PreconditionFailed is thrown, `not-modified` returned. */
export function readCondition(headers: Headers, { etag, modified }: ObjectRecord): 'not-modified' | undefined {
  const match = headers.get('if-match')
  if (match !== undefined) {
    if (!names(match, etag)) throw failed('If-Match')
  } else {
    const since = headers.get('if-unmodified-since')
    if (since !== undefined && afterDate(modified, since) === true) throw failed('If-Unmodified-Since')
  }
  const noneMatch = headers.get('if-none-match')
  if (noneMatch !== undefined) return names(noneMatch, etag) ? 'not-modified' : undefined
  const since = headers.get('if-modified-since')
  return since !== undefined && afterDate(modified, since) === false ? 'not-modified' : undefined
}

/** Whether an object may be written over what lies under its key now. PreconditionFailed, NoSuchKey, NotImplemented. */
export function checkWriteCondition(headers: Headers, key: string, present: ObjectRecord | undefined): void {
  const noneMatch = headers.get('if-none-match')
  if (noneMatch !== undefined) {
    if (noneMatch.trim() !== '*')
      throw new Refusal('NotImplemented', 'A header you provided implies functionality that is not implemented', {
        Header: 'If-None-Match',
        additionalMessage: "We don't accept the provided value of If-None-Match header for this API",
      })
    if (present !== undefined) throw failed('If-None-Match')
  }
  checkMatch(headers, key, present)
}

/** If-Match of a write or a delete. */
export function checkMatch(headers: Headers, key: string, present: ObjectRecord | undefined): void {
  const match = headers.get('if-match')
  if (match === undefined) return
  if (present === undefined) throw new Refusal('NoSuchKey', 'The specified key does not exist.', { Key: key })
  if (!names(match, present.etag)) throw failed('If-Match')
}

/** Conditions on the source of a copy: all of them make it fail. */
export function checkCopyCondition(headers: Headers, source: ObjectRecord): void {
  const renamed = new Map(
    [...headers]
      .filter(([name]) => name.startsWith('x-amz-copy-source-if-'))
      .map(([name, value]) => [name.slice('x-amz-copy-source-'.length), value]),
  )
  if (readCondition(renamed, source) === 'not-modified') throw failed('x-amz-copy-source-If-None-Match')
}
