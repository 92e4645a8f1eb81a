import { type Answer, bodyLength, isHeld } from '../answer.ts'
import type { Delivery } from '../delivery.ts'
import type { Draw } from './draw.ts'
import type { Fault } from './rules.ts'

/** The connection ends in the place of an answer, though all was done. */
export function endsUnanswered(fault: Fault): 'rst' | 'fin' | undefined {
  const lost = fault.kind === 'duplicate-complete' || (fault.kind === 'reset' && fault.when === 'after-processing')
  return lost ? fault.by : undefined
}

function at(answer: Answer, after: number | undefined): number {
  const length = bodyLength(answer)
  return Math.min(after ?? Math.floor(length / 2), length)
}

/** Before the last byte: what ends there would not be short. */
function before(answer: Answer, after: number | undefined): number {
  return Math.min(at(answer, after), Math.max(0, bodyLength(answer) - 1))
}

function withHeader(answer: Answer, name: string, change: (value: string) => string): Answer {
  const value = answer.headers[name]
  return value === undefined ? answer : { ...answer, headers: { ...answer.headers, [name]: change(value) } }
}

/** `bytes 0-9/100` moved by one: `bytes 1-10/100`. */
function shiftedRange(value: string, by: number): string {
  return value.replace(/^bytes (\d+)-(\d+)/, (_, first, last) => `bytes ${Number(first) + by}-${Number(last) + by}`)
}

function otherEtag(value: string): string {
  return value.replace(/[0-9a-f]/g, (digit) => (15 - Number.parseInt(digit, 16)).toString(16))
}

/** Positions spread over the body from a place that the draw chose. */
function flipsOf(answer: Answer, bytes: number, random: number): readonly number[] {
  const length = bodyLength(answer)
  const count = Math.min(bytes, length)
  const first = Math.floor(random * length)
  const places = Array.from({ length: count }, (_, i) => (first + Math.floor((i * length) / count)) % length)
  return places.sort((a, b) => a - b)
}

function truncated(answer: Answer, keep: number): Answer {
  const { body } = answer
  if (body === undefined || isHeld(body)) return answer
  return { ...answer, body: body.subarray(0, Math.floor(body.length * keep)) }
}

/** What a fault makes of an answer. */
export function deliveryOf(answer: Answer, draw: Draw | undefined): Delivery {
  if (draw === undefined) return { answer }
  const { fault, random } = draw
  switch (fault.kind) {
    case 'stall':
      return { answer, pause: { at: at(answer, fault.after), ms: fault.ms } }
    case 'slow-body':
      return { answer, bytesPerSecond: fault.bytesPerSecond }
    case 'short-body':
      return { answer, end: { at: before(answer, fault.after), by: 'fin' } }
    case 'reset':
      return fault.when === 'mid-body' ? { answer, end: { at: before(answer, fault.after), by: fault.by } } : { answer }
    case 'wrong-content-range':
      return { answer: withHeader(answer, 'content-range', (value) => shiftedRange(value, fault.by)) }
    case 'wrong-content-length':
      return { answer, length: Math.max(0, bodyLength(answer) + fault.by) }
    case 'etag-change':
      return { answer: withHeader(answer, 'etag', otherEtag) }
    case 'corrupt-body':
      return { answer, flips: flipsOf(answer, fault.bytes, random) }
    case 'truncated-xml':
      return { answer: truncated(answer, fault.keep) }
    case 'close-after':
      return { answer, afterwards: fault.when === 'at-once' ? 'close' : 'doom' }
    default:
      return { answer }
  }
}
