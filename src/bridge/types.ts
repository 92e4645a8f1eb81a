import type { Socket } from 'node:net'
import type { SlabHandle } from '../native.ts'

/** What a hello or an answer says, JSON. */
export type Message = Readonly<Record<string, unknown>>

/** A connection whose hello was read, of a process that may connect. */
export interface Client {
  readonly hello: Message
  readonly socket: Socket
  /** Fires when the connection is over, whoever ended it. */
  readonly signal: AbortSignal
  /**
   * Says yes, once; `slab` is handed over along with it. What comes from then on is the operation's, which listens to the
   * socket at once: first the bytes that this returns, which came early.
   */
  accept(answer: Message, slab?: SlabHandle): Buffer
}

/**
 * What a connection is for. It begins with `accept`; what it throws before that is told to the client. It resolves when
 * the connection is over and nothing of it is left. The socket is closed then.
 */
export type Operation = (client: Client) => Promise<void>
