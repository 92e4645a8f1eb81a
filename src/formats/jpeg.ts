import { HeadraceError } from '../errors.ts'

/** The largest side that libjpeg decodes and encodes (the format itself ends at 65,535). */
export const MAX_JPEG_SIDE = 65_500

/** What a JPEG's markers say about it, up to its first scan. */
export interface JpegInfo {
  readonly width: number
  readonly height: number
  readonly components: number
  /** Bits a sample. */
  readonly precision: number
  /** How the picture is coded; the decoders in use know sequential and progressive. */
  readonly process: 'sequential' | 'progressive' | 'lossless' | 'hierarchical'
  readonly progressive: boolean
  readonly arithmetic: boolean
  /** Chroma sampling: a usual name such as '4:2:0', 'gray', or each component's factors, such as '2x2,1x2,2x1'. */
  readonly sampling: string
  /** Adobe's colour transform (0 RGB or CMYK, 1 YCbCr, 2 YCCK) where an APP14 segment gives it. */
  readonly adobeTransform?: number
  /** An end-of-image marker follows the start of the first scan; bytes after it do not matter. */
  readonly hasEndMarker: boolean
}

export interface JpegOptions {
  /** 'skip' passes over bytes between segments as libjpeg does with a warning; 'refuse' (default) is E_CORRUPT. */
  readonly strayBytes?: 'refuse' | 'skip'
}

// Marker codes: the byte after FF. Source: ITU-T T.81, table B.1.
const TEM = 0x01
const SOF0 = 0xc0
const SOF15 = 0xcf
const DHT = 0xc4
const JPG = 0xc8
const DAC = 0xcc
const RST0 = 0xd0
const RST7 = 0xd7
const SOI = 0xd8
const EOI = 0xd9
const SOS = 0xda
const APP14 = 0xee

/** 'Adobe' at the start of an APP14 segment. */
const ADOBE = [0x41, 0x64, 0x6f, 0x62, 0x65]

/** By the low two bits of the SOF code; bit 2 set means hierarchical, bit 3 arithmetic coding. */
const PROCESSES = ['sequential', 'sequential', 'progressive', 'lossless'] as const

const SAMPLING_NAMES: Readonly<Record<string, string>> = {
  '1x1,1x1,1x1': '4:4:4',
  '2x1,1x1,1x1': '4:2:2',
  '2x2,1x1,1x1': '4:2:0',
  '1x2,1x1,1x1': '4:4:0',
  '4x1,1x1,1x1': '4:1:1',
  '4x2,1x1,1x1': '4:1:0',
  '1x1,1x1,1x1,1x1': '4:4:4',
}

const hex = (code: number): string => `FF${code.toString(16).toUpperCase().padStart(2, '0')}`

type Frame = Pick<
  JpegInfo,
  'width' | 'height' | 'components' | 'precision' | 'process' | 'progressive' | 'arithmetic' | 'sampling'
>

/** Reads a start-of-frame segment at `at` (its two length bytes). */
function readFrame(view: DataView, code: number, at: number, length: number): Frame {
  const corrupt = (reason: string): HeadraceError =>
    new HeadraceError('E_CORRUPT', `the JPEG frame header at byte ${at - 2} ${reason}`, { offset: at - 2 })
  if (length < 8) throw corrupt(`is ${length} bytes long`)
  const components = view.getUint8(at + 7)
  if (components === 0 || length !== 8 + 3 * components)
    throw corrupt(`is ${length} bytes long for ${components} components`)
  const factors: string[] = []
  for (let i = 0; i < components; i++) {
    const byte = view.getUint8(at + 9 + 3 * i)
    const across = byte >> 4
    const down = byte & 15
    if (across < 1 || across > 4 || down < 1 || down > 4) throw corrupt(`has sampling factors ${across}x${down}`)
    factors.push(`${across}x${down}`)
  }
  const names = factors.join(',')
  const height = view.getUint16(at + 3)
  const width = view.getUint16(at + 5)
  if (width === 0) throw corrupt('has a width of 0')
  if (height === 0)
    throw new HeadraceError('E_UNSUPPORTED', `the JPEG's height comes after its first scan (DNL)`, { offset: at - 2 })
  const process = (code & 4) !== 0 ? 'hierarchical' : (PROCESSES[code & 3] ?? 'sequential')
  return {
    width,
    height,
    components,
    precision: view.getUint8(at + 2),
    process,
    progressive: process === 'progressive',
    arithmetic: (code & 8) !== 0,
    sampling: components === 1 ? 'gray' : (SAMPLING_NAMES[names] ?? names),
  }
}

