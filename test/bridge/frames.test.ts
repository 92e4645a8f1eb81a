import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FrameReader, jsonFrame } from '../../src/bridge/frames.ts'
import { frameOf } from './engine-client.ts'

function read(chunks: readonly Buffer[]): [number, string][] {
  const found: [number, string][] = []
  const reader = new FrameReader((kind, payload) => found.push([kind, payload.toString('latin1')]))
  for (const chunk of chunks) reader.push(chunk)
  return found
}

describe('frames', () => {
  it('come whole however the socket cuts and joins them', () => {
    const frame = fc.tuple(fc.integer({ min: 0, max: 255 }), fc.uint8Array({ maxLength: 40 }))
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 10 }), fc.array(fc.nat(600), { maxLength: 20 }), (frames, places) => {
        const bytes = Buffer.concat(frames.map(([kind, payload]) => frameOf(kind, payload)))
        const cuts = [0, ...places.filter((place) => place < bytes.length).sort((a, b) => a - b), bytes.length]
        const chunks = cuts.slice(1).map((cut, i) => bytes.subarray(cuts[i], cut))
        const wanted = frames.map(([kind, payload]) => [kind, Buffer.from(payload).toString('latin1')])
        expect(read(chunks)).toEqual(wanted)
      }),
    )
  })

  it('hold JSON, behind a number where their kind has one', () => {
    expect(jsonFrame(3, { a: 'é' }).toString('hex')).toBe(`0a00000003000000${Buffer.from('{"a":"é"}').toString('hex')}`)
    expect(jsonFrame(4, {}, 7).toString('hex')).toBe('0600000004000000070000007b7d')
  })

  it('that are none, or too large, are refused', () => {
    expect(() => read([Buffer.from('GET / HTTP/1.1\r\n')])).toThrow('no frame of the bridge')
    expect(() => read([Buffer.from('0000100010000000', 'hex')])).not.toThrow()
    expect(() => read([Buffer.from('0100100010000000', 'hex')])).toThrow('may have 1048576 bytes, but has 1048577')
  })
})
