import { fstatSync } from 'node:fs'
import { Socket } from 'node:net'
import type { Environment } from './rank.ts'

/** The descriptor of the socket between a rank and who started it. */
export const PARENT_FD = 3

/** What a rank tells its parent when the job fails. */
export interface RankFailure {
  /** Whose fault it is. */
  readonly rank: number
  readonly reason: string
  /** Whether that rank said so itself. */
  readonly isOwn: boolean
}

/** A rank that is asked to end has so long before it is killed: milliseconds. */
const GRACE = 2000

/** A rank's side of the socket to its parent. */
export class ParentWatch {
  readonly #socket: Socket

  constructor(fd: number) {
    this.#socket = new Socket({ fd })
    // 'close' follows.
    this.#socket.on('error', () => {})
    this.#socket.on('close', endRank)
    this.#socket.resume()
    this.#socket.unref()
  }

  tell(failure: RankFailure): void {
    this.#socket.write(`${JSON.stringify(failure)}\n`)
  }
}

/** To the group that this process leads, if it does: what it started is in it. */
function signalOwn(signal: NodeJS.Signals): void {
  try {
    process.kill(-process.pid, signal)
  } catch {
    process.kill(process.pid, signal)
  }
}

/** The parent has died: nobody would end this process any more. It goes too, with what it started. */
function endRank(): void {
  setTimeout(signalOwn, GRACE, 'SIGKILL').unref()
  signalOwn('SIGTERM')
}

function isSocket(fd: number): boolean {
  try {
    return fstatSync(fd).isSocket()
  } catch {
    return false
  }
}

let watch: ParentWatch | undefined

/** In a process that `startRanks` started: watches who did, and ends when that ends. What ranks start has no such socket. */
export function watchParent({ HEADRACE_PARENT_FD }: Environment): ParentWatch | undefined {
  if (watch === undefined && HEADRACE_PARENT_FD === String(PARENT_FD) && isSocket(PARENT_FD))
    watch = new ParentWatch(PARENT_FD)
  return watch
}