/** Whether an end-of-image marker follows the entropy-coded data that starts at `from`; walks all later scans. */
function endMarkerAfter(bytes: Uint8Array, from: number): boolean {
  const last = bytes.length
  // almost every file ends with the marker; only the others cost a search
  if (bytes[last - 2] === 0xff && bytes[last - 1] === EOI && last - 2 >= from) return true
  let at = from
  for (;;) {
    at = bytes.indexOf(0xff, at)
    const code = bytes[at + 1]
    if (at < 0 || code === undefined) return false
    if (code === EOI) return true
    // a stuffed FF, a fill byte, a restart: still inside the data
    if (code === 0 || code === 0xff || code === TEM || (code >= RST0 && code <= RST7)) {
      at += code === 0xff ? 1 : 2
      continue
    }
    // a table, a comment or the next scan's header: its payload may hold any bytes
    const high = bytes[at + 2]
    const low = bytes[at + 3]
    if (high === undefined || low === undefined) return false
    at += 2 + Math.max(2, high * 256 + low)
  }
}

/**
 * Walks a JPEG's markers from its start to its first scan. Segments are skipped by their length, so thumbnails and
 * comments with markers of their own inside do not matter. E_CORRUPT with the offset where the structure is broken.
 * Nothing is decoded: damage inside the entropy-coded data is not seen.
 */
export function parseJpeg(bytes: Uint8Array, options: JpegOptions = {}): JpegInfo {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const size = bytes.length
  let at = 0
  const corrupt = (reason: string): HeadraceError =>
    new HeadraceError('E_CORRUPT', `${reason} at byte ${at} of ${size}`, { offset: at })
  if (size < 2 || view.getUint16(0) !== 0xff00 + SOI) throw corrupt('no JPEG start marker (FFD8)')
  at = 2
  let frame: Frame | undefined
  let adobeTransform: number | undefined
  for (;;) {
    if (at >= size) throw corrupt('the JPEG ends before its image data')
    if (view.getUint8(at) !== 0xff) {
      if (options.strayBytes !== 'skip') throw corrupt('stray bytes where a JPEG marker belongs')
      at++
      continue
    }
    if (at + 1 >= size) throw corrupt('the JPEG ends before its image data')
    const code = view.getUint8(at + 1)
    if (code === 0xff) {
      at++ // a fill byte: any number may stand before a marker
      continue
    }
    if (code === TEM) {
      at += 2
      continue
    }
    if (code === EOI) throw corrupt('the JPEG has an end marker before any image data')
    if (code === 0 || code === SOI || (code >= RST0 && code <= RST7))
      throw corrupt(`JPEG marker ${hex(code)} out of place`)
    if (at + 4 > size) throw corrupt('the JPEG is cut in a marker')
    const length = view.getUint16(at + 2)
    if (length < 2) throw corrupt(`JPEG segment ${hex(code)} with a length of ${length}`)
    const end = at + 2 + length
    if (end > size) throw corrupt(`JPEG segment ${hex(code)} of ${length} bytes runs past the end`)

    if (code === SOS) {
      if (!frame) throw corrupt('a JPEG scan before the frame header')
      const scanned = length < 3 ? 0 : view.getUint8(at + 4)
      if (scanned < 1 || scanned > 4 || length !== 6 + 2 * scanned) throw corrupt('a malformed JPEG scan header')
      const info = { ...frame, hasEndMarker: endMarkerAfter(bytes, end) }
      return adobeTransform === undefined ? info : { ...info, adobeTransform }
    }
    if (code >= SOF0 && code <= SOF15 && code !== DHT && code !== JPG && code !== DAC) {
      if (frame) throw corrupt('a second JPEG frame header')
      frame = readFrame(view, code, at + 2, length)
    } else if (code === APP14 && length >= 14 && ADOBE.every((byte, i) => view.getUint8(at + 4 + i) === byte)) {
      adobeTransform = view.getUint8(at + 15)
    }
    at = end
  }
}
