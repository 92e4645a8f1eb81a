import { show } from '../checks.ts'
import { HeadraceError } from '../errors.ts'
import type { LoaderState } from '../loader/index.ts'
import type { BatchStream } from './batch-stream.ts'
import { failureOf } from './failure.ts'
import { FRAME, jsonFrame } from './frames.ts'
import type { Message } from './types.ts'

/** What a client asks of its loader beside batches. */
const CALLS: Readonly<Record<string, (stream: BatchStream, call: Message) => Message>> = {
  state: (stream) => ({ state: stream.loader.state() }),
  report: (stream) => ({ report: stream.loader.report() }),
  setEpoch: (stream, { epoch }) => {
    stream.setEpoch(epoch as number)
    return { state: stream.loader.state() }
  },
  resume: (stream, { state }) => {
    stream.resume(state as LoaderState)
    return { state: stream.loader.state(), steps: stream.loader.steps }
  },
}

/** Answers every call with a reply, in their order. Throws for what is no call. */
export function answer(stream: BatchStream, payload: Buffer): Buffer {
  const call = JSON.parse(payload.toString()) as Message
  const { id, op } = call
  try {
    if (typeof op !== 'string' || !Object.hasOwn(CALLS, op))
      throw new HeadraceError('E_USAGE', `op must be one of ${Object.keys(CALLS).join(', ')}, but got ${show(op)}`)
    return jsonFrame(FRAME.reply, { id, ok: true, ...CALLS[op]?.(stream, call) })
  } catch (error) {
    return jsonFrame(FRAME.reply, { id, ok: false, ...failureOf(error, 'a call') })
  }
}
