import { writeFile } from 'node:fs/promises'
import { show } from '../../checks.ts'
import { fromSystemError, HeadraceError } from '../../errors.ts'
import type { Histogram } from '../../histogram.ts'

/** Draws latencies as histograms: a row an operation, one logarithmic axis. */

/** Pixels. */
const WIDTH = 900
const LEFT = 150
const RIGHT = 24
const TOP = 84
const ROW = 96
const ROW_GAP = 26
const AXIS = 46
const PLOT = WIDTH - LEFT - RIGHT

/** Of Okabe and Ito: told apart by colour-blind people, too. */
const COLOURS: Readonly<Record<string, string>> = {
  GET: '#0072B2',
  GET_RANGE: '#56B4E9',
  PUT: '#D55E00',
  LIST: '#009E73',
  DELETE: '#CC79A7',
  DELETE_BATCH: '#882255',
  HEAD: '#E69F00',
  STAT: '#E69F00',
}
const OTHER_COLOURS = ['#555555', '#117733', '#332288', '#AA4499', '#999933']

const INK = '#222222'
const FAINT = '#6b6b6b'
const GRID = '#e3e3e3'

/** Rows that are drawn; the most frequent. */
const MAX_ROWS = 12
/** Bars of the whole axis. */
const BARS = 145

export interface LatencyRow {
  readonly op: string
  /** Milliseconds. */
  readonly latency: Histogram
  /** Beside the name: what else is to be said of it, a line each. */
  readonly notes: readonly string[]
}

export interface LatencyPlot {
  readonly title: string
  readonly subtitle: string
  readonly rows: readonly LatencyRow[]
}

function escaped(text: string): string {
  // Control characters have no place in XML, escaped or not.
  return text
    .replace(/\p{Cc}|\p{Surrogate}/gu, '\ufffd')
    .replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`)
}

interface TextStyle {
  readonly size?: number
  readonly colour?: string
  readonly anchor?: 'start' | 'middle' | 'end'
  readonly bold?: boolean
}

function label(x: number, y: number, text: string, style: TextStyle = {}): string {
  const { size = 12, colour = INK, anchor = 'start', bold = false } = style
  return `<text x="${round(x)}" y="${round(y)}" font-size="${size}" fill="${colour}" text-anchor="${anchor}"${bold ? ' font-weight="bold"' : ''}>${escaped(text)}</text>`
}

const round = (value: number) => Number(value.toFixed(2))

function line(x1: number, y1: number, x2: number, y2: number, colour: string, more = ''): string {
  return `<line x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}" stroke="${colour}"${more}/>`
}

/** '250 us', '1.2 ms', '30 s': three digits. */
export function formatLatency(milliseconds: number): string {
  const [value, unit] =
    milliseconds < 0.9995
      ? [milliseconds * 1000, 'us']
      : milliseconds < 999.5
        ? [milliseconds, 'ms']
        : [milliseconds / 1000, 's']
  return `${Number(value.toPrecision(3))} ${unit}`
}

/** Powers of ten around all values, at least one decade. */
function decadesOf(rows: readonly LatencyRow[]): { readonly low: number; readonly high: number } {
  const least = Math.min(...rows.map(({ latency }) => latency.quantile(0)))
  const most = Math.max(...rows.map(({ latency }) => latency.max))
  // A nanosecond: the logarithm of 0 is nowhere.
  const low = Math.floor(Math.log10(Math.max(least, 1e-6)))
  return { low, high: Math.max(low + 1, Math.ceil(Math.log10(Math.max(most, 1e-6)) + 1e-9)) }
}

/** The plot as a document of SVG. What has no successes is left out. */
export function latencySvg({ title, subtitle, rows: all }: LatencyPlot): string {
  const rows = all.filter(({ latency }) => latency.count > 0).slice(0, MAX_ROWS)
  const height = TOP + Math.max(1, rows.length) * (ROW + ROW_GAP) + AXIS
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" font-family="DejaVu Sans, Verdana, Helvetica, Arial, sans-serif">`,
    `<title>${escaped(title)}</title>`,
    `<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>`,
    label(20, 32, title, { size: 18, bold: true }),
    label(20, 53, subtitle, { colour: FAINT }),
  ]
  if (rows.length === 0)
    parts.push(label(WIDTH / 2, TOP + ROW / 2, 'no operation that succeeded', { anchor: 'middle', colour: FAINT }))
  else parts.push(...legend(), ...drawn(rows, height))
  parts.push('</svg>')
  return `${parts.join('\n')}\n`
}

function legend(): string[] {
  const y = 28
  return [
    line(WIDTH - 222, y - 10, WIDTH - 222, y + 4, INK, ' stroke-width="2"'),
    label(WIDTH - 214, y, 'half are below'),
    line(WIDTH - 104, y - 10, WIDTH - 104, y + 4, INK, ' stroke-width="2" stroke-dasharray="3 2"'),
    label(WIDTH - 96, y, '99 % below'),
    label(WIDTH - RIGHT, 53, 'height: share of the operation, of its highest bar', {
      size: 11,
      colour: FAINT,
      anchor: 'end',
    }),
  ]
}

