import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Blobs } from './blobs.ts'
import { Journal } from './journal.ts'
import { OrderedMap } from './keys.ts'
import type { Change, ObjectRecord, PartRecord, UploadRecord } from './records.ts'

export interface Upload extends UploadRecord {
  readonly parts: ReadonlyMap<number, PartRecord>
}

export interface Bucket {
  readonly name: string
  /** Milliseconds since 1970. */
  readonly created: number
  readonly objects: OrderedMap<ObjectRecord>
  readonly uploads: ReadonlyMap<string, Upload>
}

interface OpenUpload extends UploadRecord {
  readonly parts: Map<number, PartRecord>
}

interface OpenBucket extends Bucket {
  readonly uploads: Map<string, OpenUpload>
}

/** Journals below this are not worth writing anew. */
const SMALL_JOURNAL_BYTES = 65_536

/**
 * Buckets, objects and uploads: in memory, and in a journal from which the memory comes back. Changes are made by
 * `commit`, which is one synchronous step, so a condition that was looked at in the same turn still holds.
 */
export class Catalog {
  readonly blobs: Blobs
  readonly #buckets: OrderedMap<OpenBucket>
  readonly #journal: Journal

  private constructor(blobs: Blobs, buckets: OrderedMap<OpenBucket>, journal: Journal) {
    this.blobs = blobs
    this.#buckets = buckets
    this.#journal = journal
  }

  /** What lies in the folder from earlier runs, which may have been killed. E_CORRUPT, E_UNSUPPORTED. */
  static async open(folder: string): Promise<Catalog> {
    const path = join(folder, 'journal')
    const buckets = new OrderedMap<OpenBucket>()
    let changes = 0
    let journal = await Journal.open(path, (change) => {
      changes++
      apply(buckets, change)
    })
    const live = [...changesOf(buckets)]
    if (changes > 2 * live.length && (await stat(path)).size > SMALL_JOURNAL_BYTES) {
      journal.close()
      await Journal.rewrite(path, live)
      journal = await Journal.open(path, () => {})
    }
    const blobs = new Blobs(join(folder, 'blobs'))
    await blobs.sweep(namedBlobs(buckets))
    return new Catalog(blobs, buckets, journal)
  }

  bucket(name: string): Bucket | undefined {
    return this.#buckets.get(name)
  }

  /** In order of their names. */
  *buckets(): Generator<Bucket> {
    for (const [, bucket] of this.#buckets.from('')) yield bucket
  }

  commit(change: Change): void {
    this.#journal.append(change)
    this.blobs.drop(apply(this.#buckets, change))
  }

  async close(): Promise<void> {
    this.#journal.close()
    await this.blobs.close()
  }
}

/** The blobs that nothing names after the change. */
function apply(buckets: OrderedMap<OpenBucket>, change: Change): readonly string[] {
  if (change.do === 'create-bucket') {
    const { bucket: name, created } = change
    buckets.set(name, { name, created, objects: new OrderedMap(), uploads: new Map() })
    return []
  }
  const bucket = buckets.get(change.bucket)
  if (bucket === undefined) throw new Error(`there is no bucket ${JSON.stringify(change.bucket)}`)
  switch (change.do) {
    case 'delete-bucket':
      buckets.delete(bucket.name)
      return [...bucket.uploads.values()].flatMap(partBlobs)
    case 'put':
      return put(bucket, change.object, change.upload)
    case 'delete':
      return change.keys.flatMap((key) => {
        const gone = bucket.objects.get(key)
        bucket.objects.delete(key)
        return objectBlobs(gone)
      })
    case 'create-upload':
      bucket.uploads.set(change.upload.id, { ...change.upload, parts: new Map() })
      return []
    case 'put-part': {
      const parts = uploadOf(bucket, change.upload).parts
      const before = parts.get(change.part.number)
      parts.set(change.part.number, change.part)
      return before === undefined ? [] : [before.blob.id]
    }
    case 'abort': {
      const upload = uploadOf(bucket, change.upload)
      bucket.uploads.delete(upload.id)
      return partBlobs(upload)
    }
    default:
      throw new Error(`there is no change ${JSON.stringify((change as { do: unknown }).do)}`)
  }
}

function put(bucket: OpenBucket, object: ObjectRecord, uploadId: string | undefined): readonly string[] {
  const freed = [...objectBlobs(bucket.objects.get(object.key))]
  bucket.objects.set(object.key, object)
  if (uploadId === undefined) return freed
  const upload = uploadOf(bucket, uploadId)
  bucket.uploads.delete(uploadId)
  const used = new Set(objectBlobs(object))
  return [...freed, ...partBlobs(upload).filter((id) => !used.has(id))]
}

function uploadOf(bucket: OpenBucket, id: string): OpenUpload {
  const upload = bucket.uploads.get(id)
  if (upload === undefined) throw new Error(`there is no upload ${JSON.stringify(id)}`)
  return upload
}

function objectBlobs(object: ObjectRecord | undefined): readonly string[] {
  return object?.blobs.map(({ id }) => id) ?? []
}

function partBlobs({ parts }: Upload): readonly string[] {
  return [...parts.values()].map(({ blob }) => blob.id)
}

function namedBlobs(buckets: OrderedMap<OpenBucket>): ReadonlySet<string> {
  const named = new Set<string>()
  for (const { objects, uploads } of buckets.values()) {
    for (const object of objects.values()) for (const id of objectBlobs(object)) named.add(id)
    for (const upload of uploads.values()) for (const id of partBlobs(upload)) named.add(id)
  }
  return named
}

/** The shortest way to the same state. */
function* changesOf(buckets: OrderedMap<OpenBucket>): Generator<Change> {
  for (const { name: bucket, created, objects, uploads } of buckets.values()) {
    yield { do: 'create-bucket', bucket, created }
    for (const object of objects.values()) yield { do: 'put', bucket, object }
    for (const { parts, ...upload } of uploads.values()) {
      yield { do: 'create-upload', bucket, upload }
      for (const part of parts.values()) yield { do: 'put-part', bucket, upload: upload.id, part }
    }
  }
}
