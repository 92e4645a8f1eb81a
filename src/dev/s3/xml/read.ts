import { Refusal } from '../refusal.ts'

export interface XmlElement {
  readonly name: string
  /** What stands between the tags, markup aside. */
  readonly text: string
  readonly children: readonly XmlElement[]
}

/** Deeper than any request that S3 knows. */
const MAX_DEPTH = 16

const NAMED: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

/** One piece of markup, or the text up to the next one. */
const TOKEN =
  /<!--[\s\S]*?-->|<\?[\s\S]*?\?>|<!\[CDATA\[([\s\S]*?)\]\]>|<\/([^\s<>/]+)\s*>|<([A-Za-z_][^\s<>/]*)((?:\s+[^\s=<>/]+\s*=\s*(?:"[^"<]*"|'[^'<]*'))*)\s*(\/?)>|([^<]+)/y

function malformed(): Refusal {
  return new Refusal(
    'MalformedXML',
    'The XML you provided was not well-formed or did not validate against our published schema',
  )
}

function decodeEntities(text: string): string {
  return text
    .replace(/\r\n?/g, '\n')
    .replace(/&(?:#x([0-9a-f]{1,6})|#(\d{1,7})|(\w+));|&/gi, (_, hex, decimal, name) => {
      if (name !== undefined && Object.hasOwn(NAMED, name)) return NAMED[name] ?? ''
      const point = hex === undefined ? Number(decimal ?? Number.NaN) : Number.parseInt(hex, 16)
      if (!(point >= 1 && point <= 0x10ffff) || (point >= 0xd800 && point < 0xe000)) throw malformed()
      return String.fromCodePoint(point)
    })
}

interface Open {
  readonly name: string
  text: string
  readonly children: XmlElement[]
}

/** The root of a request's document. MalformedXML for anything else, document type declarations included. */
export function parseXml(source: string): XmlElement {
  const text = source.replace(/^\uFEFF/, '')
  const top: Open = { name: '', text: '', children: [] }
  const stack: Open[] = [top]
  const token = new RegExp(TOKEN)
  while (token.lastIndex < text.length) {
    const match = token.exec(text)
    const current = stack.at(-1)
    if (match === null || current === undefined) throw malformed()
    const [, cdata, closed, opened, , empty, words] = match
    if (cdata !== undefined) current.text += cdata
    else if (words !== undefined) current.text += decodeEntities(words)
    else if (opened !== undefined) {
      const element: Open = { name: localName(opened), text: '', children: [] }
      if (stack.length > MAX_DEPTH) throw malformed()
      current.children.push(element)
      if (empty !== '/') stack.push(element)
    } else if (closed !== undefined) {
      if (stack.length < 2 || current.name !== localName(closed)) throw malformed()
      stack.pop()
    }
  }
  const [root, ...others] = top.children
  if (stack.length !== 1 || root === undefined || others.length > 0 || top.text.trim() !== '') throw malformed()
  return root
}

function localName(name: string): string {
  return name.slice(name.indexOf(':') + 1)
}

/** The text of an element's first child of that name. */
export function childText(element: XmlElement, name: string): string | undefined {
  return element.children.find((child) => child.name === name)?.text
}
