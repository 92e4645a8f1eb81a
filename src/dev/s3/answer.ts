import type { HeldBytes } from './disk/blobs.ts'
import { Refusal } from './refusal.ts'
import { type XmlNode, xmlDocument } from './xml/write.ts'

/** What is sent back, as plain data. */
export interface Answer {
  readonly status: number
  /** Names in lower case. Length, date and request id are added when it is sent. */
  readonly headers: Readonly<Record<string, string>>
  readonly body?: Uint8Array | HeldBytes
}

export function isHeld(body: Answer['body']): body is HeldBytes {
  return body !== undefined && !(body instanceof Uint8Array)
}

/** Bytes that the body has. */
export function bodyLength({ body }: Answer): number {
  return body?.length ?? 0
}

export function empty(status: number, headers: Answer['headers'] = {}): Answer {
  return { status, headers }
}

export function xmlAnswer(name: string, children: readonly XmlNode[], headers: Answer['headers'] = {}): Answer {
  return {
    status: 200,
    headers: { 'content-type': 'application/xml', ...headers },
    body: Buffer.from(xmlDocument(name, children)),
  }
}

/** The document that says what went wrong. */
export function errorDocument(
  {
    code,
    message,
    fields,
  }: Pick<Refusal, 'code' | 'message' | 'fields'> | { code: string; message: string; fields: Refusal['fields'] },
  resource: string,
  requestId: string,
): Buffer {
  const children: XmlNode[] = [
    ['Code', code],
    ['Message', message],
    ...Object.entries(fields),
    ['Resource', resource],
    ['RequestId', requestId],
  ]
  return Buffer.from(xmlDocument('Error', children, ''))
}

/** Anything but a Refusal is a defect of the server, or of the disk under it. */
export function refusalAnswer(error: unknown, resource: string, requestId: string): Answer {
  const refusal =
    error instanceof Refusal
      ? error
      : new Refusal('InternalError', 'We encountered an internal error. Please try again.')
  return {
    status: refusal.status,
    headers: { 'content-type': 'application/xml', ...refusal.headers },
    body: errorDocument(refusal, resource, requestId),
  }
}