function drawn(rows: readonly LatencyRow[], height: number): string[] {
  const { low, high } = decadesOf(rows)
  const x = (milliseconds: number) => LEFT + (PLOT * (Math.log10(Math.max(milliseconds, 1e-6)) - low)) / (high - low)
  const bottom = height - AXIS
  const parts: string[] = []
  for (let decade = low; decade <= high; decade++) {
    const at = x(10 ** decade)
    parts.push(line(at, TOP - 8, at, bottom, GRID))
    parts.push(
      label(at, bottom + 18, formatLatency(10 ** decade), { anchor: decade === high ? 'end' : 'middle', size: 12 }),
    )
    if (decade < high && high - low <= 5)
      for (const step of [2, 5]) {
        parts.push(line(x(step * 10 ** decade), bottom - 4, x(step * 10 ** decade), bottom, FAINT))
        parts.push(
          label(x(step * 10 ** decade), bottom + 16, String(step), { anchor: 'middle', size: 9, colour: FAINT }),
        )
      }
  }
  parts.push(label(LEFT + PLOT / 2, bottom + 38, 'latency, logarithmic', { anchor: 'middle', colour: FAINT, size: 11 }))
  const edges = Array.from({ length: BARS + 1 }, (_, i) => 10 ** (low + ((high - low) * i) / BARS))
  let others = 0
  for (const [i, row] of rows.entries()) {
    const colour = COLOURS[row.op] ?? (OTHER_COLOURS[others++ % OTHER_COLOURS.length] as string)
    parts.push(...drawnRow(row, TOP + i * (ROW + ROW_GAP) + ROW_GAP, colour, edges, x))
  }
  return parts
}

function drawnRow(
  { op, latency, notes }: LatencyRow,
  top: number,
  colour: string,
  edges: readonly number[],
  x: (milliseconds: number) => number,
): string[] {
  const base = top + ROW
  const counts = latency.binned(edges)
  const highest = Math.max(...counts)
  const width = PLOT / counts.length
  const bars = counts.flatMap((count, i) => {
    if (count === 0) return []
    // A single slow operation must still be seen.
    const tall = Math.max(1.5, (ROW * count) / highest)
    return [
      `<rect x="${round(LEFT + i * width)}" y="${round(base - tall)}" width="${round(Math.max(1, width - 0.8))}" height="${round(tall)}"/>`,
    ]
  })
  const name = op.length > 16 ? `${op.slice(0, 15)}…` : op
  const parts = [
    line(LEFT, base, WIDTH - RIGHT, base, FAINT),
    `<g fill="${colour}" fill-opacity="0.85">${bars.join('')}</g>`,
    label(20, top + 26, name, { size: 14, bold: true, colour }),
    ...notes.map((note, i) => label(20, top + 44 + 15 * i, note, { size: 11, colour: FAINT })),
  ]
  const half = latency.quantile(0.5)
  const most = latency.quantile(0.99)
  const left = x(half)
  const right = x(most)
  parts.push(line(left, top - 4, left, base, INK, ' stroke-width="1.5"'))
  parts.push(line(right, top - 4, right, base, INK, ' stroke-width="1.5" stroke-dasharray="4 3"'))
  const p50 = `p50 ${formatLatency(half)}`
  const p99 = `p99 ${formatLatency(most)}`
  // The one to the left, the other to the right of its line, unless that is out of the picture.
  const roomLeft = left - LEFT > 86
  const roomRight = WIDTH - RIGHT - right > 86
  if (roomLeft && roomRight) {
    parts.push(label(left - 4, top - 6, p50, { size: 11, anchor: 'end' }), label(right + 4, top - 6, p99, { size: 11 }))
  } else if (roomLeft) {
    parts.push(label(Math.min(left, right - 8) - 4, top - 6, `${p50},  ${p99}`, { size: 11, anchor: 'end' }))
  } else {
    parts.push(label(right + 4, top - 6, `${p50},  ${p99}`, { size: 11 }))
  }
  return parts
}

/** E_USAGE for a name that is neither .svg nor .png. */
export function plotFormat(path: string): 'svg' | 'png' {
  const [, format] = /[^/]\.(svg|png)$/i.exec(path) ?? []
  if (format === undefined) throw new HeadraceError('E_USAGE', `a plot must end in .svg or .png, but got ${show(path)}`)
  return format.toLowerCase() as 'svg' | 'png'
}

/** Draws into a file, by its name; PNG at twice the size, for screens that have it. */
export async function writeLatencyPlot(path: string, plot: LatencyPlot): Promise<void> {
  const format = plotFormat(path)
  const svg = latencySvg(plot)
  try {
    if (format === 'svg') return await writeFile(path, svg)
    const { default: sharp } = await import('sharp')
    // 72 dpi is SVG's pixel in librsvg.
    await writeFile(path, await sharp(Buffer.from(svg), { density: 144 }).png().toBuffer())
  } catch (error) {
    throw fromSystemError(error, `cannot draw ${path}`, { path })
  }
}
