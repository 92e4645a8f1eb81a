import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { decodeOne } from './decode-one.ts'

interface Case {
  readonly clip: readonly [number, number, number, number]
  readonly box?: readonly [number, number, number, number]
  readonly out: readonly [number, number]
}

const folder = new URL('../fixtures/pil/', import.meta.url)
const { cases } = JSON.parse(readFileSync(new URL('resize.json', folder), 'utf8')) as { cases: readonly Case[] }
const golden = gunzipSync(readFileSync(new URL('resize.bin.gz', folder)))
const source = readFileSync(new URL('../fixtures/awkward/odd_333x251.jpg', import.meta.url))
const rect = ([x, y, width, height]: readonly [number, number, number, number]) => ({ x, y, width, height })

describe("resize is within 1 of Pillow's antialiased bilinear", () => {
  let at = 0
  it.each(cases.map((c) => [`clip ${c.clip} box ${c.box ?? 'all'} to ${c.out}`, c] as const))(
    '%s',
    async (_, { clip, box, out }) => {
      const [width, height] = out
      const { bytes } = await decodeOne(source, 333, 251, {
        clip: rect(clip),
        ...(box === undefined ? {} : { box: rect(box) }),
        width,
        height,
      })
      const expected = golden.subarray(at, at + bytes.length)
      at += bytes.length
      expect(expected.length).toBe(bytes.length)
      let worst = 0
      let off = 0
      for (let i = 0; i < bytes.length; i++) {
        const difference = Math.abs((bytes[i] as number) - (expected[i] as number))
        worst = Math.max(worst, difference)
        if (difference > 0) off++
      }
      expect(worst).toBeLessThanOrEqual(1)
      // Pillow rounds between its passes; most samples agree all the same.
      expect(off / bytes.length).toBeLessThan(0.25)
    },
  )

  it('and the golden file holds nothing else', () => expect(at).toBe(golden.length))
})
