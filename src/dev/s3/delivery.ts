import type { ServerResponse } from 'node:http'
import { type Answer, bodyLength, isHeld } from './answer.ts'
import type { Wire } from './wire.ts'

/** How an answer is sent: as it is, unless a fault says otherwise. Positions are bytes of the body. */
export interface Delivery {
  readonly answer: Answer
  /** What the head says of the length, where that is not the truth. */
  readonly length?: number
  readonly pause?: { readonly at: number; readonly ms: number | undefined }
  readonly end?: { readonly at: number; readonly by: 'rst' | 'fin' }
  readonly bytesPerSecond?: number
  /** Bytes that are changed, in order. */
  readonly flips?: readonly number[]
  readonly afterwards?: 'close' | 'doom'
}

/** Time for bytes that were written to reach the peer before the connection is reset: RST overtakes what is queued. */
const FLUSH_MS = 10
/** A slow body comes in this many pieces a second. */
const PIECES_PER_SECOND = 20

async function* piecesOf({ body }: Answer): AsyncGenerator<Uint8Array> {
  if (isHeld(body)) yield* body.read()
  else if (body !== undefined) yield body
}

/** Bytes of a body from `at` on, changed where they are to be. */
function flipped(piece: Uint8Array, at: number, flips: readonly number[]): Uint8Array {
  const here = flips.filter((flip) => flip >= at && flip < at + piece.length)
  if (here.length === 0) return piece
  const copy = Uint8Array.from(piece)
  for (const flip of here) copy[flip - at] = (copy[flip - at] ?? 0) ^ 0xff
  return copy
}

/** Resolves when the socket takes more, or is gone. */
function write(response: ServerResponse, wire: Wire, bytes: Uint8Array): Promise<void> {
  return wire.until((done) => {
    if (response.write(bytes)) done()
    else response.once('drain', done)
    return () => response.off('drain', done)
  })
}

async function sendBody(response: ServerResponse, wire: Wire, delivery: Delivery): Promise<'whole' | 'ended'> {
  const { answer, pause, end, bytesPerSecond, flips = [] } = delivery
  const step = bytesPerSecond === undefined ? undefined : Math.max(1, Math.ceil(bytesPerSecond / PIECES_PER_SECOND))
  let at = 0
  const stops = [pause?.at, end?.at].filter((stop): stop is number => stop !== undefined)
  const reach = async () => {
    if (pause?.at === at) await wire.sleep(pause.ms)
    if (end?.at !== at) return false
    // The head too, where nothing of the body is to come.
    response.flushHeaders()
    await wire.sleep(FLUSH_MS)
    wire.end(end.by)
    return true
  }
  if (await reach()) return 'ended'
  for await (const piece of piecesOf(answer)) {
    for (let from = 0; from < piece.length; ) {
      const stop = Math.min(...stops.filter((place) => place > at), at + (step ?? piece.length))
      const part = piece.subarray(from, from + stop - at)
      if (step !== undefined) await wire.sleep(1000 / PIECES_PER_SECOND)
      await write(response, wire, flipped(part, at, flips))
      if (wire.signal.aborted) return 'ended'
      from += part.length
      at += part.length
      if (await reach()) return 'ended'
    }
  }
  return 'whole'
}

function finish(response: ServerResponse, wire: Wire): Promise<void> {
  return wire.until((done) => {
    response.once('finish', done).end()
    return () => response.off('finish', done)
  })
}

/** Sends an answer and lets go of its body, whatever becomes of the connection. */
export async function deliver(response: ServerResponse, wire: Wire, delivery: Delivery, method: string): Promise<void> {
  const { answer, afterwards } = delivery
  try {
    if (wire.signal.aborted) return
    const bodiless = method === 'HEAD' || answer.status === 204 || answer.status === 304
    const length = delivery.length ?? bodyLength(answer)
    const headers = bodiless ? answer.headers : { ...answer.headers, 'content-length': String(length) }
    if (afterwards !== undefined) response.shouldKeepAlive = true
    response.writeHead(answer.status, headers)
    if (!bodiless && (await sendBody(response, wire, delivery)) === 'ended') return
    await finish(response, wire)
    if (length > bodyLength(answer) && !bodiless) wire.close()
    if (afterwards === 'close') wire.close()
    if (afterwards === 'doom') wire.doom()
  } finally {
    if (isHeld(answer.body)) answer.body.release()
  }
}
