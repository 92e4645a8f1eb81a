import { createHash } from 'node:crypto'
import { throwIfAborted } from '../../errors.ts'
import { childrenOf, childText, escapeXml, isWritable, readXml } from '../remote/xml.ts'
import type { CallOptions, DeleteResult } from '../types.ts'
import type { S3Connection } from './connection.ts'
import { wholeKey } from './keys.ts'

/** Keys of one request: S3's limit. */
const BATCH_KEYS = 1000
/** Bytes of the body of one request: servers refuse more than 2 MB. */
const BATCH_BYTES = 2 ** 20
const BATCHES_IN_FLIGHT = 4

const OPEN = '<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Quiet>true</Quiet>'
const CLOSE = '</Delete>'

/** Keys that go in one request, in the order in which they came. */
interface Batch {
  readonly keys: string[]
  /** By the position in `keys`. */
  readonly results: (DeleteResult | undefined)[]
  /** Elements of the body. */
  readonly objects: string[]
  /** Positions in `keys` of each whole key: a key may come twice. */
  readonly positions: Map<string, number[]>
  bytes: number
}

function emptyBatch(): Batch {
  return { keys: [], results: [], objects: [], positions: new Map(), bytes: 0 }
}

/** Removes keys, 1,000 a request, several requests under way. Answers come in the order of the keys. */
export async function* deleteObjects(
  connection: S3Connection,
  keys: Iterable<string>,
  options: CallOptions,
): AsyncGenerator<DeleteResult> {
  const { signal } = options
  const underWay: Promise<readonly DeleteResult[]>[] = []
  let batch = emptyBatch()
  throwIfAborted(signal, 'delete')
  for (const key of keys) {
    add(connection, batch, key)
    if (batch.keys.length < BATCH_KEYS && batch.bytes < BATCH_BYTES) continue
    throwIfAborted(signal, 'delete')
    underWay.push(sent(connection, batch, options))
    batch = emptyBatch()
    const [first] = underWay
    if (underWay.length < BATCHES_IN_FLIGHT || first === undefined) continue
    underWay.shift()
    yield* await first
  }
  throwIfAborted(signal, 'delete')
  if (batch.keys.length > 0) underWay.push(sent(connection, batch, options))
  for (const each of underWay) yield* await each
}

function add({ config }: S3Connection, batch: Batch, key: string): void {
  const position = batch.keys.push(key) - 1
  let whole: string
  try {
    whole = wholeKey(config, key)
  } catch (error) {
    batch.results[position] = failed(key, error)
    return
  }
  const before = batch.positions.get(whole)
  if (before !== undefined) {
    before.push(position)
    return
  }
  batch.positions.set(whole, [position])
  if (!isWritable(whole)) return
  const object = `<Object><Key>${escapeXml(whole)}</Key></Object>`
  batch.objects.push(object)
  batch.bytes += object.length
}

function failed(key: string, error: unknown): DeleteResult {
  return { key, error: error instanceof Error ? error : new Error(String(error)) }
}

/** Never rejects: what fails is the answer of the keys that it fails for. */
async function sent(connection: S3Connection, batch: Batch, options: CallOptions): Promise<readonly DeleteResult[]> {
  const { keys, results, objects, positions } = batch
  const answer = (whole: string, error: unknown) => {
    // What failed is not known then: none of them may be taken for gone.
    if (!positions.has(whole)) throw error
    for (const position of positions.get(whole) ?? []) results[position] = failed(keys[position] ?? '', error)
  }
  const requests: Promise<void>[] = []
  // One key costs a server least as a request of its own, and what XML cannot write has no other.
  const alone = [...positions.keys()].filter((whole) => positions.size === 1 || !isWritable(whole))
  for (const whole of alone)
    requests.push(deleteOne(connection, whole, options).catch((error: unknown) => answer(whole, error)))
  if (positions.size > 1 && objects.length > 0)
    requests.push(
      deleteBatch(connection, objects, answer, options).catch((error: unknown) => {
        for (const whole of positions.keys()) if (isWritable(whole)) answer(whole, error)
      }),
    )
  await Promise.all(requests)
  return keys.map((key, position) => results[position] ?? { key })
}

function deleteOne(connection: S3Connection, whole: string, options: CallOptions): Promise<void> {
  return connection.send<void>(
    {
      method: 'DELETE',
      doing: 'delete',
      key: whole.slice(connection.config.root.length),
      path: whole,
      idempotent: true,
      read: () => undefined,
      failed: ({ status, code }) => (status === 404 && code !== 'NoSuchBucket' ? { value: undefined } : undefined),
    },
    options,
  )
}

function deleteBatch(
  connection: S3Connection,
  objects: readonly string[],
  answer: (whole: string, error: unknown) => void,
  options: CallOptions,
): Promise<void> {
  const body = Buffer.from(`${OPEN}${objects.join('')}${CLOSE}`)
  return connection.send(
    {
      method: 'POST',
      doing: 'delete from',
      query: [['delete', '']],
      headers: {
        'content-md5': createHash('md5').update(body).digest('base64'),
        'content-type': 'application/xml',
      },
      body: [body],
      idempotent: true,
      read: (response) => {
        const document = readXml(response.body, 'DeleteResult')
        for (const error of childrenOf(document, 'Error')) {
          const whole = childText(error, 'Key') ?? ''
          const code = childText(error, 'Code')
          // What is not there need not be deleted.
          if (code === 'NoSuchKey') continue
          const key = whole.slice(connection.config.root.length)
          const said = {
            status: 200,
            code,
            message: childText(error, 'Message'),
            requestId: undefined,
            region: undefined,
          }
          answer(whole, connection.failure({ doing: 'delete', key }, { ...said, retryAfter: undefined }))
        }
      },
    },
    options,
  )
}
