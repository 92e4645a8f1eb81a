import { HeadraceError } from '../../errors.ts'
import type { HttpResponse } from '../http/types.ts'
import { childText, readXml, type XmlElement } from '../remote/xml.ts'
import type { S3Connection } from './connection.ts'
import { readServerError } from './errors.ts'

/** The answer's document; an error inside a 200, as S3 gives where work takes longer, is one. */
export function readAnswer(
  connection: S3Connection,
  operation: { readonly doing: string; readonly key: string },
  response: HttpResponse,
  root: string,
): XmlElement {
  const document = readXml(response.body, root, 'Error')
  if (document.name === 'Error') throw connection.failure(operation, readServerError(response))
  return document
}

export function requiredText(element: XmlElement, name: string): string {
  const text = childText(element, name)
  if (text === undefined || text === '')
    throw new HeadraceError('E_CORRUPT', `the answer has no ${name} in ${element.name}`)
  return text
}
