/** An element: its name, and its text or its children. Undefined content leaves the element out. */
export type XmlNode = readonly [name: string, content: string | number | boolean | undefined | readonly XmlNode[]]

/** What S3's documents declare. */
export const S3_NAMESPACE = 'http://s3.amazonaws.com/doc/2006-03-01/'

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
}

/** Control characters become numeric references, as S3 writes them, though XML 1.0 knows only three of them. */
function escapeXml(text: string): string {
  return text.replace(/[&<>"\p{Cc}\uFFFE\uFFFF]/gu, (c) => ENTITIES[c] ?? `&#x${(c.codePointAt(0) ?? 0).toString(16)};`)
}

function render([name, content]: XmlNode): string {
  if (content === undefined) return ''
  const inner = typeof content === 'object' ? content.map(render).join('') : escapeXml(String(content))
  return `<${name}>${inner}</${name}>`
}

/** A whole document, as S3 declares it; of errors without a namespace, which is ''. */
export function xmlDocument(name: string, children: readonly XmlNode[], namespace = S3_NAMESPACE): string {
  const attribute = namespace === '' ? '' : ` xmlns="${namespace}"`
  return `<?xml version="1.0" encoding="UTF-8"?>\n<${name}${attribute}>${children.map(render).join('')}</${name}>`
}
