import { HeadraceError } from '../../errors.ts'

/**
 * A small reader of what S3 servers answer. The input is untrusted: no document types, no entities but XML's five and
 * numeric ones, bounded depth and size. Attributes are passed over; of mixed content only the text before an element's
 * end is kept.
 */

/** Elements within each other; S3's answers have up to five. */
const MAX_DEPTH = 32
/** Bytes; a page of 1,000 keys of 1,024 letters, each written as `%XX%XX%XX%XX`, is 13 MB. */
const MAX_BYTES = 64 * 2 ** 20
/** Letters: element names longer than any of S3's. */
const MAX_NAME = 256
const MAX_PLAIN = 256

export interface XmlHandler {
  open?(name: string): void
  /** `text` is what stood directly in the element after its last child. */
  close(name: string, text: string): void
}

const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" }

function refuse(reason: string): never {
  throw new HeadraceError('E_CORRUPT', `the answer is not the XML that it should be: ${reason}`)
}

function entity(body: string): string {
  const named = Object.hasOwn(ENTITIES, body) ? ENTITIES[body] : undefined
  if (named !== undefined) return named
  const code = /^#\d{1,7}$/.test(body)
    ? Number(body.slice(1))
    : /^#x[0-9a-f]{1,6}$/i.test(body)
      ? Number.parseInt(body.slice(2), 16)
      : Number.NaN
  // Half a surrogate pair is no character.
  if (!(code > 0 && code <= 0x10ffff) || (code >= 0xd800 && code < 0xe000)) refuse(`the reference &${body};`)
  return String.fromCodePoint(code)
}

/** Names of entities and numbers are no longer. */
const MAX_REFERENCE = 12

function decodeText(text: string): string {
  let amp = text.indexOf('&')
  if (amp < 0) return text
  let decoded = ''
  let from = 0
  for (; amp >= 0; amp = text.indexOf('&', from)) {
    const end = text.indexOf(';', amp)
    if (end < 0 || end - amp > MAX_REFERENCE) refuse('an & that begins no reference')
    decoded += text.slice(from, amp) + entity(text.slice(amp + 1, end))
    from = end + 1
  }
  return decoded + text.slice(from)
}

/** A tag's name: up to white space, `/` or the end. Attributes may hold `>` only within quotes. */
function tagEnd(xml: string, from: number): number {
  let quote = 0
  for (let at = from; at < xml.length; at++) {
    const unit = xml.charCodeAt(at)
    if (quote !== 0) {
      if (unit === quote) quote = 0
    } else if (unit === 0x22 || unit === 0x27) quote = unit
    else if (unit === 0x3e) return at
    else if (unit === 0x3c) refuse('< within a tag')
  }
  return refuse('it ends within a tag')
}

function skipTo(xml: string, end: string, from: number): number {
  const at = xml.indexOf(end, from)
  if (at < 0) refuse('it ends too early')
  return at
}

const NAME = /^[A-Za-z_][\w.:-]*/

function nameOf(tag: string): string {
  const [name] = NAME.exec(tag) ?? []
  if (name === undefined || name.length > MAX_NAME) return refuse('a tag without a name')
  if (name.length < tag.length && !/^[\s/]/.test(tag.slice(name.length))) refuse('a tag with an odd name')
  return name
}

