import { type Answer, empty, xmlAnswer } from '../answer.ts'
import { Refusal } from '../refusal.ts'
import type { Payload } from '../request/payload.ts'
import { childText, parseXml, type XmlElement } from '../xml/read.ts'
import type { XmlNode } from '../xml/write.ts'
import { checkMatch } from './conditions.ts'
import { quoted } from './describe.ts'
import { bucketOf, type Handler, keyOf } from './types.ts'

const MAX_KEYS = 1000
/** A thousand keys of 1,024 bytes, every one of them escaped. */
const MAX_DOCUMENT_BYTES = 8 * 2 ** 20

export const deleteObject: Handler = (service, request) => {
  const bucket = bucketOf(service, request.bucket)
  const key = keyOf(request)
  checkMatch(request.headers, key, bucket.objects.get(key))
  if (bucket.objects.get(key) !== undefined) service.catalog.commit({ do: 'delete', bucket: bucket.name, keys: [key] })
  return empty(204)
}

function keysOf(root: XmlElement): readonly XmlElement[] {
  const objects = root.children.filter(({ name }) => name === 'Object')
  const whole = objects.every((object) => (childText(object, 'Key') ?? '') !== '')
  if (root.name !== 'Delete' || objects.length === 0 || objects.length > MAX_KEYS || !whole)
    throw new Refusal(
      'MalformedXML',
      'The XML you provided was not well-formed or did not validate against our published schema',
    )
  return objects
}

interface Batch {
  readonly objects: readonly XmlElement[]
  /** Whether only errors are to be told. */
  readonly quiet: boolean
}

async function readBatch(payload: Payload): Promise<Batch> {
  if (!payload.declaresDigest)
    throw new Refusal('InvalidRequest', 'Missing required header for this request: Content-MD5 OR x-amz-checksum-*')
  const root = parseXml((await payload.collect(MAX_DOCUMENT_BYTES)).toString())
  return { objects: keysOf(root), quiet: childText(root, 'Quiet')?.trim() === 'true' }
}

/** The answer to a batch of which nothing was deleted. */
export async function refuseKeys(payload: Payload, code: string, message: string): Promise<Answer> {
  const { objects } = await readBatch(payload)
  return xmlAnswer(
    'DeleteResult',
    objects.map((object) => errorNode(childText(object, 'Key') ?? '', code, message)),
  )
}

export const deleteObjects: Handler = async (service, request, payload) => {
  bucketOf(service, request.bucket)
  const { objects: wanted, quiet } = await readBatch(payload)
  const bucket = bucketOf(service, request.bucket)
  const gone: string[] = []
  const results = wanted.map((object): XmlNode => {
    const key = childText(object, 'Key') ?? ''
    const refused = refusalOf(object, bucket.objects.get(key)?.etag)
    if (refused !== undefined) return errorNode(key, ...refused)
    gone.push(key)
    return ['Deleted', [['Key', key]]]
  })
  const keys = [...new Set(gone)].filter((key) => bucket.objects.get(key) !== undefined)
  if (keys.length > 0) service.catalog.commit({ do: 'delete', bucket: bucket.name, keys })
  return xmlAnswer('DeleteResult', quiet ? results.filter(([name]) => name === 'Error') : results)
}

function errorNode(key: string, code: string, message: string): XmlNode {
  return [
    'Error',
    [
      ['Key', key],
      ['Code', code],
      ['Message', message],
    ],
  ]
}

/** Why one key of a batch stays. */
function refusalOf(object: XmlElement, etag: string | undefined): readonly [code: string, message: string] | undefined {
  const version = childText(object, 'VersionId')
  if (version !== undefined && version !== 'null') return ['NoSuchVersion', 'The specified version does not exist.']
  const wanted = childText(object, 'ETag')
  if (wanted === undefined || etag === undefined || wanted === quoted(etag) || wanted === etag) return undefined
  return ['PreconditionFailed', 'At least one of the pre-conditions you specified did not hold']
}
