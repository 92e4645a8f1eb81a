import type { SetEncodings } from './encodings.ts'

/** Bytes against images per second, as SVG: what every form of a cache, and every peer, costs and gives. */

const WIDTH = 720
const HEIGHT = 420
const MARGIN = { left: 70, right: 30, top: 40, bottom: 50 }
const COLOURS = ['#1f77b4', '#d62728', '#2ca02c']

interface Point {
  readonly name: string
  readonly set: number
  /** Over the JPEG. */
  readonly bytes: number
  readonly rate: number
  readonly peer: boolean
}

function pointsOf(encodings: readonly SetEncodings[]): Point[] {
  return encodings.flatMap(({ forms, rivals }, set) => {
    const jpeg = forms.find(({ form }) => form === 'jpeg')?.bytes ?? 1
    const own = forms.map(({ form, bytes, rrc }) => ({
      name: form,
      set,
      bytes: bytes / jpeg,
      rate: rrc.imagesPerSecond,
      peer: false,
    }))
    const others = rivals.flatMap(({ name, bytes, rate }) =>
      bytes === undefined ? [] : [{ name, set, bytes: bytes / jpeg, rate: rate.imagesPerSecond, peer: true }],
    )
    return [...own, ...others]
  })
}

const text = (x: number, y: number, content: string, more = ''): string =>
  `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${more}>${content.replace(/&/g, '&amp;').replace(/</g, '&lt;')}</text>`

/** Whole steps of 1, 2 or 5 times a power of ten, about five of them up to `most`. */
function stepFor(most: number): number {
  const raw = most / 5
  const power = 10 ** Math.floor(Math.log10(raw))
  return ([1, 2, 5].find((factor) => factor * power >= raw) ?? 10) * power
}

export function encodingsPlot(encodings: readonly SetEncodings[]): string {
  const points = pointsOf(encodings)
  const mostRate = Math.max(1, ...points.map(({ rate }) => rate)) * 1.08
  const mostBytes = Math.max(1.5, ...points.map(({ bytes }) => bytes)) * 1.1
  const x = (bytes: number) => MARGIN.left + (bytes / mostBytes) * (WIDTH - MARGIN.left - MARGIN.right)
  const y = (rate: number) => HEIGHT - MARGIN.bottom - (rate / mostRate) * (HEIGHT - MARGIN.top - MARGIN.bottom)
  const parts: string[] = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">`,
    '<title>RandomResizedCrop 224: images per second against bytes</title>',
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="white"/>`,
    text(
      MARGIN.left,
      20,
      'RandomResizedCrop 224, one core: images per second against bytes',
      'font-size="14" font-weight="bold"',
    ),
  ]
  const rateStep = stepFor(mostRate)
  for (let rate = 0; rate <= mostRate; rate += rateStep) {
    parts.push(`<path d="M${MARGIN.left} ${y(rate)}H${WIDTH - MARGIN.right}" stroke="#ddd"/>`)
    parts.push(text(MARGIN.left - 8, y(rate) + 4, rate.toLocaleString('en-US'), 'text-anchor="end"'))
  }
  const byteStep = stepFor(mostBytes)
  for (let bytes = 0; bytes <= mostBytes; bytes += byteStep) {
    parts.push(`<path d="M${x(bytes)} ${MARGIN.top}V${HEIGHT - MARGIN.bottom}" stroke="#eee"/>`)
    parts.push(text(x(bytes), HEIGHT - MARGIN.bottom + 18, `${Number(bytes.toFixed(2))}x`, 'text-anchor="middle"'))
  }
  parts.push(text((WIDTH + MARGIN.left) / 2, HEIGHT - 12, 'bytes, relative to the JPEG files', 'text-anchor="middle"'))
  for (const { name, set, bytes, rate, peer } of points) {
    const colour = COLOURS[set % COLOURS.length]
    const shape = peer
      ? `<path d="M${x(bytes) - 4} ${y(rate) - 4}l8 8m0-8l-8 8" stroke="${colour}" stroke-width="2"/>`
      : `<circle cx="${x(bytes).toFixed(1)}" cy="${y(rate).toFixed(1)}" r="5" fill="${colour}"/>`
    parts.push(shape)
    // names once, beside the first set's points
    if (set === 0) parts.push(text(x(bytes) + 9, y(rate) + 4, name, `fill="${colour}"`))
  }
  encodings.forEach(({ set }, i) => {
    const at = MARGIN.top + 6 + 16 * i
    parts.push(`<circle cx="${WIDTH - 400}" cy="${at}" r="5" fill="${COLOURS[i % COLOURS.length]}"/>`)
    parts.push(text(WIDTH - 390, at + 4, set.name))
  })
  parts.push('</svg>')
  return `${parts.join('\n')}\n`
}
