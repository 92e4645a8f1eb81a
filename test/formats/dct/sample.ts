/**
 * A second decoder of packed coefficients, small and slow, written from docs/formats/dct.md alone: it shares no code
 * with the addon, so the two agree only where the page is right. This file reads a sample's header and directory.
 */

/** A sample that does not follow the page. */
export class DamagedSample extends Error {}

const SAMPLINGS = ['11', '21', '12', '22', '41'] as const
export type Sampling = (typeof SAMPLINGS)[number]

export interface Component {
  readonly index: number
  /** Blocks a row, and rows of blocks. */
  readonly across: number
  readonly down: number
  /** Samples. */
  readonly width: number
  readonly height: number
  /** 64 entries, row by row. */
  readonly table: Uint16Array
}

/** One row of blocks of one component. */
export interface Strip {
  readonly component: Component
  readonly y: number
}

export interface Sample {
  readonly form: 'plain' | 'compact'
  readonly width: number
  readonly height: number
  readonly sampling: Sampling
  readonly components: readonly Component[]
  /** By MCU row, in the order in which they are stored. */
  readonly rows: readonly (readonly Strip[])[]
  /** The bytes of each MCU row. */
  readonly rowBytes: readonly Uint8Array[]
}

const MAGIC = 0x48444354 // 'HDCT', read as big-endian
const HEADER = 16

/** One element, which must exist: the decoder never reads where nothing is. */
export function at(values: ArrayLike<number>, index: number): number {
  const value = values[index]
  if (value === undefined) throw new DamagedSample(`read at ${index} of ${values.length}`)
  return value
}

export function expect(condition: boolean, what: string): asserts condition {
  if (!condition) throw new DamagedSample(what)
}

/** `count` little-endian numbers of `size` bytes. */
export function numbers(bytes: Uint8Array, size: 1 | 2 | 4): number[] {
  return Array.from({ length: bytes.length / size }, (_, i) => {
    let value = 0
    for (let k = size - 1; k >= 0; k--) value = value * 256 + at(bytes, i * size + k)
    return value
  })
}

/** Takes runs of bytes from the front, never more than there are. */
export function taker(bytes: Uint8Array): (size: number) => Uint8Array {
  let from = 0
  return (size) => {
    expect(from + size <= bytes.length, `${size} bytes at ${from} of ${bytes.length}`)
    from += size
    return bytes.subarray(from - size, from)
  }
}

export function readSample(bytes: Uint8Array): Sample {
  const take = taker(bytes)
  const head = take(HEADER)
  const view = new DataView(head.buffer, head.byteOffset, HEADER)
  expect(view.getUint32(0) === MAGIC, 'not HDCT')
  expect(view.getUint8(4) === 1, 'version')
  const form = (['plain', 'compact'] as const)[view.getUint8(5)]
  expect(form !== undefined, 'form')
  const width = view.getUint16(6, true)
  const height = view.getUint16(8, true)
  expect(width > 0 && height > 0, 'no pixels')
  const count = view.getUint8(10)
  expect(count === 1 || count === 3, 'components')
  const sampling = SAMPLINGS.find((name) => Number.parseInt(name, 16) === view.getUint8(11))
  expect(sampling !== undefined && (count === 3 || sampling === '11'), 'sampling')
  const flags = view.getUint8(12)
  const tables = flags & 15
  expect(tables >= 1 && tables <= 3 && flags >> 6 === 0, 'flags')
  const which = view.getUint8(13)
  const tableOf = [which & 3, (which >> 2) & 3, (which >> 4) & 3] as const
  expect(which >> 6 === 0 && Math.max(...tableOf) < tables, 'which tables')
  expect(view.getUint16(14) === 0, 'reserved bytes')

  const entry = (flags & 16) === 0 ? 1 : 2
  const quantisation = Array.from({ length: tables }, () => Uint16Array.from(numbers(take(64 * entry), entry)))
  const H = Number(sampling[0])
  const V = Number(sampling[1])
  const components = Array.from({ length: count }, (_, index): Component => {
    const h = index === 0 ? H : 1
    const v = index === 0 ? V : 1
    const table = quantisation[tableOf[index] ?? tables]
    expect(table !== undefined, 'no such table')
    return {
      index,
      across: Math.ceil((width * h) / (8 * H)),
      down: Math.ceil((height * v) / (8 * V)),
      width: Math.ceil((width * h) / H),
      height: Math.ceil((height * v) / V),
      table,
    }
  })
  const rows = Array.from({ length: Math.ceil(height / (8 * V)) }, (_, m) =>
    components.flatMap((component) => {
      const v = component.index === 0 ? V : 1
      const own = Array.from({ length: v }, (_, i): Strip => ({ component, y: m * v + i }))
      return own.filter((strip) => strip.y < component.down)
    }),
  )
  const size = (flags & 32) === 0 ? 2 : 4
  const directory = numbers(take(rows.length * size), size)
  const rowBytes = directory.map((length) => take(length))
  const used = HEADER + tables * 64 * entry + rows.length * size + directory.reduce((sum, length) => sum + length, 0)
  expect(used === bytes.length, 'the rows end elsewhere than the sample')
  return { form, width, height, sampling, components, rows, rowBytes }
}
