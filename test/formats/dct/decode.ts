import { planeOf, upsamplers, writeColour } from './pixels.ts'
import { decodeRow, modelOf } from './rans.ts'
import { at, expect, readSample, type Sample } from './sample.ts'
import { coefficientsOf, cutRow, type Sections } from './strips.ts'

/** RGB of a packed picture, height x width x 3. `table`: the cache's frequencies, which the compact form needs. */
export function decodePacked(bytes: Uint8Array, table?: Uint16Array): Uint8Array {
  const sample = readSample(bytes)
  const { width, height, components } = sample
  const strips = sample.rows.flat()
  const sections = sectionsOf(sample, table)
  const coefficients = components.map((): Int16Array[] => [])
  for (const [i, strip] of strips.entries()) {
    const own = sections[i]
    expect(own !== undefined, 'a strip without sections')
    coefficients[strip.component.index]?.push(coefficientsOf(strip, own))
  }
  const [luma, cb, cr] = components.map((component, i) => planeOf(component, coefficients[i] ?? []))
  expect(luma !== undefined, 'no components')
  const out = new Uint8ClampedArray(width * height * 3)
  const chroma = upsamplers[sample.sampling]
  for (let y = 0, offset = 0; y < height; y++) {
    for (let x = 0; x < width; x++, offset += 3) {
      const Y = at(luma.samples, y * luma.stride + x)
      if (cb && cr) writeColour(out, offset, Y, chroma(cb, x, y), chroma(cr, x, y))
      else out.fill(Y, offset, offset + 3)
    }
  }
  return new Uint8Array(out.buffer)
}

/** Of all strips, in the order in which they are stored. */
function sectionsOf({ form, rows, rowBytes }: Sample, table: Uint16Array | undefined): Sections[] {
  const bytesOf = (m: number): Uint8Array => rowBytes[m] ?? new Uint8Array(0)
  if (form === 'plain') return rows.flatMap((strips, m) => cutRow(strips, bytesOf(m)))
  if (!table) throw new Error('the compact form needs the table of its cache')
  const model = modelOf(table)
  return rows.flatMap((strips, m) => decodeRow(strips, bytesOf(m), model))
}