/** Calls the handler for every element of a document, in order. E_CORRUPT where it is not one whole document. */
export function scanXml(body: Uint8Array | string, handler: XmlHandler): void {
  if (body.length > MAX_BYTES) refuse(`it has ${body.length} bytes`)
  const xml = typeof body === 'string' ? body : Buffer.from(body.buffer, body.byteOffset, body.length).toString('utf8')
  const names: string[] = []
  // Tags without attributes that were looked at before: a list has a handful of them, thousands of times.
  const plain = new Set<string>()
  let at = xml.charCodeAt(0) === 0xfeff ? 1 : 0
  /** What stood before a comment or CDATA, which end no element. */
  let before = ''
  let ended = false
  for (;;) {
    const open = xml.indexOf('<', at)
    if (open < 0) break
    if (names.length === 0 && !isBlank(xml, at, open)) refuse('text outside of its element')
    const next = xml.charCodeAt(open + 1)
    if (next === 0x2f) {
      const name = names.pop()
      if (name === undefined || !xml.startsWith(name, open + 2)) refuse(misplaced(xml, open, name))
      const end = open + 2 + name.length
      const close = xml.charCodeAt(end) === 0x3e ? end : skipTo(xml, '>', end)
      if (!isBlank(xml, end, close)) refuse(misplaced(xml, open, name))
      handler.close(name, decodeText(before === '' ? xml.slice(at, open) : before + xml.slice(at, open)))
      before = ''
      ended = names.length === 0
      at = close + 1
    } else if (next === 0x3f) {
      before += xml.slice(at, open)
      at = skipTo(xml, '?>', open) + 2
    } else if (next === 0x21) {
      before += xml.slice(at, open)
      if (xml.startsWith('<!--', open)) at = skipTo(xml, '-->', open + 4) + 3
      else if (xml.startsWith('<![CDATA[', open) && names.length > 0) {
        const close = skipTo(xml, ']]>', open)
        before += xml.slice(open + 9, close).replaceAll('&', '&amp;')
        at = close + 3
      } else refuse('it has a document type')
    } else {
      if (ended) refuse('there is a second document behind it')
      let close = skipTo(xml, '>', open)
      let name = xml.slice(open + 1, close)
      let empty = false
      if (!plain.has(name)) {
        close = tagEnd(xml, open + 1)
        empty = xml.charCodeAt(close - 1) === 0x2f
        const tag = xml.slice(open + 1, empty ? close - 1 : close)
        name = nameOf(tag)
        if (!empty && name.length === tag.length && plain.size < MAX_PLAIN) plain.add(name)
      }
      handler.open?.(name)
      if (empty) {
        handler.close(name, '')
        ended = names.length === 0
      } else if (names.push(name) > MAX_DEPTH) refuse(`elements are nested more than ${MAX_DEPTH} deep`)
      before = ''
      at = close + 1
    }
  }
  if (!isBlank(xml, at, xml.length)) refuse(names.length > 0 ? 'it ends too early' : 'text outside of its element')
  if (!ended) refuse('it ends too early')
}

function isBlank(xml: string, from: number, to: number): boolean {
  for (let at = from; at < to; at++) {
    const unit = xml.charCodeAt(at)
    if (unit !== 0x20 && unit !== 0x0a && unit !== 0x0d && unit !== 0x09) return false
  }
  return true
}

function misplaced(xml: string, open: number, name: string | undefined): string {
  return `${xml.slice(open, open + 32)} ends ${name ?? 'nothing'}`
}

export interface XmlElement {
  readonly name: string
  readonly text: string
  readonly children: readonly XmlElement[]
}

/** A document as a tree, for the answers that are small. E_CORRUPT where its root is not one of those named. */
export function readXml(body: Uint8Array | string, ...roots: readonly string[]): XmlElement {
  const open: XmlElement[][] = [[]]
  scanXml(body, {
    open: () => open.push([]),
    close: (name, text) => {
      const children = open.pop() ?? []
      open.at(-1)?.push({ name, text, children })
    },
  })
  const root = open[0]?.[0]
  if (root === undefined || !roots.includes(root.name)) return refuse(`its root is ${root?.name}, not ${roots[0]}`)
  return root
}

export function childText(element: XmlElement, name: string): string | undefined {
  return element.children.find((child) => child.name === name)?.text
}

export function childrenOf(element: XmlElement, name: string): readonly XmlElement[] {
  return element.children.filter((child) => child.name === name)
}

/** Control characters other than tab and line ends, and two non-characters: XML 1.0 has no way to write them. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const UNWRITABLE = /[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/

export function isWritable(text: string): boolean {
  return !UNWRITABLE.test(text)
}

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  // Readers turn plain line ends into one kind, and some trim white space.
  '\t': '&#9;',
  '\n': '&#10;',
  '\r': '&#13;',
}

/** Text of an element; to be asked for `isWritable` before. */
export function escapeXml(text: string): string {
  return /[&<>\t\n\r]/.test(text) ? text.replace(/[&<>\t\n\r]/g, (letter) => ESCAPES[letter] ?? letter) : text
}
