import { HeadraceError } from '../errors.ts'
import type { BatchStream } from './batch-stream.ts'
import { answer } from './calls.ts'
import { FRAME, FrameReader } from './frames.ts'
import type { Client } from './types.ts'

export function send({ socket }: Client, frame: Uint8Array): void {
  if (!socket.destroyed) socket.write(frame)
}

/** Takes what the client says until it leaves, or says what is no word of ours. */
export function converse(client: Client, early: Buffer, stream: BatchStream): Promise<void> {
  const { socket, signal } = client
  const reader = new FrameReader((kind, payload) => {
    if (kind === FRAME.release && payload.length === 4) stream.release(payload.readUInt32LE(0))
    else if (kind === FRAME.start && payload.length === 0) stream.start()
    else if (kind === FRAME.call) send(client, answer(stream, payload))
    else throw new HeadraceError('E_CORRUPT', `a frame of kind ${kind} with ${payload.length} bytes means nothing here`)
  })
  const take = (bytes: Buffer) => {
    try {
      reader.push(bytes)
    } catch {
      // What a client says that cannot be understood tells that it is not one.
      socket.destroy()
    }
  }
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true })
    if (signal.aborted) resolve()
    take(early)
    socket.on('data', take)
  })
}
